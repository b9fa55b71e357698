"""`make chaos`: every fault under load, and a table of what became of the records."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chaos import faults
from chaos.arena import arena
from chaos.proof import prove

if TYPE_CHECKING:
    from chaos.faults import World
    from chaos.load import Load

HEADER = f"{'fault':<38}{'how':<22}{'s':>6}{'answered':>10}{'stored':>9}{'dup':>5}{'lost':>6}  ok"


def main() -> int:
    """The exit status: 1 if any record was lost, doubled or unaccounted for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--homes", type=int, default=50)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--frozen", type=float, default=20.0)
    parser.add_argument("--only", default="", help="part of a fault's name")
    arguments = parser.parse_args()
    sys.stdout.write(f"seed {arguments.seed}, {arguments.homes} homes\n{HEADER}\n")
    chosen = {name: fault for name, fault in FAULTS.items() if arguments.only in name}
    disks = {name: fault for name, fault in DISKS.items() if arguments.only in name}
    holds = run(chosen, arguments, small_disks=False) if chosen else True
    if disks and faults.can_mount():
        holds &= run(disks, arguments, small_disks=True)
    elif disks:
        sys.stdout.write("full disks: left out, only root can mount small ones\n")
    if not faults.HAS_TRAINER:
        sys.stdout.write("trainer: left out, it is not part of this checkout\n")
    sys.stdout.write("nothing lost, nothing twice\n" if holds else "FAILED\n")
    return 0 if holds else 1


FAULTS: dict[str, faults.Fault] = {
    **{f"SIGKILL {name}": faults.kill(name) for name in faults.PROCESSES},
    **{f"SIGSTOP {name}": faults.freeze(name) for name in faults.PROCESSES},
    "store answers 503": faults.failing_store(503),
    "store hangs": faults.failing_store("hang"),
    "store takes imports and hangs up": faults.failing_store("take_and_cut"),
    "store's start time jumps": faults.start_time_of_the_store_jumps,
    "stream at max_bytes": faults.stream_full,
    "repeated and reordered messages": faults.repeated_and_reordered,
    "poison in the middle": faults.poison,
    "two writers, one killed": faults.two_writers,
    "everything restarts in any order": faults.everything_in_any_order,
}
DISKS: dict[str, faults.Fault] = {
    "disk full under the stream": faults.full_disk("nats", "jetstream"),
    "disk full under the store": faults.full_disk("victoria", "victoria"),
}


def run(
    chosen: dict[str, faults.Fault], arguments: argparse.Namespace, *, small_disks: bool
) -> bool:
    """One pool, one fault after the other; whether all proofs hold."""
    with (
        tempfile.TemporaryDirectory() as folder,
        arena(
            Path(folder),
            seed=arguments.seed,
            homes=arguments.homes,
            kills=arguments.kills,
            frozen_s=arguments.frozen,
            small_disks=small_disks,
        ) as (world, load),
    ):
        return all([one(name, fault, world, load) for name, fault in chosen.items()])  # noqa: C419 - every one


def one(name: str, fault: faults.Fault, world: World, load: Load) -> bool:
    """One fault under load, then the proof; prints its line."""
    started_s = time.monotonic()
    load.resume()
    time.sleep(2)
    how = fault(world)
    time.sleep(2)
    load.pause()
    proof = prove(world.pool, load)
    took_s = time.monotonic() - started_s
    sys.stdout.write(
        f"{name:<38}{how[:21]:<22}{took_s:>6.0f}{proof.answered:>10}{proof.stored:>9}"
        f"{proof.duplicate:>5}{proof.lost:>6}  {'yes' if proof.holds else proof}\n"
    )
    sys.stdout.flush()
    return proof.holds


if __name__ == "__main__":
    sys.exit(main())
