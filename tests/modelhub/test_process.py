"""The process `heatpool-modelhub`: starts, says what is wrong, stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from simulators import publisher as pub

from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from nats.aio.client import Client

PROGRAM = str(Path(sys.executable).with_name("heatpool-modelhub"))
PREFIX = "HEATPOOL_MODELHUB_"


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
