"""A pool under load, with a store in front that can be made to fail."""

from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from chaos import faults
from chaos.faults import World
from chaos.load import Load
from chaos.store_thread import StoreInFront
from pool import Pool

from heatpool_chassis.topology import Sizes
from heatpool_deploy import keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = Sizes(
    telemetry_bytes_max=1024**3, deadletter_bytes_max=1024**2 * 64, models_bytes_max=1024**2 * 64
)
SMALL = Sizes(
    telemetry_bytes_max=64 * 1024**2,
    deadletter_bytes_max=1024**2 * 4,
    models_bytes_max=1024**2 * 4,
)
SMALL_DISK_MB = 160


@contextmanager
def arena(
    folder: Path,
    *,
    seed: int,
    homes: int,
    kills: int,
    frozen_s: float,
    small_disks: bool = False,
) -> Iterator[tuple[World, Load]]:
    """Everything runs; homes wait for `resume`."""
    with ExitStack() as stack:
        pool = Pool(folder, sizes=SMALL if small_disks else SIZES)
        if small_disks:
            for name in ("jetstream", "victoria"):
                stack.enter_context(faults.small_disk(pool, name, SMALL_DISK_MB))
        store = stack.enter_context(StoreInFront(pool.stack.victoria_url))
        for role in ("WRITE", "READ", "ADMIN"):
            pool.environment[f"HEATPOOL_WRITER_VICTORIA_{role}_URL"] = store.url
        stack.callback(pool.stop)
        pool.start(faults.PROCESSES)
        key = pool.stack.secret(keys.PSEUDONYM_KEY).encode()
        load = stack.enter_context(
            Load(pool.stack.ingest_url, pool.token, key, homes=homes, seed=seed)
        )
        rng = random.Random(seed)
        yield World(pool, store, rng, kills=kills, frozen_s=frozen_s), load
