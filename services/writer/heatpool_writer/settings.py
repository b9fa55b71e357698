"""Settings of the writer: `HEATPOOL_WRITER_<FIELD>`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from heatpool_chassis.settings import Secret
from heatpool_contract.erasures import Waits

PREFIX: Final = "HEATPOOL_WRITER_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the writer needs to start."""

    nats_url: str
    nats_seed: Secret | None = None
    nats_ca: Path | None = None
    victoria_write_url: str
    victoria_read_url: str
    victoria_admin_url: str
    victoria_storage_urls: tuple[str, ...] = ()
    """Roots of the processes that hold samples: in a cluster every vmstorage; also a single node
    that is written to below a prefix. Empty: the write URL is the root of a single node."""
    victoria_insert_urls: tuple[str, ...] = ()
    """In a cluster the root of every vminsert."""
    victoria_gzip: bool = False
    """Whether imports travel zipped: a fifth of the bytes, for as much CPU again as all else that
    the writer does, and a tenth more in the store. For a store behind a slow network."""
    private_host: str = "127.0.0.1"
    private_port: int = 9002
    batch_samples_max: int = 250_000
    """Folded before a post: large enough that gzip and HTTP do not count, small enough for RAM."""
    batch_age_s_max: float = 1.0
    """How long a lone message waits for company."""
    durable_s: float = 15.0
    """Between the store's 204 and the acknowledgement. VictoriaMetrics flushes new data to disk
    every 5 s and loses what is younger; killed 2 to 7 s after a 204 it had lost everything, after
    10 s nothing (docs/decisions/0004). Three flush intervals leave a margin for a slow disk."""

    erasure_settle_s: float = 60.0
    """From the tombstone to the first deletion: until every writer has let go of the home."""
    erasure_horizon_s: float = 73 * 3600.0
    """From the request to the second deletion: the stream's 72 h and one more."""

    def __post_init__(self) -> None:
        if self.durable_s < 0 or self.batch_age_s_max <= 0 or self.batch_samples_max <= 0:
            raise ValueError(f"{PREFIX}DURABLE_S, BATCH_AGE_S_MAX, BATCH_SAMPLES_MAX: not negative")


def waits(settings: Settings) -> Waits:
    """How long an erasure waits before its steps."""
    return Waits(
        settle_ms=round(settings.erasure_settle_s * 1000),
        visible_ms=round(settings.durable_s * 1000),
        horizon_ms=round(settings.erasure_horizon_s * 1000),
    )
