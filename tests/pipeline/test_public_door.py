"""The Caddyfile that operators get, on Debian's Caddy, in front of a running edge and hub."""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
import warnings
from typing import TYPE_CHECKING

import httpx
import msgspec
import psutil
import pytest
from conftest import TEST_SIZES
from pool import Pool, submission
from simulators.caddy import Caddy

from heatpool_contract.answers import problem
from heatpool_contract.refusals import Refusal
from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = "6a0c1c1e-8f8e-4f0a-9d5e-0123456789ab"
FOREIGN = "203.0.113.9"
MIB = 1024**2

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Servers, edge, writer and hub."""
    running = Pool(tmp_path_factory.mktemp("door") / "pool", sizes=TEST_SIZES)
    try:
        running.start(("nats", "victoria", "ingest", "modelhub"))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def caddy(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    """The door; the first of its two edges is down."""
    edge, hub = (
        url.removeprefix("http://") for url in (pool.stack.ingest_url, pool.stack.modelhub_url)
    )
    door = Caddy(
        tmp_path_factory.mktemp("caddy"), edges=f"127.0.0.1:{free_port()} {edge}", hubs=hub
    )
    door.start()
    yield door
    door.stop()


@pytest.fixture
def client(caddy: Caddy) -> Iterator[httpx.Client]:
    """A logger outside: trusts the door's authority, follows nothing."""
    with httpx.Client(base_url=caddy.url, verify=caddy.trusting(), timeout=30) as one:
        yield one


def _submit(client: httpx.Client, pool: Pool, **headers: str) -> httpx.Response:
    records: list[dict[str, object]] = [{"timestamp": time.time(), "temp_flow": 35.0}]
    return client.post(
        "/api/v1/submit",
        json=submission(HOME, records),
        headers={"Authorization": f"Bearer {pool.token}", **headers},
    )


def test_submissions_reach_the_edge_though_one_is_down(client: httpx.Client, pool: Pool) -> None:
    """The door tries the next edge; the answer is the edge's own."""
    for _ in range(4):
        answer = _submit(client, pool)

        assert answer.status_code == 200
        assert answer.json()["processed"] == 1
        assert "server" not in answer.headers
        assert answer.headers["strict-transport-security"]


def test_everything_else_reaches_the_hub(client: httpx.Client) -> None:
    """Pool status and health are the hub's."""
    assert client.get("/api/v1/pool/status").json()["total_installations"] >= 0
    assert client.get("/health").json()["service"] == "modelhub"


def test_the_public_page_comes_through_the_door(client: httpx.Client) -> None:
    """Page, what it names, its figures: with the headers of the hub and of the door."""
    page = client.get("/")
    assets = re.findall(r'"(/static/[^"]+)"', page.text)

    assert len(assets) == 6
    for path in ("/", *assets, "/api/v1/pool/overview", "/api/v1/badge/homes.svg"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        tag = answer.headers["etag"]
        assert client.get(path, headers={"if-none-match": tag}).status_code == 304
        assert client.head(path).status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_what_operators_read_is_not_public(client: httpx.Client, path: str) -> None:
    """The door has no such page, whatever the services behind it answer."""
    assert client.get(path).status_code == 404


def test_a_body_over_the_limit_is_refused(client: httpx.Client, pool: Pool) -> None:
    """17 MiB for the edge, 70 KiB for the hub, at once and with the edge's own code."""
    token = {"Authorization": f"Bearer {pool.token}"}
    large = client.post("/api/v1/submit", content=bytes(17 * MIB), headers=token)
    key = client.put(f"/api/v1/installations/{HOME}/keys", content=bytes(70 * 1024), headers=token)

    assert large.status_code == 413
    assert large.content == msgspec.json.encode(problem(Refusal.BODY_TOO_LARGE, limit=16 * MIB))
    assert key.status_code == 413


def test_http_in_clear_is_refused_and_not_redirected(caddy: Caddy) -> None:
    """A logger that is told `http://` must fail, not send its token once in clear."""
    answer = httpx.get(f"http://localhost:{caddy.port}/api/v1/pool/status")

    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_one_port_is_open(caddy: Caddy) -> None:
    """No port for redirects, none for administration."""
    assert caddy.process is not None
    listening = {
        connection.laddr.port
        for connection in psutil.Process(caddy.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {caddy.port}


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
def test_tls_is_spoken_from_1_2(caddy: Caddy, version: ssl.TLSVersion, *, accepted: bool) -> None:
    """Older versions end in the handshake, also for a client that would take them."""
    context = caddy.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("localhost", caddy.port), timeout=5) as plain:
        if accepted:
            context.wrap_socket(plain, server_hostname="localhost").close()
            return
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            context.wrap_socket(plain, server_hostname="localhost")


def test_an_address_that_a_client_claims_is_not_believed(client: httpx.Client, pool: Pool) -> None:
    """The edge sees the address of the connection, else quotas by address would be in vain."""
    assert _submit(client, pool, **{"X-Forwarded-For": FOREIGN}).status_code == 200

    log = pool.log("ingest").read_text()
    assert "127.0.0.0/16" in log
    assert "203.0" not in log


def test_the_access_log_links_nobody(caddy: Caddy, client: httpx.Client, pool: Pool) -> None:
    """Masked address, no id, no token, no query, no receipt; status and duration are there."""
    receipt = _submit(client, pool).json()["receipt"]
    client.get(f"/api/v1/receipt/{receipt}", headers={"Authorization": f"Bearer {pool.token}"})
    client.get("/api/v1/model/check", params={"installation_id": HOME, "model": "AERO SLM"})
    client.delete(f"/api/v1/installations/{HOME}")

    text = caddy.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if '"http.log.access' in line]
    assert {line["request"]["uri"] for line in lines} >= {
        "/api/v1/model/check/-",
        "/api/v1/-",
    }
    assert {line["request"]["remote_ip"] for line in lines} == {"127.0.0.0"}
    assert all(line["status"] and line["duration"] >= 0 for line in lines)
    for secret in (HOME, receipt, pool.token, FOREIGN, "127.0.0.1:4", "AERO"):
        assert secret not in text
