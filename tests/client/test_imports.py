"""What a logger pays for `import heatpool_client`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("httpx", "rich", "rich_click", "click", "nacl", "ssl", "heatpool_contract.detector")
FOREIGN = ("nats", "litestar", "numpy", "river", "structlog", "uvicorn", "heatpool_chassis")


def loaded(statement: str) -> set[str]:
    """Top modules that a fresh interpreter has after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_the_library_loads_nothing_heavy() -> None:
    """The budget is 150 ms; what takes time is loaded when it is used."""
    modules = loaded("import heatpool_client")
    assert not modules & {*HEAVY, *FOREIGN}


@pytest.mark.parametrize(
    "statement",
    [
        "import heatpool_client.__main__",
        "import heatpool_client.connection, httpx, heatpool_client.updates, heatpool_client.scores",
    ],
)
def test_no_part_of_the_client_needs_broker_framework_or_numerics(statement: str) -> None:
    """The logger installs none of them."""
    assert not loaded(statement) & set(FOREIGN)


def test_importing_needs_no_environment() -> None:
    """No variable is read and no folder is looked for at import."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import heatpool_client.__main__"],
        env={},
        cwd="/",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
