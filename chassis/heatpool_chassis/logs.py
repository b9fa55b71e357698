"""Structured logs: one JSON object a line on standard output, event name and fields.

Guarantee: no line holds a UUID or a bearer token, whoever logs it, libraries too: both are masked,
also inside tracebacks and inside of lists. `Lines`, for what is logged thousands of times a second,
takes Structs instead, whose fields say what they hold.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_UUID: Final = re.compile(
    r"(?i)\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"
)
_BEARER: Final = re.compile(r"(?i)bearer\s+\S+")
_BEARER_CHARS_MIN: Final = len("bearer x")  # most texts are shorter, and need no search
_UUID_CHARS_MIN: Final = 32
_PLAIN: Final = frozenset({int, float, bool, type(None)})
_PSEUDONYM_FIELDS: Final = frozenset({"installation"})  # 32 hex digits look like a bare UUID

_encoder: Final = msgspec.json.Encoder()


def configure(service: str) -> structlog.stdlib.BoundLogger:
    """Set up logging for this process and return its logger."""
    theirs = logging.StreamHandler(sys.stdout)
    theirs.setFormatter(_Scrubbing("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[theirs])
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.add_log_level,
            _stamp,
            _render,
        ],
        logger_factory=_Printer,
        cache_logger_on_first_use=True,
    )
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(service=service).bind()
    return logger


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    return event


class _Printer:
    """One write a line: `print` makes two of it where Python does not buffer, as in containers."""

    def msg(self, line: str) -> None:
        """Write it to what is standard output now."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    debug = info = warning = error = critical = exception = msg


class _Scrubbing(logging.Formatter):
    """For what libraries log, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """As `logging.Formatter`."""
        return scrub(super().format(record))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask UUIDs and bearer tokens in every text of the event."""
    for key, value in event.items():
        if type(value) not in _PLAIN and key not in _PSEUDONYM_FIELDS:
            event[key] = _masked(value)
    return event


def _masked(value: object) -> object:
    match value:
        case str():
            return scrub(value)
        case int() | float() | None:
            return value
        case dict():
            return {scrub(str(key)): _masked(member) for key, member in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(member) for member in value]
        case _:  # as it shows itself: a secret does not
            return scrub(repr(value))


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return msgspec.json.format(_encoder.encode(event), indent=0).decode()  # one line
    except UnicodeEncodeError:  # half a surrogate pair, as a stranger's text may hold
        return json.dumps(event)


def scrub(text: str) -> str:
    """`text` without UUIDs and bearer tokens."""
    if len(text) >= _UUID_CHARS_MIN:
        text = _UUID.sub("<uuid>", text)
    if len(text) >= _BEARER_CHARS_MIN and "bearer" in text.lower():
        text = _BEARER.sub("Bearer ***", text)
    return text


class Lines:
    """Lines that are written together whenever the event loop comes round.

    Nothing is masked: only for Structs whose texts are words of ours.
    """

    def __init__(self) -> None:
        self._held: list[str] = []

    def add(self, line: msgspec.Struct) -> None:
        """Write a line in this turn of the running loop."""
        if not self._held:
            asyncio.get_running_loop().call_soon(self._write)
        self._held.append(msgspec.json.format(_encoder.encode(line), indent=0).decode())

    def _write(self) -> None:
        held, self._held = self._held, []
        sys.stdout.write("\n".join([*held, ""]))
        sys.stdout.flush()
