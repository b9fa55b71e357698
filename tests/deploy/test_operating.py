"""`heatpoolctl status, canary, tail, doctor, provision` against a whole running pool."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from pool import submission

from heatpool_contract import release, subjects
from heatpool_contract.identity import CANARY_SLUG
from heatpool_deploy import bus_users
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client
    from pool import Pool

pytestmark = pytest.mark.pipeline
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"


def ctl(pool: Pool, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's command as an operator does."""
    return subprocess.run(
        ["heatpoolctl", *arguments],
        env={**pool.environment, "COLUMNS": "160", **changed},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_status_answers_what_an_operator_asks(operated: Pool) -> None:
    """Homes, data points, lag, services, dead letters; a dead letter is a problem, status 1."""
    deadline = time.monotonic() + 20
    while True:
        done = ctl(operated, "status", "--json")
        report = json.loads(done.stdout)
        if report["homes"]["active"] and report["flow"]["dead_letters"]:
            break
        assert time.monotonic() < deadline, done.stdout
    text = ctl(operated, "status")

    assert done.returncode == text.returncode == 1
    assert {one["service"] for one in report["alive"]} == {
        "ingest", "writer", "trainer", "modelhub",
    }  # fmt: skip
    assert all(one["ready"] for one in report["alive"])
    assert report["homes"]["by_model"] == {"aero_slm": 1}
    assert report["homes"]["samples"] >= 1
    assert report["flow"]["dead_letters"] == {"aero_slm": 1}
    assert report["flow"]["oldest_unwritten_s"] is not None
    assert report["problems"] == ["1 dead letters: `dlq list`"]
    assert "active homes, 30 days" in text.stdout
    assert "problem: 1 dead letters" in text.stdout


def test_status_names_a_service_that_is_gone(operated: Pool) -> None:
    """Nobody answers for it: that is a problem with its name."""
    operated.stop(["trainer"])
    gone = json.loads(ctl(operated, "status", "--json").stdout)["problems"]
    operated.start(["trainer"])
    back = json.loads(ctl(operated, "status", "--json").stdout)["problems"]

    assert "trainer: no process answers" in gone
    assert not any("trainer" in problem for problem in back)


def test_a_process_is_drained_by_its_id_and_no_other_is(operated: Pool) -> None:
    """It ends with status 0; an id that nobody has is an error of one line."""
    alive = json.loads(ctl(operated, "status", "--json").stdout)["alive"]
    identity = next(one["instance"] for one in alive if one["service"] == "trainer")
    done = ctl(operated, "drain", "trainer", identity)
    status = operated.processes.pop("trainer").wait(timeout=40)
    operated.start(["trainer"])
    nobody = ctl(operated, "drain", "trainer", identity)

    assert done.stdout == f"trainer {identity} is ending\n"
    assert status == 0
    assert nobody.returncode == 1
    assert "503 nobody answers" in nobody.stderr.replace("\n", " ")
    assert "Traceback" not in nobody.stderr


def test_status_names_a_hub_that_lags_behind_the_bucket(operated: Pool) -> None:
    """A pointer without its file: no hub hands it out, and `status` says so."""
    operated.on_bus(_point)
    deadline = time.monotonic() + 20
    wanted = "does not hand out the current release of ghost"
    while not any(
        wanted in problem
        for problem in json.loads(ctl(operated, "status", "--json").stdout)["problems"]
    ):
        assert time.monotonic() < deadline
    operated.on_bus(_unpoint)


async def _point(client: Client) -> None:
    served = release.ServedRelease(
        model_hash="ab" * 32, size=10, version="v1", epoch=1, seq=1, created_ms=1, expires_ms=2,
        cek_sealed=bytes(112), state="learning", installations=1, samples=1,
    )  # fmt: skip
    pointer = release.ReleasePointer(model="ghost", name="ghost", current=served)
    bucket = await client.jetstream().key_value(subjects.KV_RELEASES)
    await bucket.put("ghost", release.encode(pointer))


async def _unpoint(client: Client) -> None:
    await (await client.jetstream().key_value(subjects.KV_RELEASES)).delete("ghost")


def test_the_canary_is_timed_until_visible_and_counts_nowhere(
    operated: Pool, tmp_path: Path
) -> None:
    """Through the edge into the store; not in registry, pool statistics, status or training."""
    before = json.loads(ctl(operated, "status", "--json").stdout)["homes"]
    metrics = tmp_path / "canary.prom"
    bare = {key: text for key, text in operated.environment.items() if "CTL_NATS" not in key}
    done = subprocess.run(  # what flies all day holds no operator's seed
        ["heatpoolctl", "canary", "--json", "--metrics-file", str(metrics)],
        env=bare,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    flight = json.loads(done.stdout)
    _wait_until_acknowledged(operated)
    after = json.loads(ctl(operated, "status", "--json").stdout)["homes"]
    pool = httpx.get(f"{operated.stack.modelhub_url}/api/v1/pool/status").json()

    assert done.returncode == 0
    assert flight["outcome"] == "visible"
    assert 0 < flight["accepted_s"] < flight["visible_s"]
    assert operated.count(f'heatpump_canary{{model="{CANARY_SLUG}"}}') == 1
    text = metrics.read_text()
    assert "heatpool_canary_up 1.0" in text
    assert 'heatpool_canary_flights_total{outcome="visible"} 1.0' in text
    assert after == before
    assert pool["total_installations"] == before["known"]
    assert operated.on_bus(_news) == ["news.aero_slm"]


async def _news(client: Client) -> list[str]:
    bucket = await client.jetstream().key_value(subjects.KV_PROGRESS)
    return sorted(key for key in await bucket.keys() if key.startswith("news."))


def test_the_canary_says_why_it_did_not_arrive(operated: Pool) -> None:
    """Refused by the edge, or no edge: status 1, and the reason."""
    wrong = ctl(
        operated,
        "canary",
        HEATPOOL_CTL_TOKEN="a-token-that-nobody-knows-0123456789",
        HEATPOOL_CTL_TOKEN_FILE="",
    )
    refused = _without(operated, "HEATPOOL_CTL_TOKEN_FILE")
    refused["HEATPOOL_CTL_TOKEN"] = "a-token-that-nobody-knows-0123456789"
    told = subprocess.run(
        ["heatpoolctl", "canary"], env=refused, capture_output=True, text=True, check=False
    )
    nowhere = ctl(operated, "canary", HEATPOOL_CTL_EDGE_URL=f"http://127.0.0.1:{free_port()}")

    assert wrong.returncode == 1  # set twice: a fault of the settings
    assert told.returncode == 1
    assert told.stdout.startswith("refused: 403")
    assert nowhere.returncode == 1
    assert nowhere.stdout == "unreachable: ConnectError\n"


def test_a_canary_that_repeats_serves_its_metrics(operated: Pool) -> None:
    """`--every --port`: Prometheus finds the last flight there."""
    port = free_port()
    process = subprocess.Popen(
        ["heatpoolctl", "canary", "--every", "1", "--port", str(port)],
        env=operated.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    finally:
        process.terminate()
        process.communicate()

    assert all(line.startswith("accepted after ") for line in lines)
    assert "heatpool_canary_success_timestamp_seconds 1." in text


def test_tail_shows_a_message_as_it_is_accepted(operated: Pool) -> None:
    """One line: model, pseudonym, counts; and it consumes nothing."""
    process = subprocess.Popen(
        ["heatpoolctl", "tail", "--model", "luxtronik", "--count", "1", "--json"],
        env=operated.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    turn = 0
    while process.poll() is None:  # until it listens, nobody hears
        assert time.monotonic() < deadline
        turn += 1
        now_s = int(time.time()) - 10 * turn
        operated.post(submission(OTHER, [{"timestamp": now_s, "a": 1, "b": 2}], model="Luxtronik"))
        time.sleep(0.1)
    line = json.loads(process.communicate()[0])

    assert line["model"] == "luxtronik"
    assert (line["records"], line["samples"], line["fault"]) == (1, 2, "")
    assert OTHER not in str(line)
    assert len(line["installation"]) == 32


def test_doctor_finds_nothing_wrong_then_finds_each_fault(operated: Pool, tmp_path: Path) -> None:
    """A healthy pool passes; a stranger's seed and a dead store are named."""
    bus_users.make_users(tmp_path, secrets.token_bytes)
    healthy = ctl(operated, "doctor", "--json")
    checks = {one["check"]: one for one in json.loads(healthy.stdout)}
    seed = _without(operated, "HEATPOOL_CTL_NATS_SEED_FILE")
    seed["HEATPOOL_CTL_NATS_SEED_FILE"] = str(tmp_path / "nats_operator.nk")
    stranger = subprocess.run(
        ["heatpoolctl", "doctor"],
        env={**seed, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    dead = ctl(operated, "doctor", HEATPOOL_CTL_VICTORIA_URL=f"http://127.0.0.1:{free_port()}")

    assert healthy.returncode == 0, healthy.stdout
    assert set(checks) == {
        "nats-server", "streams", "ingest", "writer", "trainer", "modelhub", "store", "clock",
        "disk", "edge",
    }  # fmt: skip
    assert stranger.returncode == dead.returncode == 1
    assert "NATS does not know this identity" in " ".join(stranger.stdout.split())
    assert "is VictoriaMetrics up?" in dead.stdout


def test_provision_shows_what_differs_and_changes_it_only_when_asked(operated: Pool) -> None:
    """`--check` is status 1 with the difference; without it the same is done, once."""
    gib = ("--telemetry-gib", "2")
    looked = ctl(operated, "provision", "--check", *gib)
    again = ctl(operated, "provision", "--check", "--json", *gib)
    made = ctl(operated, "provision", *gib)
    quiet = ctl(operated, "provision", "--check", *gib)

    assert looked.returncode == again.returncode == 1
    assert "stream TELEMETRY" in looked.stdout
    assert json.loads(again.stdout)[0]["settings"] == [
        {"name": "max_bytes", "before": str(1024**3), "after": str(2 * 1024**3)}
    ]
    assert made.returncode == quiet.returncode == 0
    assert quiet.stdout == "nothing to do\n"


def _without(pool: Pool, key: str) -> dict[str, str]:
    return {name: text for name, text in pool.environment.items() if name != key}


def _wait_until_acknowledged(pool: Pool) -> None:
    deadline = time.monotonic() + 20
    while pool.metrics("writer").get("heatpool_writer_in_hand_samples", 1) > 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
