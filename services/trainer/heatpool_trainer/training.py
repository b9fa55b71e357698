"""One training, from export to verdict; a process of its own.

In: a `Job` on standard input, the data in VictoriaMetrics. Out: `Progress` and at last `Trained` on
standard output, as frames. Guarantee: nothing that stays is written but the day store, which may
be lost at any time: killed at any point, nothing has happened. The process ends with whoever
started it, because its standard input ends then.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import msgspec

from heatpool_contract.detector import Detector, decode
from heatpool_contract.detector_checks import MalformedDetector
from heatpool_contract.manifest import GateFigure, Provenance
from heatpool_trainer import gate, gathering
from heatpool_trainer.catalogue import load_catalogue
from heatpool_trainer.crew import Crew
from heatpool_trainer.day_store import DayStore
from heatpool_trainer.examination import examine
from heatpool_trainer.export import Window
from heatpool_trainer.gathering import Errand, StoreFailedError
from heatpool_trainer.plan import Candidate, TooLittle, TrainingPlan
from heatpool_trainer.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

TRAINER_VERSION: Final = "heatpool-trainer-0.1.0"
FRAME_BYTES_MAX: Final = (
    64 * 1024 * 1024
)  # a job holds the predecessor's payload, an answer the new
HOMES_PER_PROCESS_MIN: Final = 4  # fewer are done before a helper is there
TELL_S: Final = 0.5
_LENGTH_BYTES: Final = 4


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to train."""

    model: str
    victoria_read_url: str
    window: Window
    homes: tuple[str, ...]
    installations_min: int
    samples_min: int
    folder: str
    """For files of this training; deleted before and after it."""
    days: str | None = None
    """Folder of the day store."""
    days_bytes_max: int = 0
    processes: int = 1
    predecessor_homes: int = 0
    """Homes in the release that this one would replace."""
    predecessor: bytes = b""
    """Its payload, if it can be had."""
    accepted: tuple[str, ...] = ()
    """Reasons of the gate that an operator accepts."""
    catalogue: str | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """What the training is doing, and how much of that is done."""

    stage: str
    share: float


class Trained(msgspec.Struct, frozen=True, kw_only=True, tag="trained"):
    """What came of it."""

    outcome: Literal["released", "refused", "too_small", "failed"]
    """`released`: it may be."""
    reasons: tuple[str, ...] = ()
    payload: bytes = b""
    engine: str = ""
    state: Literal["learning", "released"] = "learning"
    installations: int = 0
    samples: int = 0
    homes_rejected: tuple[str, ...] = ()
    provenance: Provenance | None = None
    figures: tuple[GateFigure, ...] = ()
    days_kept: int = 0
    """Of all homes, taken from the day store; the others were exported."""
    days_exported: int = 0


Message = Progress | Trained
_messages: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


def main() -> None:
    """Entry of the child process."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the frames
    job = msgspec.msgpack.decode(read_frame(source), type=Job)
    watched = (source.fileno(),)
    threading.Thread(target=_end_with, args=watched, daemon=True, name="watch-input").start()
    told_s = [0.0]

    def tell(stage: str, share: float) -> None:
        now_s = time.monotonic()
        if share in {0.0, 1.0} or now_s - told_s[0] >= TELL_S:
            told_s[0] = now_s
            write_frame(sink, msgspec.msgpack.encode(Progress(stage, share)))

    write_frame(sink, msgspec.msgpack.encode(train(job, tell)))


def train(job: Job, tell: Callable[[str, float], None]) -> Trained:
    """The whole training."""
    folder = Path(job.folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    processes = max(1, min(job.processes, len(job.homes) // HOMES_PER_PROCESS_MIN))
    try:
        return _train(job, folder, Crew(processes, tell, folder))
    except StoreFailedError as error:
        return Trained(outcome="failed", reasons=(str(error),))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if job.days is not None:
            DayStore(Path(job.days)).trim(job.days_bytes_max)


def _train(job: Job, folder: Path, crew: Crew) -> Trained:
    errand = Errand(
        model=job.model,
        window=job.window,
        victoria_read_url=job.victoria_read_url,
        folder=str(folder),
        days=job.days,
    )
    gathered = list(gathering.gather(errand, job.homes, crew))
    homes = [one.stored for one in gathered if one.stored is not None]
    common = Trained(
        outcome="too_small",
        installations=len(homes),
        samples=sum(one.samples for one in gathered),
        days_kept=sum(one.days_kept for one in gathered),
        days_exported=sum(one.days_exported for one in gathered),
    )
    if len(homes) < job.installations_min or common.samples < job.samples_min:
        return common
    catalogue = load_catalogue(Path(job.catalogue) if job.catalogue else None)
    found = rebuild(homes, TrainingPlan(model=job.model), catalogue, crew)
    if isinstance(found, TooLittle):
        return msgspec.structs.replace(common, reasons=(found.reason,))
    examination = examine(found, homes, _predecessor(job), catalogue, crew)
    policy = gate.Policy(installations_min=job.installations_min, samples_min=job.samples_min)
    verdict = gate.judge(
        found, common.samples, policy, job.predecessor_homes, examination, job.accepted
    )
    return _told(found, verdict, common)


def _predecessor(job: Job) -> Detector | None:
    try:
        return decode(job.predecessor) if job.predecessor else None
    except MalformedDetector:
        return None  # of a trainer whose payloads we no longer read


def _told(candidate: Candidate, verdict: gate.Passed | gate.Refused, common: Trained) -> Trained:
    return msgspec.structs.replace(
        common,
        outcome="refused" if isinstance(verdict, gate.Refused) else "released",
        reasons=verdict.reasons if isinstance(verdict, gate.Refused) else (),
        payload=candidate.payload,
        engine=candidate.detector.engine,
        state=candidate.detector.state,
        installations=len(candidate.report.homes),
        homes_rejected=tuple(one.home for one in candidate.report.homes_rejected),
        provenance=Provenance(
            window_start_s=candidate.detector.trained_from_ms // 1000,
            window_end_s=candidate.detector.trained_to_ms // 1000,
            trainer=TRAINER_VERSION,
            gate=verdict.figures,
        ),
        figures=verdict.figures,
    )


def decode_message(raw: bytes) -> Message:
    """A frame of the child's output."""
    return _messages.decode(raw)


def write_frame(sink: BinaryIO, body: bytes) -> None:
    """Length and body."""
    sink.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    sink.flush()


def read_frame(source: BinaryIO) -> bytes:
    """The next body; empty at the end."""
    head = source.read(_LENGTH_BYTES)
    return source.read(int.from_bytes(head, "big"))


def _end_with(source: int) -> None:
    # The descriptor alone: a helper that is forked meanwhile must not inherit a locked file.
    while os.read(source, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
