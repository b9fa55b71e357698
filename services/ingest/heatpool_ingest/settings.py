"""Settings of the edge: `HEATPOOL_INGEST_<FIELD>`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from heatpool_chassis.settings import Secret

PREFIX: Final = "HEATPOOL_INGEST_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the edge needs to start."""

    tokens: tuple[Secret, ...]
    """Bearer tokens that may submit; several during a rotation."""
    pseudonym_key: Secret
    """Same in edge and hub. Whoever has it can link a known UUID to its data."""
    receipt_key: Secret
    """Signs receipts; the same on all edges of a pool."""
    nats_url: str
    nats_seed: Secret | None = None
    nats_ca: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8001
    private_host: str = "127.0.0.1"
    private_port: int = 9001
    publish_s_max: float = 10.0
    """How long a request may wait for the stream; beyond, the logger is told to come again."""
    worker_processes: int = 1
    """Children that prepare large requests; 0 does it on the event loop."""
    live_bytes_max: int = 16 * 1024**2
    """Bodies of the live lane (up to 64 KiB as sent) in memory at once."""
    bulk_bytes_max: int = 24 * 1024**2
    """Bodies of the bulk lane in memory at once; at least one of 16 MiB fits."""
    live_wait_s_max: float = 2.0
    bulk_wait_s_max: float = 20.0
    """How long a request may wait for its turn before it is told to come again."""
    body_s_max: float = 60.0
    """How long a body may take to arrive."""
    quota_records_burst: int = 100_000
    """Records an installation may send at once: a day at one a second, ten weeks of minutes."""
    quota_records_per_s: float = 100.0
    """What it gets back: a year of minutes takes 70 minutes, a home at one a second is never
    stopped."""
    wrong_tokens_burst: int = 60
    wrong_tokens_per_s: float = 1.0
    """Requests with a wrong token that a network (/16, /32 of IPv6) is told so; beyond, 429. The
    right token is never stopped by it."""
    otlp_url: str = ""
    """Where spans go (OTLP over HTTP, `.../v1/traces`); needs the extra `otel`. Empty: nowhere."""

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError(f"{PREFIX}TOKENS: must name at least one token")
