"""Settings of the hub: `HEATPOOL_MODELHUB_<FIELD>`, and the keys that they spell."""

from __future__ import annotations

import binascii
from base64 import b64decode
from pathlib import Path
from typing import Final, Literal

import msgspec

from heatpool_chassis.quotas import Rate
from heatpool_chassis.settings import Secret
from heatpool_contract.dsse import KEY_BYTES, public_key_of
from heatpool_contract.grants import seal_content_key
from heatpool_contract.identity import PSEUDONYM_KEY_BYTES_MAX, PSEUDONYM_KEY_BYTES_MIN
from heatpool_contract.rejects import SealRefused
from heatpool_modelhub.eligibility import Policy
from heatpool_modelhub.limits import Rates

PREFIX: Final = "HEATPOOL_MODELHUB_"
HOST_BURST_S: Final = 10.0
INSTALLATION_BURST_S: Final = 300.0
REGISTRATION_BURST_S: Final = 60.0
REGISTRATION_HOSTS: Final = 50  # so many hosts together may use up what all may register


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
    nats_seed: Secret | None = None
    nats_ca: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8002
    private_host: str = "127.0.0.1"
    private_port: int = 9004  # the writer has 9002
    identity: Literal["observe", "prefer", "require"] = "prefer"
    """`observe` counts signatures, `prefer` asks them of who registered a key, `require` of all."""
    host_per_s: float = 20.0
    """Requests of one address (IPv6: of one /64), after a burst of ten seconds' worth. Behind one
    address of a provider there may be some hundred homes, each of which asks once an hour."""
    installation_per_s: float = 0.2
    """Requests that name one installation, after a burst of five minutes' worth."""
    registrations_per_s: float = 10.0
    """New keys of everybody; one host may bring a fiftieth of it."""
    victoria_read_url: str = ""
    """For export, statistics and their rollup; empty: those answer 503."""
    victoria_write_url: str = ""
    """For daily values; empty: this hub makes no rollup."""
    victoria_storage_urls: tuple[str, ...] = ()
    """Roots of the processes that hold samples: in a cluster every vmstorage; also a single node
    that is written to below a prefix. Empty: the write URL is the root of a single node."""
    statistics_homes_min: int = 15
    """Least homes of any statistic."""
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
        if min(self.host_per_s, self.installation_per_s, self.registrations_per_s) <= 0:
            raise ValueError(f"{PREFIX}*_PER_S: must be above nought")
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


def rates_of(settings: Settings) -> Rates:
    """How often one may ask."""
    one = settings.registrations_per_s / REGISTRATION_HOSTS
    return Rates(
        host=_rate(settings.host_per_s, HOST_BURST_S),
        installation=_rate(settings.installation_per_s, INSTALLATION_BURST_S),
        registration=_rate(one, REGISTRATION_BURST_S),
        registrations=_rate(settings.registrations_per_s, REGISTRATION_BURST_S),
    )


def policy_of(settings: Settings) -> Policy:
    """Who is eligible, and when the pool suffices."""
    return Policy(
        days_min=settings.eligibility_days,
        installations_min=settings.pool_installations_min,
        data_points_min=settings.pool_data_points_min,
    )


def _rate(per_s: float, burst_s: float) -> Rate:
    return Rate(max(1.0, per_s * burst_s), per_s)


def _key(text: str, name: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{PREFIX}{name}: is not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"{PREFIX}{name}: must have 32 bytes in base64, has {len(key)}")
    return key
