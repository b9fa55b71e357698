"""Recordings on their way to the pool: batches, gzip, retries.

In: recordings, the pool's URL, a token. Out: `POST /api/v1/submit` requests, counts. Guarantee: a
home's batches are sent in order of time and within the contract's limits; a batch that is refused
for good ends the run; nothing is dropped uncounted.

httpx and not the client's library: the fleet also plays loggers that never heard of it.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from heatpool_contract.telemetry import BODY_BYTES_MAX, RECORDS_PER_REQUEST_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from heatpool_fleet.recording import Recording

SUBMIT_PATH: Final = "/api/v1/submit"
BATCH_RECORDS: Final = 1_440  # a day of minutes, as loggers do
ATTEMPTS_MAX: Final = 12  # with the longest pause: 6 minutes of a pool that is down
RETRY_AFTER_S_MAX: Final = 30.0
RETRY_FIRST_S: Final = 0.5
TIMEOUT_S: Final = 60.0
CONCURRENCY_MAX: Final = 64
GZIP_LEVEL: Final = 3  # telemetry shrinks sixfold; higher levels cost more than they save
_GZIP_WINDOW: Final = 31  # zlib's way to ask for a gzip header
_RETRIED: Final = frozenset({429, 503})


class Target(msgspec.Struct, frozen=True):
    """Where to post, and how."""

    url: str
    token: str
    batch_records: int = BATCH_RECORDS
    concurrency: int = 4


class Counts(msgspec.Struct, frozen=True):
    """What was posted. All counts are of requests that were answered with 200."""

    requests: int = 0
    records: int = 0
    samples: int = 0
    processed: int = 0
    """Records the pool says it took."""
    rejected: int = 0
    """Records the pool says it refused."""
    duplicates: int = 0
    """Requests the pool had already."""
    retries: int = 0
    """Answers 429 and 503, and connections that failed, before success."""
    bytes_sent: int = 0
    """Compressed bodies."""

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Counts(*(a + b for a, b in zip(mine, theirs, strict=True)))


class Answer(msgspec.Struct, frozen=True):
    """The part of the pool's answer that is counted."""

    processed: int = 0
    rejected: int = 0
    duplicate: bool = False


class PostingError(Exception):
    """The pool refused a batch for good, or stayed away too long."""

    code = "posting"


def bodies(recording: Recording, batch_records: int) -> Iterable[tuple[int, bytes]]:
    """(records, JSON body) of each request of a recording, in order of time.

    Raises:
        ValueError: the batch is larger than the contract allows.
    """
    if not 1 <= batch_records <= RECORDS_PER_REQUEST_MAX:
        raise ValueError(f"a batch holds 1 to {RECORDS_PER_REQUEST_MAX} records")
    encoder = msgspec.json.Encoder()
    head = {
        "installation_id": recording.home.installation_id,
        "heatpump_model": recording.home.model,
        "version": recording.home.version,
    }
    for begin in range(0, recording.timestamps_s.size, batch_records):
        data = list(recording.records(begin, begin + batch_records))
        body = encoder.encode({**head, "data": data})
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"{batch_records} records make {len(body)} bytes; take fewer")
        yield len(data), body


async def post(
    recordings: Iterable[Recording], target: Target, progress: Callable[[Counts], None]
) -> Counts:
    """Post all recordings; homes run side by side, each home's batches one after the other.

    Args:
        recordings: taken one by one, so a generator that simulates on demand keeps memory small.
        target: where to.
        progress: called after each request with its own counts.

    Raises:
        PostingError: a batch was refused, or not taken after `ATTEMPTS_MAX` attempts.
    """
    if not 1 <= target.concurrency <= CONCURRENCY_MAX:
        raise ValueError(f"concurrency must be 1 to {CONCURRENCY_MAX}")
    total = Counts()
    source = iter(recordings)
    headers = {
        "Authorization": f"Bearer {target.token}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    limits = httpx.Limits(max_connections=target.concurrency)
    simulating = asyncio.Lock()  # a generator runs in one thread at a time

    async def worker() -> None:
        nonlocal total
        while True:
            async with simulating:
                recording = await asyncio.to_thread(next, source, None)
            if recording is None:
                return
            for records, body in bodies(recording, target.batch_records):
                count = await _post_one(client, target.url, body)
                count += Counts(records=records, samples=records * len(recording.columns))
                total += count
                progress(count)

    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S, limits=limits) as client:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(target.concurrency):
                    group.create_task(worker())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
    return total


async def _post_one(client: httpx.AsyncClient, url: str, body: bytes) -> Counts:
    packed = await asyncio.to_thread(_gzip, body)
    pause_s = RETRY_FIRST_S
    reason = ""
    for attempt in range(ATTEMPTS_MAX):
        try:
            response = await client.post(url.rstrip("/") + SUBMIT_PATH, content=packed)
        except httpx.TransportError as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            if response.status_code == httpx.codes.OK:
                answer = msgspec.json.decode(response.content, type=Answer)
                return Counts(
                    requests=1,
                    processed=answer.processed,
                    rejected=answer.rejected,
                    duplicates=int(answer.duplicate),
                    retries=attempt,
                    bytes_sent=len(packed),
                )
            reason = f"{response.status_code} {response.text[:300]}"
            if response.status_code not in _RETRIED:
                raise PostingError(f"refused: {reason}")
            pause_s = _retry_after_s(response, pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2.0 * pause_s, RETRY_AFTER_S_MAX)
    raise PostingError(f"not taken after {ATTEMPTS_MAX} attempts: {reason}")


def _retry_after_s(response: httpx.Response, otherwise_s: float) -> float:
    """The pause the pool asks for in seconds (RFC 9110 section 10.2.3), within reason."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), RETRY_AFTER_S_MAX) if text.isdecimal() else otherwise_s


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
