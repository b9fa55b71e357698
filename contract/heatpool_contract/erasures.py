"""The erasure of one installation: the value in KV `ERASURES`, key = the receipt of the request.

In: a request (from the hub or an operator), what each step found. Out: the next step and when.
Guarantee: a step is only left after its success was recorded, so a kill repeats at most one step,
and each can be repeated; the last one takes the installation's name out of the entry.

1 tombstone   the registry says `erased`: the edge answers 410, writers drop what still comes
2 stream      its messages and dead letters are overwritten, after every writer knows
3 series      its series are deleted in the store
4 registry    its entry is reduced to the tombstone, public keys included
5 visible     an export shows nothing; else 3 again (a store deletes only what it has flushed)
6 repeat      2 and 3 again when nothing can be replayed any more
7 merge       the touched months are merged, which takes the samples off the disk
8 proof       stream, export and registry show nothing; else 6 again
9 ledger      the counts stay, the name goes
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

MONTHS_MAX: Final = 14  # of the store: 334 days touch 12 or 13


class Step(IntEnum):
    """What is to be done next."""

    TOMBSTONE = 1
    STREAM = 2
    SERIES = 3
    REGISTRY = 4
    VISIBLE = 5
    REPEAT = 6
    MERGE = 7
    PROOF = 8
    LEDGER = 9
    DONE = 10


class Erasure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One erasure on its way."""

    step: Step = Step.TOMBSTONE
    installation: str = ""
    """Pseudonym; empty once done."""
    requested_ms: int
    not_before_ms: int = 0
    """The step waits until then."""
    months: tuple[str, ...] = ()
    """Partitions of the store that its samples touched, `YYYY_MM`."""
    messages: int = 0
    """Deleted from the stream, dead letters included."""
    samples: int = 0
    """The registry knew of."""
    repeats: int = 0
    """Times that a proof failed."""
    finished_ms: int = 0
    rows_left: int = 0
    """What the last proof found; 0 in every finished erasure."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a step found or did."""

    months: tuple[str, ...] = ()
    messages: int = 0
    samples: int = 0
    rows_left: int = 0


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before a step."""

    settle_ms: int = 60_000
    """After the tombstone: until every writer has looked (5 s) and has let go of what it held."""
    visible_ms: int = 15_000
    """After a deletion: until the store has flushed, and a query would show what survived."""
    horizon_ms: int = 73 * 3_600_000
    """After the request: the stream's 72 h, after which no message can be redelivered."""


class MalformedErasureError(Exception):
    """A value in the bucket that is no `Erasure`."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Erasure)
_AFTER: Final = {
    Step.TOMBSTONE: Step.STREAM,
    Step.STREAM: Step.SERIES,
    Step.SERIES: Step.REGISTRY,
    Step.REGISTRY: Step.VISIBLE,
    Step.VISIBLE: Step.REPEAT,
    Step.REPEAT: Step.MERGE,
    Step.MERGE: Step.PROOF,
    Step.PROOF: Step.LEDGER,
    Step.LEDGER: Step.DONE,
}
_BACK: Final = {Step.VISIBLE: Step.SERIES, Step.PROOF: Step.REPEAT}


def encode(erasure: Erasure) -> bytes:
    """An erasure to the value in the bucket."""
    return _encoder.encode(erasure)


def decode(value: bytes) -> Erasure:
    """The value in the bucket to an erasure.

    Raises:
        MalformedErasureError: it is none.
    """
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise MalformedErasureError(str(error)) from error


def advance(erasure: Erasure, found: Found, now_ms: int, waits: Waits) -> Erasure:
    """The erasure after its step has succeeded."""
    failed = found.rows_left > 0 and erasure.step in _BACK
    step = _BACK[erasure.step] if failed else _AFTER[erasure.step]
    wait_ms = {
        Step.STREAM: waits.settle_ms,
        Step.VISIBLE: waits.visible_ms,
        Step.MERGE: waits.visible_ms,  # the store deletes what it has flushed
        Step.REPEAT: max(0, erasure.requested_ms + waits.horizon_ms - now_ms),
    }.get(step, 0)
    return msgspec.structs.replace(
        erasure,
        step=step,
        installation="" if step is Step.DONE else erasure.installation,
        not_before_ms=now_ms + wait_ms if wait_ms else 0,
        months=tuple(sorted({*erasure.months, *found.months}))[-MONTHS_MAX:],
        messages=erasure.messages + found.messages,
        samples=max(erasure.samples, found.samples),
        repeats=erasure.repeats + failed,
        rows_left=found.rows_left,
        finished_ms=now_ms if step is Step.DONE else 0,
    )
