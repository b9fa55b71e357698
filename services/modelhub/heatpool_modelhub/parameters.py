"""The query of a request -> typed parameters.

In: the raw query string. Out: canonical values. Guarantee: every value has one spelling, nothing of
it reaches a query, a path or a log; a parameter that is given twice is refused, because a proxy and
we might believe different ones. Unknown parameters are ignored: loggers send what we do not know.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from heatpool_contract import identity
from heatpool_contract.identity import (
    InstallationId,
    ModelSlug,
)
from heatpool_contract.refusals import Refusal
from heatpool_modelhub.answering import RefusedError

QUERY_BYTES_MAX: Final = 2048  # the longest real one has about 250
_FIELDS_MAX: Final = 32
_KNOWN: Final = ("installation_id", "model", "current_hash", "hash", "was_eligible")
_BOOLEANS: Final = {None: None, "true": True, "false": False}
_HASH: Final = re.compile("[0-9a-f]{64}")


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """What check and download take."""

    installation: InstallationId
    model: ModelSlug | None
    """None: that of the installation."""
    current_hash: str | None
    """What the logger says it has; only ever compared."""
    hash: str | None
    """Release that is asked for; None: the current one."""
    was_eligible: bool | None
    """What the logger was told before; None: it does not ask for the change."""


def parse(query: bytes) -> Parameters:
    """Read a query string.

    Raises:
        RefusedError: `bad_request`, `installation_id_invalid`, `model_invalid`.
    """
    given = read(query, _KNOWN)
    installation = identity.installation_id(given.get("installation_id", ""))
    if installation is None:
        raise RefusedError(Refusal.INSTALLATION_ID_INVALID)
    pinned = given.get("hash") or None
    if pinned is not None and not _HASH.fullmatch(pinned):
        raise RefusedError(Refusal.BAD_REQUEST, "hash must be 64 lower-case hex digits")
    was = given.get("was_eligible") or None
    if was not in _BOOLEANS:
        raise RefusedError(Refusal.BAD_REQUEST, "was_eligible must be true or false")
    return Parameters(
        installation=installation,
        model=model_of(given.get("model", "")),
        current_hash=given.get("current_hash") or None,
        hash=pinned,
        was_eligible=_BOOLEANS[was],
    )


def read(query: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """The known ones of a query's parameters.

    Raises:
        RefusedError: `bad_request`.
    """
    if len(query) > QUERY_BYTES_MAX:
        raise RefusedError(Refusal.BAD_REQUEST, "the query is too long", limit=QUERY_BYTES_MAX)
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS_MAX
        )
    except ValueError as error:
        raise RefusedError(
            Refusal.BAD_REQUEST, "the query has too many parameters", limit=_FIELDS_MAX
        ) from error
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise RefusedError(Refusal.BAD_REQUEST, f"{name} is given twice")
        if name in known:
            given[name] = value
    return given


def model_of(text: str) -> ModelSlug | None:
    """The slug of a model's name; None for no name.

    Raises:
        RefusedError: `model_invalid`.
    """
    if not text:
        return None
    slug = identity.model_slug(text)
    if slug is None:
        raise RefusedError(
            Refusal.MODEL_INVALID, "model must have 1 to 64 letters, digits, blanks or _ - . ( )"
        )
    return slug
