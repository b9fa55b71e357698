"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heatpool_contract.refusals import TEXTS, Refusal

ROOT = Path(__file__).parent.parent.parent
PACKAGES = (
    "contract", "chassis", "services/ingest", "services/writer", "services/trainer",
    "services/modelhub", "client", "fleet", "deploy",
)  # fmt: skip
MODULES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("heatpool_*/**/*.py")
)
STATUSES = {200, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 416, 422, 429, 503}
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "service", "misc"}
CODE_ON_LOAD = re.compile(
    r"^\s*(import|from)\s+(pickle|joblib|dill|shelve|marshal)\b", re.MULTILINE
)


def test_every_module_says_what_it_is() -> None:
    """A module without a docstring has no contract."""
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]

    assert silent == []


def test_no_file_is_named_after_a_layer() -> None:
    """Things have names; `utils` is not one."""
    assert [path for path in MODULES if path.stem in BANNED_NAMES] == []


def test_nothing_that_runs_code_on_load_is_imported() -> None:
    """Models are data: no pickle and its kin, anywhere."""
    assert [path for path in MODULES if CODE_ON_LOAD.search(path.read_text("utf-8"))] == []


def test_no_file_is_longer_than_the_house_allows() -> None:
    """300 lines; what needs more is named here with its reason."""
    reasons = {
        "faults.py": "the client's catalogue of refusals in two languages: a table",
        "tables.py": "every option of a CSV reader, one after the other",
        "pool.py": "the client's one door: each method is one step of another module",
        "plant.py": "the physics of a heat pump: one system of equations",
        "features.py": "the compiled copy of the scorer's chain, held to it bit for bit",
        "metrics.py": "every metric of every service, declared once",
        "victoria.py": "one adapter: splitting it would spread its two errors",
        "refusals.py": "every refusal of the pool in two languages: a table",
    }
    long = [
        path
        for path in MODULES
        if path.name not in reasons and len(path.read_text("utf-8").splitlines()) > 300
    ]

    assert long == []


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_text_in_both_languages(refusal: Refusal) -> None:
    """An owner is told in German, a developer in English."""
    text = TEXTS[refusal]

    assert text.en
    assert text.de
    assert text.en != text.de
    assert text.status in {200, *range(400, 406), 408, 409, 410, 413, 415, 416, 422, 429, 503}


def test_importing_everything_opens_no_socket_and_reads_no_setting() -> None:
    """Modules define; only `__main__` does."""
    names = [
        ".".join(path.relative_to(ROOT / package).with_suffix("").parts).removesuffix(".__init__")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("heatpool_*/**/*.py"))
        if path.name != "__main__.py"
    ]
    program = (
        "import importlib, socket, sys\n"
        "def refuse(*_a, **_k): raise RuntimeError('a socket at import')\n"
        "socket.socket.connect = refuse; socket.socket.bind = refuse\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *names], env={}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
