"""`make chaos`, bounded: fewer kills, shorter freezes, one proof at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chaos import faults
from chaos.arena import arena
from chaos.proof import prove

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_261_121
FAULTS = [
    *(faults.kill(name) for name in faults.PROCESSES),
    *(faults.freeze(name) for name in faults.PROCESSES),
    faults.failing_store(503),
    faults.failing_store("hang"),
    faults.failing_store("take_and_cut"),
    faults.repeated_and_reordered,
    faults.poison,
    faults.two_writers,
    faults.everything_in_any_order,
]


@pytest.mark.chaos
@pytest.mark.pipeline
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_fault_loses_or_doubles_a_record(tmp_path: Path) -> None:
    """Every record answered with 200 is in the store once; the books balance; nothing is stuck."""
    with arena(tmp_path / "pool", seed=SEED, homes=15, kills=1, frozen_s=3) as (world, load):
        load.resume()
        for fault in FAULTS:
            fault(world)
        load.pause()
        proof = prove(world.pool, load)

    assert proof.answered > 0
    assert proof.holds, proof
