"""Settings of the trainer: `HEATPOOL_TRAINER_<FIELD>`."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Final

import msgspec

from heatpool_chassis.settings import Secret
from heatpool_trainer.news import Schedule

PREFIX: Final = "HEATPOOL_TRAINER_"
_KEY_BYTES: Final = 32
_CLOCK: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


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
    quarantine_days: float = 14.0
    """A home is trained on this long after its first contribution; 0 = at once."""
    messages_min: int = 1
    """Messages of the stream (a request is one or a few) that are enough for a training."""
    daily_at: str = "02:30"
    """UTC; a model with any news is trained then, however little; empty = never."""
    quiet_s: float = 300.0
    """A model with news is trained once nothing more came for this long, ..."""
    interval_s_min: float = 3600.0
    """... not more often than this, ..."""
    interval_s_max: float = 86_400.0
    """... and at the latest after this, however busy its stream."""
    release_days_valid: int = 90
    state: Path | None = None
    """Folder for exported days, so that only new ones are exported; without it all are, always.
    Personal data: on an encrypted disk, outside of backups."""
    days_bytes_max: int = 8 * 1024**3
    """Of exported days: a home's day of 11 fields is 0.14 MB."""
    processes: int = 0
    """Of one training; 0 = one for each processor."""
    catalogue: Path | None = None
    """Sensor catalogue of the operator's own, instead of the one in the package."""

    def __post_init__(self) -> None:
        for name in ("release_seed", "hub_public_key"):
            if len(key_bytes(getattr(self, name))) != _KEY_BYTES:
                raise ValueError(f"{PREFIX}{name.upper()}: must be 32 bytes in base64")
        if self.daily_at and _CLOCK.fullmatch(self.daily_at) is None:
            raise ValueError(f"{PREFIX}DAILY_AT: must be a time of day such as 02:30")

    @property
    def schedule(self) -> Schedule:
        """When a model is trained."""
        hours, _, minutes = self.daily_at.partition(":")
        return Schedule(
            quiet_s=self.quiet_s,
            interval_s_min=self.interval_s_min,
            interval_s_max=self.interval_s_max,
            messages_min=self.messages_min,
            daily_at_s=int(hours) * 3600 + int(minutes) * 60 if self.daily_at else None,
        )


def key_bytes(text: str) -> bytes:
    """Base64 to bytes; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
