"""The hub while NATS is away, and before it knows anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from simulators import publisher as pub
from simulators.running_hub import BEARER, MODEL_NAME, RunningHub, contributor

from heatpool_chassis import bus as chassis_bus
from heatpool_chassis.lifecycle import Lifecycle
from heatpool_contract.grants import sign_registration

if TYPE_CHECKING:
    from nats.aio.client import Client
    from servers import NatsServer


async def test_hub_answers_from_memory_while_nats_is_away(
    bus: Client, nats_server: NatsServer
) -> None:
    """Check, download and pool status go on; what must be written is 503, not lost."""
    del bus  # provisioned; the hub has a connection as in production
    life = Lifecycle("test")
    client = await chassis_bus.connect(
        life, nats_server.url, chassis_bus.Identity(), buffered=False
    )
    hub = RunningHub(client, life)
    await hub.start()
    await hub.enter(pub.HOME, contributor())
    await hub.publish(pub.release())
    nats_server.kill()
    await hub.until(lambda: not life.checks["nats"])

    check = await hub.check(model=MODEL_NAME)
    download = await hub.download()
    registration = await hub.http.put(
        f"/api/v1/installations/{pub.HOME}/keys",
        content=msgspec.json.encode(
            sign_registration(pub.HOME, pub.secret("home"), pub.box_public("home"))
        ),
        headers=BEARER,
    )
    ready = await hub.http.get("/health/ready")

    assert check.json()["eligible"]
    assert download.content == pub.release().blob
    assert (registration.status_code, registration.json()["code"]) == (503, "bus_unavailable")
    assert registration.headers["retry-after"]
    assert (ready.status_code, ready.json()["checks"]["nats"]) == (200, False)

    nats_server.start()
    await hub.until(lambda: life.checks["nats"])
    await hub.enter(pub.OTHER_HOME, contributor())
    assert (await hub.check(pub.OTHER_HOME)).json()["eligible"]
    await hub.stop()
    await client.close()


async def test_nobody_is_called_unknown_before_the_registry_was_read(
    bus: Client, life: Lifecycle
) -> None:
    """503 with Retry-After instead of "not eligible"; not ready either."""
    hub = RunningHub(bus, life)
    life.set_check("INSTALLATIONS", ok=False)
    await life.serve(hub.parts.app, "127.0.0.1", hub.port)

    for path in (
        f"/api/v1/model/check?installation_id={pub.HOME}",
        f"/api/v1/model/download?installation_id={pub.HOME}",
        "/api/v1/pool/status",
    ):
        response = await hub.http.get(path, headers=BEARER)
        assert (response.status_code, response.json()["code"]) == (503, "bus_unavailable")
        assert response.headers["retry-after"] == "5"
    assert (await hub.http.get("/health/ready")).status_code == 503
    await hub.stop()
