"""What the public and operators see of the pool, over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, MODEL_NAME, OPERATOR, contributor

from heatpool_contract.answers import ModelsAnswer, PoolStatus, StatusAnswer

if TYPE_CHECKING:
    from simulators.running_hub import RunningHub


async def status(hub: RunningHub) -> PoolStatus:
    """The public figures."""
    response = await hub.http.get("/api/v1/pool/status")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=60"
    return msgspec.json.decode(response.content, type=PoolStatus)


async def test_pool_grows_from_cold_start_to_models(hub: RunningHub) -> None:
    """Each stage has its text in two languages; nobody needs a token to see it."""
    cold = await status(hub)
    assert (cold.total_installations, cold.total_data_points) == (0, 0)
    assert not cold.data_sufficient
    assert "0 of 5 installations, 0 of 10000 data points" in cold.message
    assert "im Aufbau: 0 von 5" in cold.message_de
    assert cold.timestamp == pub.NOW_S

    for number in range(5):
        home = f"00000000-0000-4000-8000-00000000000{number}"
        await hub.enter(home, contributor(samples=2_000))  # type: ignore[arg-type]  # a literal id
    enough = await status(hub)
    assert (enough.total_installations, enough.total_data_points) == (5, 10_000)
    assert enough.data_sufficient
    assert enough.models_available == []
    assert "vorbereitet" in enough.message_de

    await hub.publish(pub.release())
    released = await status(hub)
    assert released.models_available == [MODEL_NAME]
    assert "1 heat-pump model(s)" in released.message


async def test_pool_counts_neither_erased_nor_merely_registered_homes(hub: RunningHub) -> None:
    """A registered key is no contribution."""
    await hub.enter(pub.HOME, contributor(erased=True))
    await hub.enter(pub.OTHER_HOME, contributor(samples=0, x25519=b"x" * 32))

    assert (await status(hub)).total_installations == 0


async def test_operators_see_releases_and_figures(hub: RunningHub) -> None:
    """Beside the figures, what is pending and which dependency is usable."""
    await hub.enter(pub.HOME, contributor())
    await hub.enter(pub.OTHER_HOME, contributor(model="wpf_05", samples=7))
    sealed = pub.release()
    await hub.publish(sealed)

    models = await hub.http.get("/api/v1/models", headers=OPERATOR)
    figures = await hub.http.get("/api/v1/status", headers=OPERATOR)

    (one,) = msgspec.json.decode(models.content, type=ModelsAnswer).models
    assert (one.name, one.model_hash, one.seq) == (MODEL_NAME, sealed.model_hash, 7)
    assert one.previous_hash is None
    found = msgspec.json.decode(figures.content, type=StatusAnswer)
    assert (found.registered, found.installations, found.samples) == (2, 2, 1_447)
    assert [(pool.model, pool.samples, pool.version) for pool in found.models] == [
        (pub.MODEL, 1_440, "v2026.11"),
        ("wpf_05", 7, None),
    ]
    assert found.releases_pending == 0
    assert found.cache_bytes == len(sealed.blob)
    assert found.checks["INSTALLATIONS"]
    assert models.headers["cache-control"] == figures.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/status"])
async def test_operators_routes_are_closed_to_loggers(hub: RunningHub, path: str) -> None:
    """401 without a token, 403 with a logger's."""
    assert (await hub.http.get(path)).status_code == 401
    assert (await hub.http.get(path, headers=BEARER)).status_code == 403


async def test_health_tells_readiness_by_dependency(hub: RunningHub) -> None:
    """Ready while what it serves from is whole; NATS may be away; alive in any case."""
    ready = await hub.http.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "healthy")
    assert set(ready.json()["checks"]) == {
        "started",
        "nats",
        "INSTALLATIONS",
        "RELEASES",
        "TRUST",
        "COMMUNITY",
    }

    hub.life.set_check("nats", ok=False)
    assert (await hub.http.get("/health/ready")).status_code == 200

    hub.life.set_check("RELEASES", ok=False)
    assert (await hub.http.get("/health/ready")).status_code == 503
    assert (await hub.http.get("/health")).status_code == 200
