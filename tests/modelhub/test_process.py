"""The process `heatpool-modelhub`: starts, says what is wrong, stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
from simulators import publisher as pub
from simulators.running_hub import PSEUDONYM_KEY, contributor, name_of, pointer, served

from heatpool_contract import registry, release
from heatpool_contract.subjects import KV_INSTALLATIONS, KV_RELEASES, OBJECTS_MODELS
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from nats.aio.client import Client

PROGRAM = str(Path(sys.executable).with_name("heatpool-modelhub"))
PREFIX = "HEATPOOL_MODELHUB_"
FILE_BYTES = 8 * 1024**2
READERS = 24
OK = b"HTTP/1.1 200 OK"


def environment(nats_url: str, port: int, private_port: int) -> dict[str, str]:
    """What the process needs, and nothing of ours."""
    values = {
        "TOKENS": "a-logger-token-0123456789",
        "PSEUDONYM_KEY": "0123456789abcdef0123456789abcdef",
        "HUB_PRIVATE_KEY": b64encode(pub.secret("hub")).decode(),
        "TIMESTAMP_KEY": b64encode(pub.secret("timestamp 1")).decode(),
        "NATS_URL": nats_url,
        "PORT": str(port),
        "PRIVATE_PORT": str(private_port),
    }
    return {"PATH": os.environ["PATH"], **{PREFIX + key: text for key, text in values.items()}}


async def test_process_serves_and_stops_when_asked(bus: Client, nats_url: str) -> None:
    """Ready on both ports; SIGTERM ends it with status 0; each log line is JSON."""
    del bus  # provisioned
    port, private_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        env=environment(nats_url, port, private_port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(40):
            await _until_ready(http, f"http://127.0.0.1:{private_port}/health/ready", process)
            pool = await http.get(f"http://127.0.0.1:{port}/api/v1/pool/status")
            metrics = await http.get(f"http://127.0.0.1:{private_port}/metrics")
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert pool.json()["total_installations"] == 0
    assert 'heatpool_modelhub_requests_total{code="ok",route="/api/v1/pool/status"}' in metrics.text
    assert (process.returncode, errors) == (0, b"")
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert events == ["starting", "listening", "request", "stopped"]
    assert b"a-logger-token" not in output


async def test_attack_69_readers_that_do_not_read(bus: Client, nats_url: str) -> None:
    """Who asks for a file and takes none of it costs the hub no copy of it."""
    await _publish(bus)
    port, private_port = free_port(), free_port()
    names = environment(nats_url, port, private_port)
    names |= {f"{PREFIX}PSEUDONYM_KEY": PSEUDONYM_KEY, f"{PREFIX}HOST_PER_S": "1000"}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, env=names, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}/api/v1/model/download?installation_id={pub.HOME}"
    token = {"Authorization": "Bearer a-logger-token-0123456789"}
    try:
        async with httpx.AsyncClient(headers=token) as http, asyncio.timeout(40):
            await _until_ready(http, f"http://127.0.0.1:{private_port}/health/ready", process)
            whole = (await http.get(url)).content
            before = psutil.Process(process.pid).memory_info().rss
            with contextlib.ExitStack() as readers:
                for _ in range(READERS):
                    await _begin_reading(readers, port)
                grown = psutil.Process(process.pid).memory_info().rss - before
                meanwhile = (await http.get(url)).content
    finally:
        process.kill()
        await process.wait()

    assert len(whole) > FILE_BYTES
    assert grown < READERS * FILE_BYTES / 8
    assert meanwhile == whole


async def _publish(bus: Client) -> None:
    """A large release, and one home that may have it, today."""
    now_s = int(time.time())
    day = now_s // pub.DAY_S
    homes = await bus.jetstream().key_value(KV_INSTALLATIONS)
    entry = contributor(day_last=day, last_ms=day * pub.DAY_S * 1000)
    await homes.put(name_of(pub.HOME), registry.encode(entry))
    payload = random.Random(1).randbytes(FILE_BYTES)
    sealed = pub.release(payload, created_s=now_s, expires_s=now_s + pub.DAY_S)
    files = await bus.jetstream().object_store(OBJECTS_MODELS)
    await files.put(release.object_name(pub.MODEL, sealed.model_hash), sealed.blob)
    pointers = await bus.jetstream().key_value(KV_RELEASES)
    await pointers.put(pub.MODEL, release.encode(pointer(served(sealed))))


async def _begin_reading(readers: contextlib.ExitStack, port: int) -> None:
    """Ask for the file and take the first bytes of the answer."""
    reader = readers.enter_context(socket.socket())
    reader.setblocking(False)  # noqa: FBT003 - the only way to say it
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", port))
    request = (
        f"GET /api/v1/model/download?installation_id={pub.HOME} HTTP/1.1\r\n"
        "Host: hub\r\nAuthorization: Bearer a-logger-token-0123456789\r\n\r\n"
    )
    await loop.sock_sendall(reader, request.encode())
    assert await loop.sock_recv(reader, len(OK)) == OK


async def _until_ready(
    http: httpx.AsyncClient, url: str, process: asyncio.subprocess.Process
) -> None:
    while True:
        try:
            if (await http.get(url)).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.returncode is None
        await asyncio.sleep(0.05)


async def test_process_lists_all_faults_of_its_environment() -> None:
    """One start is enough to find them."""
    good = environment("nats://nowhere", 1, 2)
    bad = {**good, PREFIX + "TIMESTAMP_KEY": "short", PREFIX + "TYPO": "x"}
    del bad[PREFIX + "TOKENS"]

    process = await asyncio.create_subprocess_exec(
        PROGRAM, env=bad, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()

    assert process.returncode == 1
    assert output == b""
    for name in ("TOKENS", "TIMESTAMP_KEY", "TYPO"):
        assert PREFIX + name in errors.decode()
