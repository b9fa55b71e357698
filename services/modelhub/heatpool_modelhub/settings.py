"""Settings of the hub: `HEATPOOL_MODELHUB_<FIELD>`, and the keys that they spell."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

import msgspec

from heatpool_chassis.settings import Secret
from heatpool_contract.dsse import KEY_BYTES, public_key_of
from heatpool_contract.grants import seal_content_key
from heatpool_contract.identity import PSEUDONYM_KEY_BYTES_MAX, PSEUDONYM_KEY_BYTES_MIN
from heatpool_contract.rejects import SealRefused
from heatpool_modelhub.eligibility import Policy

PREFIX: Final = "HEATPOOL_MODELHUB_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub needs to start."""

    tokens: tuple[Secret, ...]
    """Bearer tokens of loggers; several during a rotation."""
    operator_tokens: tuple[Secret, ...] = ()
    """Bearer tokens for `/api/v1/models` and `/api/v1/status`; none: both stay closed."""
    pseudonym_key: Secret
    """Same in edge and hub; its UTF-8 bytes are the key."""
    hub_private_key: Secret
    """X25519, base64: opens the content keys that the trainer sealed to this hub."""
    timestamp_key: Secret
    """Ed25519 seed, base64: signs freshness statements and nothing else."""
    fleet_public_key: str = ""
    """X25519, base64: content keys for loggers that registered none; empty: they get none."""
    nats_url: str
    nats_user: str = ""
    nats_password: Secret | None = None
    host: str = "127.0.0.1"
    port: int = 8002
    private_host: str = "127.0.0.1"
    private_port: int = 9002
    eligibility_days: int = 1
    """Distinct days with data among the last 30; 30 is the strict quid pro quo."""
    pool_installations_min: int = 5
    pool_data_points_min: int = 10_000
    cache_bytes_max: int = 256 * 1024**2
    """Releases in memory; a usual one has 35 to 230 KB."""
    registry_entries_max: int = 500_000
    """Installations in memory, about half a KiB each."""

    def __post_init__(self) -> None:
        """Refuse what would only fail at the first request."""
        if not self.tokens:
            raise ValueError(f"{PREFIX}TOKENS: must name at least one token")
        if set(self.tokens) & set(self.operator_tokens):
            raise ValueError(f"{PREFIX}OPERATOR_TOKENS: a logger's token must not be among them")
        keys_of(self)


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The settings' keys as bytes. Never printed."""

    pseudonym: bytes
    hub_private: bytes
    timestamp_seed: bytes
    fleet_public: bytes | None

    def __repr__(self) -> str:
        return "Keys(...)"


def keys_of(settings: Settings) -> Keys:
    """The keys that the settings spell.

    Raises:
        ValueError: one of them is none; the text names the setting, not the key.
    """
    pseudonym = settings.pseudonym_key.encode()
    if not PSEUDONYM_KEY_BYTES_MIN <= len(pseudonym) <= PSEUDONYM_KEY_BYTES_MAX:
        raise ValueError(f"{PREFIX}PSEUDONYM_KEY: must have 16 to 64 bytes")
    fleet = settings.fleet_public_key
    keys = Keys(
        pseudonym=pseudonym,
        hub_private=_key(settings.hub_private_key, "HUB_PRIVATE_KEY"),
        timestamp_seed=_key(settings.timestamp_key, "TIMESTAMP_KEY"),
        fleet_public=_key(fleet, "FLEET_PUBLIC_KEY") if fleet else None,
    )
    public_key_of(keys.timestamp_seed)
    if keys.fleet_public is not None:
        try:
            seal_content_key(keys.fleet_public, bytes(KEY_BYTES), "00" * KEY_BYTES)
        except SealRefused as error:
            raise ValueError(f"{PREFIX}FLEET_PUBLIC_KEY: is of low order") from error
    return keys


def policy_of(settings: Settings) -> Policy:
    """Who is eligible, and when the pool suffices."""
    return Policy(
        days_min=settings.eligibility_days,
        installations_min=settings.pool_installations_min,
        data_points_min=settings.pool_data_points_min,
    )


def _key(text: str, name: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{PREFIX}{name}: is not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"{PREFIX}{name}: must have 32 bytes in base64, has {len(key)}")
    return key
