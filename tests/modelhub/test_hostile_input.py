"""No input leads to a 500, a traceback or another shape of answer than a problem document."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, OPERATOR, TOKEN, contributor

if TYPE_CHECKING:
    from simulators.running_hub import RunningHub

CHECK = "/api/v1/model/check"
DOWNLOAD = "/api/v1/model/download"
PARAMETERS = ("installation_id", "model", "current_hash", "hash", "unknown")
NASTY = [
    "",
    "\0",
    "../../etc/passwd",
    "..%2f..%2f",
    '"} or {',
    '{__name__=~".+"}',
    "a\n",
    "a\r\nX-Injected: 1",
    "x" * 10_000,
    "ü" * 100,
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "٣f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c",
    "[" * 1_000,
    "0",
    "-1",
    "1e400",
    "NaN",
    "%",
    "%zz",
    "&&&&",
    "=",
    ";",
    "$.*.>",
    "telemetry.>",
]
ID_VARIANTS = [
    pub.HOME.upper(),
    "{" + pub.HOME + "}",
    "urn:uuid:" + pub.HOME,
    pub.HOME.replace("-", ""),
    pub.HOME + "\n",
    " " + pub.HOME,
    "00000000-0000-0000-0000-000000000000",
    "3f2b8c1e-5d4a-1b6f-8a9c-0d1e2f3a4b5c",
    "3f2b8c1e-5d4a-4b6f-0a9c-0d1e2f3a4b5c",
    "3f2b8c1e5-d4a-4b6f-8a9c-0d1e2f3a4b5c",
    pub.HOME.replace("3", "\uff13", 1),
]


@pytest.mark.parametrize("path", [CHECK, DOWNLOAD])
async def test_other_spellings_of_an_id_are_refused(hub: RunningHub, path: str) -> None:
    """One installation has one identity, and the answer says which spelling it is."""
    await hub.enter(pub.HOME, contributor())

    for variant in ID_VARIANTS:
        response = await hub.http.get(f"{path}?installation_id={quote(variant)}", headers=BEARER)
        assert (response.status_code, response.json()["code"]) == (
            422,
            "installation_id_invalid",
        ), variant
    for variant in ID_VARIANTS:
        response = await hub.http.put(
            f"/api/v1/installations/{quote(variant, safe='')}/keys", headers=BEARER
        )
        assert response.status_code in {404, 422}, variant


@pytest.mark.parametrize("path", [CHECK, DOWNLOAD])
async def test_nasty_parameters(hub: RunningHub, path: str) -> None:
    """Each parameter with each nasty value: answered or refused by name, never a 500."""
    await hub.enter(pub.HOME, contributor())

    for name, value in itertools.product(PARAMETERS, NASTY):
        good = "" if name == "installation_id" else f"installation_id={pub.HOME}&"
        response = await hub.http.get(f"{path}?{good}{name}={quote(value)}", headers=BEARER)
        assert response.status_code in {200, 400, 403, 404, 422}, value
        if response.status_code >= 400:
            problem = response.json()
            assert response.headers["content-type"] == "application/problem+json"
            assert problem["status"] == response.status_code
            assert problem["code"]
            assert problem["detail_de"]
    assert not [event for event in hub.events if event["event"] == "bug"]


async def test_duplicated_parameter_is_refused(hub: RunningHub) -> None:
    """A proxy and the hub might believe different ones."""
    await hub.enter(pub.HOME, contributor())
    query = f"installation_id={pub.HOME}"

    for twice in (f"{query}&{query}", f"{query}&model=a&model=b", f"{query}&hash=&hash="):
        response = await hub.http.get(f"{CHECK}?{twice}")
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    tolerated = await hub.http.get(f"{CHECK}?{query}&utm=1&utm=2")
    assert tolerated.status_code == 200


async def test_endless_queries_are_refused(hub: RunningHub) -> None:
    """Neither many parameters nor a long query are parsed to the end."""
    for query in ("a=1&" * 100, "a=" + "b" * 3000):
        response = await hub.http.get(f"{CHECK}?{query}")
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")
        assert response.json()["limit"]


MISSING = [
    ("GET", "/index.html", 404, "not_found"),
    ("GET", "/static/%2e%2e/site.py", 404, "not_found"),
    ("POST", "/", 405, "method_not_allowed"),
    ("PUT", "/api/v1/pool/overview", 405, "method_not_allowed"),
    ("GET", "/api/v1", 404, "not_found"),
    ("GET", "/api/v1/model/check/", 422, "installation_id_invalid"),
    ("GET", "/api/v1/model/../model", 404, "not_found"),
    ("GET", "/api/v1/model/%2e%2e/%2e%2e/etc", 404, "not_found"),
    ("GET", "/%00", 404, "not_found"),
    ("GET", "/" + "a/" * 2000, 404, "not_found"),
    ("GET", "/metrics", 404, "not_found"),
    ("GET", "/schema", 404, "not_found"),
    ("GET", "/api/v1/community", 404, "not_found"),
    ("GET", f"/api/v1/installations/{pub.HOME}", 405, "method_not_allowed"),
    ("POST", CHECK, 405, "method_not_allowed"),
    ("DELETE", DOWNLOAD, 405, "method_not_allowed"),
    ("GET", f"/api/v1/installations/{pub.HOME}/keys", 405, "method_not_allowed"),
    ("PUT", "/health", 405, "method_not_allowed"),
    ("TRACE", "/health", 405, "method_not_allowed"),
    ("PATCH", "/health", 405, "method_not_allowed"),
]


async def test_paths_and_methods_that_are_not_there(hub: RunningHub) -> None:
    """Also these are problem documents; a wrong method names the right ones."""
    for method, path, status, code in MISSING:
        response = await hub.http.request(method, path)

        assert (response.status_code, response.json()["code"]) == (status, code), path
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert ("allow" in response.headers) is (status == 405)


async def test_head_and_options_are_answered(hub: RunningHub) -> None:
    """`HEAD` wherever `GET` is, without body and with the same headers; `OPTIONS` with `Allow`."""
    for path in (
        "/health",
        "/health/ready",
        "/api/v1/pool/status",
        "/api/v1/models",
        "/api/v1/status",
        f"{CHECK}?installation_id={pub.HOME}",
        CHECK,
        "/nowhere",
    ):
        get = await hub.http.get(path, headers=OPERATOR if "check" not in path else {})
        head = await hub.http.head(path, headers=OPERATOR if "check" not in path else {})
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert set(head.headers) == set(get.headers), path
    options = await hub.http.options(DOWNLOAD)
    assert options.status_code == 204
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["allow"].split(", "))


RAW_REQUESTS = [
    b"GET /api/v1/model/check?installation_id=\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v1/model/check?installation_id=\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET http://other/health HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET //health HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /health HTTP/1.0\r\n\r\n",
    b"GET /api/v1/model/download HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\xff\r\n\r\n",
    b"GET /api/v1/model/download HTTP/1.1\r\nHost: a\r\nRange: a\r\nRange: b\r\n\r\n",
    b"PUT /api/v1/installations/x/keys HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"PUT / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"nonsense\r\n\r\n",
]


async def test_requests_that_no_library_sends(hub: RunningHub) -> None:
    """Bytes on the wire: something below 500, or the connection is closed."""
    for request in RAW_REQUESTS:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(request.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1))
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert not answer or answer.split(b" ", 2)[1] < b"500", request
        assert not [event for event in hub.events if event["event"] == "bug"], request
        assert (await hub.http.get("/health")).status_code == 200


async def test_body_that_ends_too_early_is_no_error_of_ours(hub: RunningHub) -> None:
    """A logger that hangs up in the middle of its registration disturbs nobody."""
    _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(
        f"PUT /api/v1/installations/{pub.HOME}/keys HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: 500\r\n\r\n{{".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    await hub.until(lambda: any(event["event"] == "request" for event in hub.events))
    assert not [event for event in hub.events if event["event"] == "bug"]


async def test_websocket_is_refused(hub: RunningHub) -> None:
    """There is none."""
    response = await hub.http.get(
        "/api/v1/model/check",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )

    assert response.status_code in {403, 422}
