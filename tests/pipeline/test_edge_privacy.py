"""Nobody's identity leaves the edge: logs, metrics and the bus of a run are searched for it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from pool import Pool, submission

from heatpool_deploy import keys

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pipeline
HOME = "5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"
OTHER = "7d1e0b52-2a5b-4c3d-8e6f-aabbccddeeff"
ADDRESSES = ("203.0.113.77", "2001:db8:1234:5678::77")
WRONG = "nobodys-t0ken-0123456789abcdef"
BODY_MARK = "kitchen_of_the_millers"


def test_no_uuid_token_or_address_is_in_logs_metrics_or_on_the_bus(pool: Pool) -> None:
    """Good requests, bad ones and those with wrong tokens, from named addresses."""
    now_s = int(time.time())
    good = [{"timestamp": now_s - i, "power": 1.5 * i, "note": BODY_MARK} for i in range(50)]
    bodies: list[object] = [
        submission(HOME, good),
        submission(HOME, good),
        submission(OTHER, good[:5]),
        submission(HOME.upper(), good),
        submission(HOME, [{"timestamp": now_s, f"{BODY_MARK} {HOME}": 1}]),
        {**submission(HOME, good), "data": [HOME]},
        {**submission(HOME, good), "version": HOME},
        [HOME],
    ]
    for address in ADDRESSES:
        for body in bodies:
            pool.post(body, **{"X-Forwarded-For": address})
        pool.post(bodies[0], **{"X-Forwarded-For": address, "Authorization": f"Bearer {WRONG}"})
        receipt = f"{pool.stack.ingest_url}/api/v1/receipt/{HOME}"
        headers = {"X-Forwarded-For": address, "Authorization": f"Bearer {pool.token}"}
        assert httpx.get(receipt, headers=headers).status_code == 404
    assert pool.wait_until_counted("heatpump_power", 55) == 55
    pool.stop(("ingest", "writer"))

    logs = pool.log("ingest").read_text() + pool.log("writer").read_text()
    nats = pool.log("nats").read_text()
    bus = asyncio.run(_everything_on_the_bus(pool)) if pool.is_ready("nats") else ""
    secrets = [HOME, OTHER, pool.token, WRONG, *ADDRESSES, BODY_MARK]
    secrets += [pool.stack.secret(name) for name in (keys.PSEUDONYM_KEY, keys.RECEIPT_KEY)]
    secrets += [HOME.replace("-", ""), OTHER.replace("-", "")]
    for place, text in {"logs": logs, "nats": nats, "bus": bus}.items():
        for secret in secrets:
            assert secret.lower() not in text.lower(), f"{secret} in {place}"
    assert '"address": "203.0.0.0/16"' in logs
    assert '"address": "2001:db8::/32"' in logs
    assert "telemetry.aero_slm." in bus


def test_no_log_line_has_an_address_beside_an_installation(pool: Pool) -> None:
    """The one place where both would meet is the edge's line of a request."""
    pool.post(submission(HOME, [{"timestamp": int(time.time()), "power": 1}]))
    text = "\n".join(f"{key} {value}" for key, value in pool.metrics("ingest").items())
    pool.stop(("ingest", "writer"))

    lines = [json.loads(line) for line in _json_lines(pool.log("ingest"))]
    submits = [line for line in lines if line["event"] == "submit"]
    assert submits
    assert all({"code", "address", "records", "took_ms"} <= line.keys() for line in submits)
    assert not any("installation" in line for line in submits)
    assert "installation=" not in text
    assert HOME not in text


async def _everything_on_the_bus(pool: Pool) -> str:
    """Subjects, headers and payloads of every stream, buckets included."""
    client = await pool.connect()
    js = client.jetstream(timeout=10)
    found = []
    for info in await js.streams_info():
        for seq in range(max(1, info.state.first_seq), info.state.last_seq + 1):
            message = await js.get_msg(info.config.name or "", seq)
            found.append(f"{message.subject} {message.headers} {(message.data or b'').decode()}")
    await client.close()
    return "\n".join(found)


def _json_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("{")]
