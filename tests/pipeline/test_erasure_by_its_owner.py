"""A home asks the hub to be forgotten, and every station of the pool forgets it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from pool import submission
from simulators.store_of_a_cluster import ClusterDoors

from heatpool_contract.dsse import public_key_of
from heatpool_contract.grants import self_id, sign_registration
from heatpool_contract.requests import NONCE_BYTES, Asked, sign_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pool import Pool

    from heatpool_contract.identity import InstallationId

pytestmark = pytest.mark.pipeline
SEED = b"\x05" * 32
HOME = self_id(public_key_of(SEED))
OTHER = "7d1e0b52-2a5b-4c3d-8e6f-aabbccddeeff"
STEPS = ["tombstone", "stream", "series", "registry", "visible", "repeat", "merge", "proof"]
SECONDS_MAX = 60


@pytest.fixture(params=["single", "cluster"])
def store(request: pytest.FixtureRequest, pool: Pool) -> Iterator[None]:
    """The store at its own URL, and at those of a cluster."""
    doors = ClusterDoors(pool.stack.state / "doors", pool.stack.victoria_url)
    if request.param == "cluster":
        doors.start()
        pool.stop(["writer"])
        pool.environment.update(doors.settings())
        pool.start(["writer"])
    yield
    pool.stop(["writer", "modelhub"])
    doors.stop()


@pytest.mark.usefixtures("store")
def test_home_that_asks_the_hub_is_forgotten_by_the_whole_pool(pool: Pool) -> None:
    """Signed DELETE, the writer's procedure to its end, 410, an empty export; once for all."""
    pool.start(("modelhub",))
    now_s = int(time.time())
    records: list[dict[str, object]] = [{"timestamp": now_s - 60 * i, "power": i} for i in range(9)]
    for home in (HOME, OTHER):
        assert pool.post(submission(home, records)).status_code == 200
    _register(pool)
    _wait(lambda: _check(pool, HOME).json()["eligible"])
    assert len(_ask(pool, "GET", "/export").text.splitlines()) == 1 + len(records)
    path = f"/api/v1/installations/{HOME}"
    hub, token = pool.stack.modelhub_url, {"Authorization": f"Bearer {pool.token}"}
    assert httpx.delete(hub + path, headers=token).json()["code"] == "signature_missing"

    begun = _ask(pool, "DELETE")
    receipt = begun.json()["receipt"]
    again = _ask(pool, "DELETE")  # the first answer was lost on its way
    _wait(lambda: pool.post(submission(HOME, records[:1])).status_code == 410)
    seen = []

    def is_done() -> bool:
        state = httpx.get(f"{hub}/api/v1/erasures/{receipt}").json()
        seen.append(state["step"])
        return bool(state["finished"])

    _wait(is_done)
    after = _ask(pool, "DELETE")

    assert (begun.status_code, again.status_code, after.status_code) == (202, 202, 202)
    assert begun.json()["receipt"] == again.json()["receipt"] == after.json()["receipt"]
    assert (seen[-1], after.json()["step"]) == ("done", "done")
    assert set(seen[:-1]) <= {*STEPS, "ledger"}
    refused = pool.post(submission(HOME, records))
    assert (refused.status_code, refused.json()["code"]) == (410, "installation_gone")
    stranger = self_id(public_key_of(b"\x06" * 32))
    assert _check(pool, HOME).content == _check(pool, stranger).content
    assert len(_ask(pool, "GET", "/export").text.splitlines()) == 1  # names of columns
    assert pool.count("heatpump_power") == len(records)  # the neighbour's


def _register(pool: Pool) -> None:
    body = msgspec.json.encode(sign_registration(HOME, SEED, public_key_of(b"\x09" * 32)))
    path = f"/api/v1/installations/{HOME}/keys"
    headers = {"Authorization": f"Bearer {pool.token}"}
    done = httpx.put(pool.stack.modelhub_url + path, content=body, headers=headers)
    assert done.status_code in (200, 201), done.text


def _ask(pool: Pool, method: str, what: str = "") -> httpx.Response:
    """A request that the home has signed."""
    path = f"/api/v1/installations/{HOME}{what}"
    asked = Asked(method=method, path=path, installation=HOME)
    signed = sign_request(asked, SEED, int(time.time()), os.urandom(NONCE_BYTES))
    headers = {"Authorization": f"Bearer {pool.token}", **signed}
    return httpx.request(method, pool.stack.modelhub_url + path, headers=headers)


def _check(pool: Pool, home: InstallationId) -> httpx.Response:
    """Signed by the home whose data were erased."""
    query = f"installation_id={home}".encode()
    asked = Asked(method="GET", path="/api/v1/model/check", query=query, installation=home)
    signed = sign_request(asked, SEED, int(time.time()), os.urandom(NONCE_BYTES))
    url = f"{pool.stack.modelhub_url}/api/v1/model/check"
    return httpx.get(url, params={"installation_id": home}, headers=signed)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
