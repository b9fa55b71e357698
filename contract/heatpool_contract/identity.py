"""Who sends, under which name the pool knows them, and which machine they have.

In: the spellings of a request. Out: canonical ids, pseudonyms, slugs. Guarantee: one installation
has exactly one id and one pseudonym, one heat-pump model exactly one slug; nothing else passes.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final, NewType

InstallationId = NewType("InstallationId", str)
"""Lower-case 36-character UUID, version 4 (random) or 8 (self-certifying), never nil."""

Pseudonym = NewType("Pseudonym", str)
"""32 hex digits: all that the bus, the store, logs and metrics ever know of an installation."""

ModelSlug = NewType("ModelSlug", str)
"""`[a-z0-9]+(_[a-z0-9]+)*`: fit for a NATS token, a KV key, a label and a file name."""

CANARY_MODEL: Final = "heatpool-canary"
"""Reserved: what an operator's canary submits under. It goes the whole way into the store, and
counts nowhere: no registry entry, hence no eligibility and no statistics, and no training."""
CANARY_SLUG: Final = ModelSlug("heatpool_canary")

MODEL_CHARS_MAX: Final = 64  # the longest marketing name met is 41 characters
VERSION_CHARS_MAX: Final = 32
PSEUDONYM_KEY_BYTES_MIN: Final = 16
PSEUDONYM_KEY_BYTES_MAX: Final = 64  # BLAKE2b takes no longer key
_PSEUDONYM_BYTES: Final = 16

# `fullmatch` everywhere: `$` would let a trailing newline through.
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MODEL: Final = re.compile(r"[A-Za-z0-9_\-.() ]{1,64}")
_VERSION: Final = re.compile(r"[A-Za-z0-9._+\-]{1,32}")
_NOT_SLUG: Final = re.compile(r"[^a-z0-9]+")
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


def installation_id(spelling: str) -> InstallationId | None:
    """The id, if `spelling` is its one canonical form (RFC 9562, lower case), else None.

    Python's `uuid.UUID` also takes braces, `urn:uuid:`, upper case and missing hyphens: one
    installation would have many identities, and erasure would miss some.
    """
    return InstallationId(spelling) if _UUID.fullmatch(spelling) else None


def pseudonym(installation: InstallationId, key: bytes) -> Pseudonym:
    """BLAKE2b-128 of the id keyed with the pool's secret, in hex (RFC 7693)."""
    if not PSEUDONYM_KEY_BYTES_MIN <= len(key) <= PSEUDONYM_KEY_BYTES_MAX:
        raise ValueError("pseudonym key must have 16 to 64 bytes")
    digest = blake2b(installation.encode(), digest_size=_PSEUDONYM_BYTES, key=key)
    return Pseudonym(digest.hexdigest())


def model_slug(name: str) -> ModelSlug | None:
    """`AERO SLM` and `AERO_SLM` -> `aero_slm`; None if the name is not a legal model name."""
    if not _MODEL.fullmatch(name):
        return None
    slug = _NOT_SLUG.sub("_", name.lower()).strip("_")
    return ModelSlug(slug) if slug else None


def is_pseudonym(text: str) -> bool:
    """Whether `text` can be what `pseudonym` makes: fit for a selector and a label as it is."""
    return _PSEUDONYM.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Whether `text` can be what `model_slug` makes."""
    return _SLUG.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether `text` is a legal version of a logger (1-32 of letters, digits, `. _ + -`)."""
    return _VERSION.fullmatch(text) is not None
