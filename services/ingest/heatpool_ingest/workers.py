"""Preparation without blocking the event loop: small requests here, large ones in children.

In: a body. Out: `Prepared`. Guarantee: nothing that unfolds to more than `INLINE_BYTES_MAX` is
decoded on the loop; a child that dies or hangs costs its own job and is replaced; who waits on
the live lane is served before the bulk lane.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import os
import sys
from typing import TYPE_CHECKING, Final, Self

import msgspec

from heatpool_contract.refusals import Refusal
from heatpool_contract.telemetry import BODY_BYTES_MAX
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.inflate import inflated
from heatpool_ingest.preparation import prepare
from heatpool_ingest.worker import LENGTH_BYTES, Answer, Job

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from heatpool_ingest.lanes import Lane
    from heatpool_ingest.preparation import Prepared

INLINE_BYTES_MAX: Final = 384 * 1024  # decompressed; about 7 ms of the loop (make bench-edge)
JOB_S_MAX: Final = 20.0  # the largest body takes a quarter of a second
STOP_S_MAX: Final = 5.0
_SLICE_BYTES: Final = 256 * 1024
_PIPE_BYTES: Final = 8 * 1024 * 1024  # read buffer: fewer wake-ups for an answer of megabytes


class WorkerLostError(Exception):
    """The child died or hung; the same request may be repeated."""


class Workers:
    """The preparing side of one edge; use as async context manager."""

    def __init__(self, processes: int, pseudonym_key: bytes) -> None:
        self._key = pseudonym_key
        self._processes = processes
        self._idle: list[Process] = []
        self._waiting: list[tuple[int, int, asyncio.Future[Process]]] = []
        self._order = itertools.count()
        self._inline_bytes_max = INLINE_BYTES_MAX if processes else BODY_BYTES_MAX
        self._all: set[Process] = set()
        self._decoder = msgspec.msgpack.Decoder(Answer)
        self.lost = 0
        """Children that had to be replaced."""

    async def __aenter__(self) -> Self:
        for _number in range(self._processes):
            self._idle.append(await self._spawn())
        return self

    async def __aexit__(self, *_error: object) -> None:
        for child in self._all:
            if child.stdin is not None:
                child.stdin.close()
        for child in self._all:
            try:
                await asyncio.wait_for(child.wait(), STOP_S_MAX)
            except TimeoutError:
                _kill(child)
                await child.wait()

    async def prepare(self, body: bytes, encoding: str, now_s: float, lane: Lane) -> Prepared:
        """As `preparation.prepare`.

        Raises:
            RequestRefusedError: the request as a whole is not taken.
            WorkerLostError: not known; repeat.
        """
        if len(body) <= self._inline_bytes_max:
            try:
                text = inflated(body, encoding, self._inline_bytes_max)
            except RequestRefusedError as refused:
                if refused.refusal is not Refusal.BODY_TOO_LARGE or not self._processes:
                    raise
            else:
                return prepare(text, "", now_s, self._key)
        return (await self._elsewhere(body, Job(encoding, now_s, len(body)), lane)).unwrapped()

    async def _elsewhere(self, body: bytes, job: Job, lane: Lane) -> Answer:
        child = await self._free_child(lane)
        try:
            async with asyncio.timeout(JOB_S_MAX):
                reply = self._decoder.decode(await _exchange(child, body, job))
        except BaseException as error:
            # In the middle of a job the pipe cannot be used again, whoever's fault it was.
            _kill(child)
            self._all.discard(child)
            self.lost += 1
            self._hand_on(await asyncio.shield(self._spawn()))
            if isinstance(error, TimeoutError | OSError | EOFError):
                raise WorkerLostError(type(error).__name__) from error
            raise
        self._hand_on(child)
        return reply

    async def _free_child(self, lane: Lane) -> Process:
        if self._idle:
            return self._idle.pop()
        turn: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane.value, next(self._order), turn))
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._hand_on(turn.result())
            raise

    def _hand_on(self, child: Process) -> None:
        while self._waiting:
            _rank, _number, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(child)
                return
        self._idle.append(child)

    async def _spawn(self) -> Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "heatpool_ingest.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_PIPE_BYTES,
            # One arena, and large buffers given back: the child's size is its largest job's.
            env={**_inherited(), "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "262144"},
        )
        self._all.add(child)
        assert child.stdin is not None  # noqa: S101 - PIPE above; for mypy
        child.stdin.write(len(self._key).to_bytes(LENGTH_BYTES, "big") + self._key)
        return child


async def _exchange(child: Process, body: bytes, job: Job) -> bytes:
    assert child.stdin is not None  # noqa: S101 - PIPE at its start; for mypy
    assert child.stdout is not None  # noqa: S101 - as above
    head = msgspec.msgpack.encode(job)
    child.stdin.write(len(head).to_bytes(LENGTH_BYTES, "big") + head)
    view = memoryview(body)
    for start in range(0, len(body), _SLICE_BYTES):
        child.stdin.write(view[start : start + _SLICE_BYTES])
        await child.stdin.drain()
    length = await child.stdout.readexactly(LENGTH_BYTES)
    return await child.stdout.readexactly(int.from_bytes(length, "big"))


def _inherited() -> dict[str, str]:
    """The environment without the pool's secrets."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HEATPOOL_")}


def _kill(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
