"""A training in a process of its own, as seen from the trainer's loop.

In: a `Job`. Out: its progress as it comes, and what came of it. Guarantee: given up, the process is
gone before this returns; it is gone, too, soon after the trainer is killed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_trainer.training import FRAME_BYTES_MAX, Job, Progress, Trained, decode_message

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH_BYTES: Final = 4


class TrainingDiedError(Exception):
    """The process ended without an answer: killed, out of memory, or a fault of ours."""


async def run(job: Job, told: Callable[[Progress], None]) -> Trained:
    """Train.

    Raises:
        TrainingDiedError: no answer.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "heatpool_trainer.training",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C on a terminal is ours to pass on
    )
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:
        raise TrainingDiedError("no pipes")
    try:
        body = msgspec.msgpack.encode(job)
        sink.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        await sink.drain()  # and stays open: its end would end the child
        while True:
            head = await source.readexactly(_LENGTH_BYTES)
            size = int.from_bytes(head, "big")
            if size > FRAME_BYTES_MAX:
                raise TrainingDiedError("an answer without end")
            message = decode_message(await source.readexactly(size))
            if isinstance(message, Trained):
                return message
            told(message)
    except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
        raise TrainingDiedError(type(error).__name__) from error
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
