"""From raw samples in a real VictoriaMetrics to averages, ranking, export and erasure over HTTP."""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, RunningHub, contributor, name_of, settings

from heatpool_contract import erasures
from heatpool_contract.registry import DAY_MS
from heatpool_contract.subjects import KV_ERASURES
from heatpool_modelhub import rollup
from heatpool_modelhub.rights import ConsentRecord
from heatpool_modelhub.rollup import RollupJob
from heatpool_modelhub.statistics import Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.victoria import Victoria
    from heatpool_contract.identity import InstallationId

HOMES = 20
MODEL = "aero_community"


def home(number: int) -> InstallationId:
    """One of the homes."""
    return f"00000000-0000-4000-8000-{number:012d}"  # type: ignore[return-value]  # a literal id


async def fill(store: Victoria, now_ms: int) -> int:
    """Yesterday at every home: half a day of heating, a gap, standby; the day."""
    day = (now_ms - 6 * 3_600_000) // DAY_MS - 1
    stamps = [day * DAY_MS + minute * 60_000 for minute in range(1440)]
    lines = []
    for number in range(HOMES):
        cop = 3.0 + number * 0.05
        unit = 0.001 if number == 5 else 1.0  # one of them sends kW
        series = {
            "power_electric": [unit * (2000.0 if at < 720 else 12.0) for at in range(1440)],
            "power_thermal": [unit * (2000.0 * cop if at < 720 else 0.0) for at in range(1440)],
            "temp_flow": [35.0 + number * 0.1] * 1440,
        }
        for field, values in series.items():
            rows = [  # thermal power is missing for two hours of the heating
                (stamp, value)
                for at, (stamp, value) in enumerate(zip(stamps, values, strict=True))
                if not (field == "power_thermal" and 100 <= at < 220)
            ]
            labels = {"__name__": f"heatpump_{field}", "installation": name_of(home(number))}
            lines.append(
                msgspec.json.encode(
                    {
                        "metric": {**labels, "model": MODEL},
                        "values": [value for _, value in rows],
                        "timestamps": [stamp for stamp, _ in rows],
                    }
                )
            )
    await store.import_lines(lines)
    await store.force_flush()
    return day


@pytest.fixture
async def filled(
    bus: Client, life: Lifecycle, victoria: Victoria, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningHub]:
    """A hub beside a store, after its rollup in parts."""
    monkeypatch.setattr(rollup, "PART_HOMES_MAX", 5)
    hub = RunningHub(bus, life, settings(identity="prefer"), victoria)
    await hub.start()
    for number in range(HOMES):
        await hub.enter(home(number), contributor(model=MODEL))
    day = await fill(victoria, pub.NOW_S * 1000)
    job = RollupJob(bus, victoria, hub.parts.registry, Rules(15), "me", hub.log)
    other = RollupJob(bus, victoria, hub.parts.registry, Rules(15), "other", hub.log)
    assert await job.look(pub.NOW_S * 1000) == day
    assert await other.look(pub.NOW_S * 1000) is None
    await hub.until(lambda: (MODEL + ".1d.cop") in hub.parts.community._snapshots)
    yield hub
    await hub.stop()


@pytest.mark.parametrize("homes", [0, 2_500, 2_501, 10_000, 40_000, 1_000_000])
def test_each_home_is_in_one_part(homes: int) -> None:
    """However many homes there are, by the first digit of their names."""
    labels = rollup.parts(MODEL, homes)

    assert len(labels) == min(16, max(1, -(-homes // 2_500)))
    for digit in "0123456789abcdef":
        patterns = [one.partition('installation=~"')[2].rstrip('"') or ".*" for one in labels]
        assert sum(re.fullmatch(one, digit * 32) is not None for one in patterns) == 1


async def ask(hub: RunningHub, path: str, **params: str) -> httpx.Response:
    """With the loggers' token."""
    return await hub.http.get(f"/api/v1/{path}", params=params, headers=BEARER)


async def test_statistics_go_from_samples_to_answers(filled: RunningHub) -> None:
    """Averages, ranking with badge and text, suppression: each home counts once."""
    answer = (await ask(filled, "community/averages", model="AERO community", window="1d")).json()

    cop = answer["metrics"]["cop"]
    assert (cop["n"], cop["avg"], cop["min"], cop["max"]) == (20, 3.5, None, None)
    assert (cop["p25"], cop["p75"]) == (3.2, 3.7)
    # 10 of 12 hours: where heat is missing, electricity does not count either; standby never.
    assert answer["metrics"]["electric_energy"]["avg"] == 20
    assert answer["metrics"]["temp_flow"]["avg"] == 36.0
    assert "temp_dhw" in answer["suppressed"]

    best = await ask(filled, "community/ranking", installation_id=home(18), window="1d")
    assert best.status_code == 200, best.text
    assert (best.json()["cop"], best.json()["percentile"], best.json()["badge"]) == (
        3.9,
        75,
        "silver",
    )
    assert best.json()["text_de"] == "Besser als 75 % der Anlagen mit diesem Modell."

    for path, params, code in (
        ("community/averages", {"model": "other"}, "statistics_suppressed"),
        ("community/averages", {"model": MODEL, "metrics": "cop,secret"}, "metric_unknown"),
        ("community/averages", {"model": MODEL, "window": "1h"}, "window_unknown"),
        ("community/averages", {}, "model_invalid"),
        ("community/ranking", {"installation_id": pub.HOME}, "no_recent_contribution"),
    ):
        response = await ask(filled, path, **params)
        assert response.json()["code"] == code
    refused = await filled.http.get("/api/v1/community/averages", params={"model": MODEL})
    assert refused.status_code == 401


async def test_home_gets_its_own_data_and_nobody_elses(filled: RunningHub) -> None:
    """CSV and JSON lines, streamed; a home with a key must sign."""
    path = f"/api/v1/installations/{home(3)}/export"
    table = (await filled.http.get(path, headers=BEARER)).text.splitlines()
    lines = (await filled.http.get(path, params={"format": "jsonl"}, headers=BEARER)).text
    assert table[0].split(",") == [
        "timestamp",
        "model",
        "power_electric",
        "power_thermal",
        "temp_flow",
    ]
    assert len(table) == 1441
    assert lines.count("\n") == 1440
    unbound = await filled.http.send(filled.signed("GET", path, "home", home(3)))
    assert unbound.text.splitlines() == table  # signs before it has registered its key
    head = await filled.http.head(path, headers=BEARER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["cache-control"] == "no-store"

    await filled.enter(home(3), contributor(model=MODEL, ed25519=pub.signing_public("home")))
    for request, code in (
        (filled.http.build_request("GET", path, headers=BEARER), "signature_missing"),
        (filled.signed("GET", path, "thief", home(3)), "signature_foreign"),
    ):
        assert (await filled.http.send(request)).json()["code"] == code
    own = await filled.http.send(filled.signed("GET", path, "home", home(3)))
    assert own.text.splitlines() == table


async def test_erasure_is_begun_by_its_owner_alone(filled: RunningHub) -> None:
    """202 with a receipt; a stranger's request leaves no erasure behind."""
    await filled.enter(pub.HOME, contributor(ed25519=pub.signing_public("home")))
    path = f"/api/v1/installations/{pub.HOME}"
    for request, status in (
        (filled.http.build_request("DELETE", path, headers=BEARER), 401),
        (filled.signed("DELETE", path, "thief"), 403),
        (filled.http.build_request("DELETE", path), 401),
        (filled.http.build_request("GET", path, headers=BEARER), 405),
    ):
        assert (await filled.http.send(request)).status_code == status
    bucket = await filled.bus.jetstream().key_value(KV_ERASURES)
    assert (await bucket.status()).values == 0

    begun = await filled.http.send(filled.signed("DELETE", path))

    assert begun.status_code == 202
    receipt = begun.json()["receipt"]
    stored = erasures.decode((await bucket.get(receipt)).value or b"")
    assert stored.installation == name_of(pub.HOME)
    assert (await filled.http.get(f"/api/v1/erasures/{receipt}")).json()["step"] == "tombstone"
    assert (await filled.http.head(f"/api/v1/erasures/{receipt}")).status_code == 200
    for wrong in ("0" * 32, "..", "x" * 32, ">"):
        answer = await filled.http.get(f"/api/v1/erasures/{wrong}")
        assert answer.status_code == 404


async def test_consent_records_are_one_chain(hub: RunningHub) -> None:
    """Ten at the same time: each names the hash of the one before, none is lost."""
    body = msgspec.json.encode(
        {
            "installation_id": pub.HOME,
            "event": "granted",
            "purposes": ["telemetry", "training"],
            "text_version": "2026-11",
            "text_sha256": "ab" * 32,
            "locale": "de",
            "client_version": "1.0.0",
            "client_time": float(pub.NOW_S),
        }
    )
    requests = [hub.signed("POST", "/api/v1/consent", body=body) for _ in range(10)]
    await hub.enter(pub.HOME, contributor(ed25519=pub.signing_public("home")))

    answers = await asyncio.gather(*(hub.http.send(request) for request in requests))

    assert {answer.status_code for answer in answers} == {201}
    previous = "0" * 64
    for seq in range(1, 11):
        message = await hub.bus.jetstream().get_msg("CONSENT", seq)
        record = msgspec.json.decode(message.data or b"", type=ConsentRecord)
        assert record.previous == previous
        assert pub.HOME.encode() not in (message.data or b"")
        assert set(record.signature) == {"hp-key", "hp-time", "hp-nonce", "hp-signature"}
        previous = sha256(message.data or b"").hexdigest()
    bad = await hub.http.post("/api/v1/consent", content=b"{}", headers=BEARER)
    assert (bad.status_code, bad.json()["code"]) == (422, "consent_invalid")
