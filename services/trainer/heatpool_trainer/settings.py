"""Settings of the trainer: `HEATPOOL_TRAINER_<FIELD>`."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

import msgspec

from heatpool_chassis.settings import Secret

PREFIX: Final = "HEATPOOL_TRAINER_"
_KEY_BYTES: Final = 32


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the trainer needs to start."""

    nats_url: str
    nats_seed: Secret | None = None
    nats_ca: Path | None = None
    victoria_write_url: str
    victoria_read_url: str
    victoria_admin_url: str
    private_host: str = "127.0.0.1"
    private_port: int = 9003
    release_seed: Secret
    """Ed25519 seed that signs releases, base64. Never on the hub's machine."""
    hub_public_key: str
    """X25519 key to which content keys are sealed, base64."""
    epoch: int = 1
    """That of the current trust file."""
    canary_share: float = 1.0
    """Share of homes that try a new release until `heatpoolctl models promote`; 0.05 is usual in
    a large pool."""
    window_days: int = 334
    """How much history a training reads."""
    installations_min: int = 5
    samples_min: int = 10_000
    quiet_s: float = 300.0
    """A model with news is trained once nothing more came for this long, ..."""
    interval_s_min: float = 3600.0
    """... not more often than this, ..."""
    interval_s_max: float = 86_400.0
    """... and at the latest after this, however busy its stream."""
    release_days_valid: int = 90
    catalogue: Path | None = None
    """Sensor catalogue of the operator's own, instead of the one in the package."""

    def __post_init__(self) -> None:
        for name in ("release_seed", "hub_public_key"):
            if len(key_bytes(getattr(self, name))) != _KEY_BYTES:
                raise ValueError(f"{PREFIX}{name.upper()}: must be 32 bytes in base64")


def key_bytes(text: str) -> bytes:
    """Base64 to bytes; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
