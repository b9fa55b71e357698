"""Child process: prepares large requests, one after the other, off the edge's event loop.

In: the pseudonym key, then jobs, on standard input. Out: an answer for each on standard output.
Guarantee: ends with its parent (end of input), never before it is asked to; a body is no code:
both ways are length-prefixed MessagePack. It imports neither broker nor web framework.
"""

from __future__ import annotations

import gc
import signal
import sys
from typing import BinaryIO, Final

import msgspec

from heatpool_contract.refusals import Refusal
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.preparation import Prepared, prepare

LENGTH_BYTES: Final = 8
GC_OBJECTS: Final = 50_000


class Job(msgspec.Struct, frozen=True):
    """A request; its body follows, `body_bytes` long."""

    encoding: str
    now_s: float
    body_bytes: int


class Answer(msgspec.Struct, frozen=True):
    """What became of a job: prepared, or refused."""

    prepared: Prepared | None = None
    refusal: Refusal | None = None
    detail: str | None = None
    limit: int | None = None

    def unwrapped(self) -> Prepared:
        """The request, prepared.

        Raises:
            RequestRefusedError: as `prepare` did in the child.
        """
        if self.prepared is None:
            raise RequestRefusedError(
                self.refusal or Refusal.BAD_REQUEST, detail=self.detail, limit=self.limit
            )
        return self.prepared


def answer(job: Job, body: bytes, pseudonym_key: bytes) -> Answer:
    """Do one job."""
    try:
        return Answer(prepare(body, job.encoding, job.now_s, pseudonym_key))
    except RequestRefusedError as refused:
        return Answer(refusal=refused.refusal, detail=refused.detail, limit=refused.limit)


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Do jobs until the input ends."""
    decoder = msgspec.msgpack.Decoder(Job)
    encoder = msgspec.msgpack.Encoder()
    key = _framed(source)
    while head := _framed(source):
        job = decoder.decode(head)
        reply = encoder.encode(answer(job, source.read(job.body_bytes), key))
        sink.write(len(reply).to_bytes(LENGTH_BYTES, "big"))
        sink.write(reply)
        sink.flush()


def _framed(source: BinaryIO) -> bytes:
    return source.read(int.from_bytes(source.read(LENGTH_BYTES), "big"))


def main() -> None:
    """Entry point of the child."""
    for number in (signal.SIGTERM, signal.SIGINT):  # sent to the whole group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 50)  # a job makes many objects and hardly any cycle
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
