"""Simulated homes that post for ever and never give up on a submission.

In: where the edge is, a seed. Out: what was answered with 200. Guarantee: a home sends each record
again, unchanged, until it has been answered; its records have times of their own, so that a reader
of the store can count them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import threading
import time
import uuid
from concurrent.futures import CancelledError
from typing import Self

import httpx

from heatpool_contract import identity
from heatpool_contract.identity import InstallationId, Pseudonym

RECORDS = 20
FIELDS = ("power", "temp_flow", "temp_return")
PAUSE_S = 1.0
RETRY_S = 0.3
TIMEOUT_S = 8.0


class Home:
    """One simulated home."""

    def __init__(self, seed: int, number: int, pseudonym_key: bytes, start_s: int) -> None:
        self.random = random.Random(f"{seed}/{number}")
        name = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        self.installation = name
        self.pseudonym: Pseudonym = identity.pseudonym(InstallationId(name), pseudonym_key)
        self.start_s = start_s
        self.answered = 0
        """Submissions answered with 200."""

    def body(self) -> bytes:
        """The next submission: the same until it is answered."""
        first = self.start_s + self.answered * RECORDS
        records = [
            {"timestamp": first + i, **dict.fromkeys(FIELDS, (first + i) % 1000 / 4)}
            for i in range(RECORDS)
        ]
        submission = {
            "installation_id": self.installation,
            "heatpump_model": "AERO SLM",
            "version": "1.0.0",
            "data": records,
        }
        return gzip.compress(json.dumps(submission).encode(), 1, mtime=0)

    def stamps_ms(self) -> set[int]:
        """Times of all records that were answered."""
        count = self.answered * RECORDS
        return {(self.start_s + i) * 1000 for i in range(count)}


class Load:
    """A thread with an event loop in which homes post; use as context manager."""

    def __init__(
        self, url: str, token: str, pseudonym_key: bytes, *, homes: int, seed: int
    ) -> None:
        # A day in the past: records of many minutes fit below the clock.
        start_s = int(time.time()) - 86_400
        self.homes = [Home(seed, number, pseudonym_key, start_s) for number in range(homes)]
        self.attempts = 0
        self.duplicates = 0
        self._url = f"{url}/api/v1/submit"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._running = threading.Event()
        self._idle: set[int] = set(range(homes))

    def __enter__(self) -> Self:
        self._thread.start()
        self._posting = asyncio.run_coroutine_threadsafe(self._post_all(), self._loop)
        return self

    def __exit__(self, *_error: object) -> None:
        self._posting.cancel()
        with contextlib.suppress(CancelledError):
            self._posting.result()
        # A round of the loop for the tasks to end in.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def resume(self) -> None:
        """Let homes post."""
        self._running.set()

    def pause(self, seconds: float = 120) -> None:
        """Stop new submissions and wait until every one under way is answered."""
        self._running.clear()
        deadline = time.monotonic() + seconds
        while len(self._idle) < len(self.homes):
            if time.monotonic() > deadline:
                raise RuntimeError("the edge does not answer any more: stuck")
            time.sleep(0.05)

    @property
    def answered(self) -> int:
        """Records answered with 200."""
        return RECORDS * sum(home.answered for home in self.homes)

    async def _post_all(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client, asyncio.TaskGroup() as tasks:
            for number, home in enumerate(self.homes):
                tasks.create_task(self._post(client, number, home))

    async def _post(self, client: httpx.AsyncClient, number: int, home: Home) -> None:
        while True:
            await asyncio.sleep(home.random.uniform(0.5, 1.5) * PAUSE_S)
            if not self._running.is_set():
                continue
            self._idle.discard(number)
            body = home.body()
            while not await self._answered(client, body):  # noqa: ASYNC110 - the answer is remote
                await asyncio.sleep(home.random.uniform(0.5, 1.5) * RETRY_S)
            home.answered += 1
            self._idle.add(number)

    async def _answered(self, client: httpx.AsyncClient, body: bytes) -> bool:
        self.attempts += 1
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.post(self._url, content=body, headers=self._headers)
            if answer.status_code == 200:
                self.duplicates += answer.json()["duplicate"]
                return True
        return False
