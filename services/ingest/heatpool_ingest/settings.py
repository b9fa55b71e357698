"""Settings of the edge: `HEATPOOL_INGEST_<FIELD>`."""

from __future__ import annotations

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
    nats_url: str
    nats_user: str = ""
    nats_password: Secret | None = None
    host: str = "127.0.0.1"
    port: int = 8001
    private_host: str = "127.0.0.1"
    private_port: int = 9001
    publish_s_max: float = 10.0
    """How long a request may wait for the stream; beyond, the logger is told to come again."""

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError(f"{PREFIX}TOKENS: must name at least one token")
