"""Structured logs: one JSON object a line on standard output, event name and fields.

Guarantee: no line holds a UUID or a bearer token, whoever logs it: the last processor before the
renderer masks both, also inside tracebacks.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

_UUID: Final = re.compile(
    r"(?i)\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"
)
_BEARER: Final = re.compile(r"(?i)bearer\s+\S+")
_PSEUDONYM_FIELDS: Final = frozenset({"installation"})  # 32 hex digits look like a bare UUID


def configure(service: str) -> structlog.stdlib.BoundLogger:
    """Set up logging for this process and return its logger."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(service=service)
    return logger


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask UUIDs and bearer tokens in every text of the event."""
    return {
        key: value if key in _PSEUDONYM_FIELDS or not isinstance(value, str) else scrub(value)
        for key, value in event.items()
    }


def scrub(text: str) -> str:
    """`text` without UUIDs and bearer tokens."""
    return _BEARER.sub("Bearer ***", _UUID.sub("<uuid>", text))
