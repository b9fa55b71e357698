"""Recordings of homes as the writer leaves them: in VictoriaMetrics, the registry and the news."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from nacl.public import PrivateKey

from heatpool_chassis.logs import configure
from heatpool_chassis.metrics import TrainerMetrics
from heatpool_contract import registry, subjects
from heatpool_trainer.attempt import Attempts, Buckets
from heatpool_trainer.bulletin import Bulletin
from heatpool_trainer.consumer import Trainer
from heatpool_trainer.publishing import Signing
from heatpool_trainer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nats.aio.client import Client
    from prometheus_client import CollectorRegistry

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_trainer.readings import HomeSeries

LINE_SAMPLES: Final = 10_000
SEED: Final = bytes(range(32))
HUB: Final = PrivateKey(bytes(range(1, 33)))


async def store(victoria: Victoria, model: str, homes: Sequence[HomeSeries]) -> None:
    """What the writer would have written."""
    for home in homes:
        metric = {"installation": home.home, "model": model}
        lines = [
            _line(
                {"__name__": f"heatpump_{name}", **metric}, home.timestamps_ms[part], column[part]
            )
            for name, column in home.columns.items()
            for part in (
                slice(start, start + LINE_SAMPLES) for start in range(0, column.size, LINE_SAMPLES)
            )
        ]
        count = np.array([float(home.timestamps_ms.size)])
        about = {"__name__": "heatpump_batch_samples", **metric}
        await victoria.import_lines([*lines, _line(about, home.timestamps_ms[-1:], count)])
    await victoria.force_flush()


def _line(metric: dict[str, str], stamps: object, values: object) -> bytes:
    stamps, values = np.asarray(stamps), np.asarray(values)
    sent = ~np.isnan(values)
    return msgspec.json.encode(
        {
            "metric": metric,
            "values": values[sent].tolist(),
            "timestamps": stamps[sent].tolist(),
        }
    )


async def register(client: Client, homes: Sequence[str], contributed_ms: int) -> None:
    """Entries of the registry."""
    bucket = await client.jetstream().key_value(subjects.KV_INSTALLATIONS)
    for home in homes:
        entry = registry.Installation(samples=1, contributed_ms=contributed_ms)
        await bucket.put(home, registry.encode(entry))


class Bench:
    """A trainer inside the test, on real servers."""

    def __init__(
        self, client: Client, life: Lifecycle, store_url: str, folder: Path, **changes: object
    ) -> None:
        values: dict[str, object] = {
            "nats_url": "",
            "victoria_write_url": store_url,
            "victoria_read_url": store_url,
            "victoria_admin_url": store_url,
            "release_seed": "A" * 43 + "=",
            "hub_public_key": "A" * 43 + "=",
            "quarantine_days": 0.0,
            "quiet_s": 0.0,
            "interval_s_min": 0.0,
            "window_days": 20,
            "processes": 1,
            "daily_at": "",
        }
        self.settings = Settings(**{**values, **changes})  # type: ignore[arg-type]
        self.client, self.life, self.folder = client, life, folder
        self.drawn: list[int] = []
        """Lengths of the random numbers that signing asked for."""

    async def open(self, holder: str, registry: CollectorRegistry | None = None) -> Trainer:
        """A trainer of this name, with metrics of its own or in `registry`."""
        js = self.client.jetstream()
        self.buckets = Buckets(
            await js.key_value(subjects.KV_RELEASES),
            await js.key_value(subjects.KV_PROGRESS),
            await js.key_value(subjects.KV_INSTALLATIONS),
            await js.object_store(subjects.OBJECTS_MODELS),
        )
        self.signing = Signing(SEED, bytes(HUB.public_key), self._random)
        self.bulletin = Bulletin(self.client, self.buckets.reports, holder)
        self.attempts = Attempts(
            self.settings, self.client, self.buckets, self.signing, self.folder / holder
        )
        return Trainer(
            self.settings,
            self.life,
            TrainerMetrics(registry or type(self.life)("trainer").registry),
            self.client,
            self.buckets.reports,
            self.bulletin,
            self.attempts,
            configure("trainer"),
        )

    def _random(self, size: int) -> bytes:
        self.drawn.append(size)
        return secrets.token_bytes(size)
