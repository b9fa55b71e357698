"""One training, from export to verdict; runs in a process of its own.

In: a `Job`, the data in VictoriaMetrics. Out: `Trained`: the payload and what the gate says of it.
Guarantee: reads and computes, writes nothing that stays: killed at any point, nothing has happened.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import msgspec

from heatpool_chassis.victoria import StoreError, Victoria, VictoriaUrls
from heatpool_contract.manifest import Provenance
from heatpool_trainer import export, gate
from heatpool_trainer.catalogue import load_catalogue
from heatpool_trainer.plan import Candidate, TooLittle, TrainingPlan
from heatpool_trainer.rebuild import rebuild
from heatpool_trainer.spool import Spool

TRAINER_VERSION: Final = "heatpool-trainer-0.1.0"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to train."""

    model: str
    victoria_read_url: str
    start_ms: int
    end_ms: int
    installations_min: int
    samples_min: int
    predecessor_homes: int = 0
    """Homes in the release that this one would replace."""
    catalogue: str | None = None
    erasing: frozenset[str] = frozenset()
    """Homes that have asked for erasure, while the store may still show them."""


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    outcome: Literal["released", "refused", "too_small", "failed"]
    """`released`: it may be."""
    reasons: tuple[str, ...] = ()
    payload: bytes = b""
    engine: str = ""
    state: Literal["learning", "released"] = "learning"
    installations: int = 0
    samples: int = 0
    provenance: Provenance | None = None
    figures: dict[str, float] = {}


def train(job: bytes) -> bytes:
    """Entry of the child process: a `Job` as JSON in, a `Trained` as msgpack out."""
    return msgspec.msgpack.encode(asyncio.run(_train(msgspec.json.decode(job, type=Job))))


async def _train(job: Job) -> Trained:
    with TemporaryDirectory(prefix="heatpool-training-") as folder:
        spool = Spool(Path(folder))
        url = job.victoria_read_url
        samples = 0
        try:
            async with Victoria(VictoriaUrls(url, url, url)) as store:
                for home in await export.homes(store, job.model, job.start_ms, job.end_ms):
                    if home.installation in job.erasing:
                        continue
                    samples += spool.add(
                        await export.readings(
                            store, job.model, home.installation, job.start_ms, job.end_ms
                        )
                    )
        except StoreError as error:
            return Trained(outcome="failed", reasons=(type(error).__name__,))
        if len(spool) < job.installations_min or samples < job.samples_min:
            return Trained(outcome="too_small", installations=len(spool), samples=samples)
        catalogue = load_catalogue(Path(job.catalogue) if job.catalogue else None)
        found = rebuild(spool, TrainingPlan(model=job.model), catalogue)
        if isinstance(found, TooLittle):
            return Trained(
                outcome="too_small",
                reasons=(found.reason,),
                installations=len(spool),
                samples=samples,
            )
        return _judged(found, job, samples)


def _judged(candidate: Candidate, job: Job, samples: int) -> Trained:
    policy = gate.Policy(installations_min=job.installations_min, samples_min=job.samples_min)
    verdict = gate.judge(candidate, samples, policy, job.predecessor_homes)
    trained = Trained(
        outcome="released",
        payload=candidate.payload,
        engine=candidate.detector.engine,
        state=candidate.detector.state,
        installations=len(candidate.report.homes),
        samples=samples,
        provenance=Provenance(
            window_start_s=candidate.detector.trained_from_ms // 1000,
            window_end_s=candidate.detector.trained_to_ms // 1000,
            trainer=TRAINER_VERSION,
            gate=verdict.figures,
        ),
        figures={figure.name: figure.value for figure in verdict.figures},
    )
    if isinstance(verdict, gate.Refused):
        return msgspec.structs.replace(
            trained, outcome="refused", reasons=verdict.reasons, payload=b""
        )
    return trained
