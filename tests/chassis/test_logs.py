"""What a log line may hold, and that any value can be logged."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from heatpool_chassis import logs
from heatpool_chassis.settings import Secret

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

UUID = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"


class _Holder(msgspec.Struct):
    secret: Secret


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> BoundLogger:
    """A logger whose output the test reads."""
    capsys.readouterr()
    return logs.configure("t")


@pytest.mark.parametrize(
    "value",
    [
        UUID,
        f"home {UUID.upper()} of them",
        UUID.replace("-", ""),
        "Bearer s3cret",
        [UUID, {"inner": (f"bearer {UUID}", 1)}],
        {UUID: "Authorization: Bearer s3cret"},
        ValueError(f"no home {UUID}"),
        _Holder(Secret("s3cret")),
    ],
)
def test_no_id_or_token_is_written_wherever_it_stands(
    log: BoundLogger, capsys: pytest.CaptureFixture[str], value: object
) -> None:
    """Texts, lists, keys, exceptions, structures."""
    log.info("event", value=value)

    line = capsys.readouterr().out
    assert json.loads(line)["event"] == "event"
    assert UUID not in line.lower()
    assert UUID.replace("-", "") not in line.lower()
    assert "s3cret" not in line


def test_plain_values_stay_what_they_are(
    log: BoundLogger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers are numbers, a pseudonym is readable, half a surrogate pair ends nothing."""
    log.warning("event", n=1, x=0.5, yes=True, none=None, installation="0" * 32, odd="\ud800")

    line = json.loads(capsys.readouterr().out)
    assert (line["n"], line["x"], line["yes"], line["none"]) == (1, 0.5, True, None)
    assert line["installation"] == "0" * 32
    assert (line["service"], line["level"], line["odd"]) == ("t", "warning", "\ud800")


class _Line(msgspec.Struct):
    event: str
    count: int | msgspec.UnsetType = msgspec.UNSET


async def test_lines_of_one_turn_are_written_in_order_before_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One JSON object a line, without what was not known."""
    lines = logs.Lines()
    lines.add(_Line("first", 1))
    lines.add(_Line("second"))
    held = capsys.readouterr().out
    await asyncio.sleep(0)
    written = capsys.readouterr().out
    lines.add(_Line("third"))
    await asyncio.sleep(0)

    assert held == ""
    assert written == '{"event": "first", "count": 1}\n{"event": "second"}\n'
    assert capsys.readouterr().out == '{"event": "third"}\n'


def test_what_a_library_logs_is_masked_too() -> None:
    """Uvicorn logs an exception with its traceback; in a process of its own, as it is set up."""
    program = (
        "import logging, sys; from heatpool_chassis import logs; logs.configure('t')\n"
        "try: raise ValueError('no home ' + sys.argv[1])\n"
        "except ValueError: logging.getLogger('uvicorn.error').exception('Bearer s3cret')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, UUID], capture_output=True, text=True, check=True
    )

    assert "ValueError: no home <uuid>" in done.stdout
    assert UUID not in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr
