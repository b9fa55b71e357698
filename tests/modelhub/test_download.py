"""`GET` and `HEAD /api/v1/model/download` over real HTTP: the same bytes, conditions, ranges."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, MODEL_NAME, contributor

from heatpool_contract.grants import open_grant
from heatpool_contract.release import SERVED_S_MIN, object_name
from heatpool_contract.sealed import Expected, open_payload, verify
from heatpool_contract.subjects import OBJECTS_MODELS

if TYPE_CHECKING:
    from simulators.running_hub import RunningHub

URL = "/api/v1/model/download"


@pytest.fixture
async def sealed(hub: RunningHub) -> pub.Release:
    """A release that is served, and two homes that may have it."""
    await hub.enter(pub.HOME, contributor(x25519=pub.box_public("home"), ed25519=b"e" * 32))
    await hub.enter(pub.OTHER_HOME, contributor())
    release = pub.release(bytes(range(256)) * 400)
    await hub.publish(release)
    return release


async def test_all_homes_get_the_same_bytes_whose_hash_is_the_tag(
    hub: RunningHub, sealed: pub.Release
) -> None:
    """One immutable file per release: what is announced, tagged and sent agree."""
    response = await hub.download(model=MODEL_NAME)
    other = await hub.download(pub.OTHER_HOME)

    assert response.status_code == 200
    assert response.content == other.content == sealed.blob
    headers = response.headers
    assert headers["etag"] == f'"{sha256(response.content).hexdigest()}"'
    assert headers["x-model-hash"] == sealed.model_hash
    assert headers["x-model-name"] == MODEL_NAME
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-length"] == str(len(sealed.blob))
    assert headers["accept-ranges"] == "bytes"
    assert headers["cache-control"] == "private, no-cache, no-transform"
    assert headers["content-disposition"] == 'attachment; filename="aero_slm_6_17-7.hpm"'


async def test_what_is_served_opens_with_what_is_granted(
    hub: RunningHub, sealed: pub.Release
) -> None:
    """The whole way of a careful client, with the trust file and its own key alone."""
    offer = (await hub.check(model=MODEL_NAME)).json()
    blob = (await hub.download(hash=offer["model_hash"])).content
    expected = Expected(
        model_hash=offer["model_hash"],
        model=pub.MODEL,
        engine=pub.ENGINE,
        client_version=pub.CLIENT_VERSION,
    )

    verified = verify(blob, expected, pub.TRUST, pub.NOW_S)
    grant, home = b64decode(offer["key_grant"]), pub.secret("home")
    cek = open_grant(grant, home, sealed.model_hash, pub.HOME, pub.NOW_S)

    assert open_payload(verified, cek) == bytes(range(256)) * 400


async def test_head_is_get_without_the_body(hub: RunningHub, sealed: pub.Release) -> None:
    """Also with a range, which is for `GET` alone."""
    get = await hub.download()
    head = await hub.download(method="HEAD", headers={"Range": "bytes=0-9"})

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(sealed.blob))
    assert set(head.headers) == set(get.headers)


async def test_known_tag_is_not_sent_again(hub: RunningHub, sealed: pub.Release) -> None:
    """304 with the tag, also for a list of tags, and before any range."""
    tag = f'"{sealed.model_hash}"'
    for given in (tag, f'"other", W/{tag}', "*"):
        response = await hub.download(headers={"If-None-Match": given, "Range": "bytes=0-1"})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag

    other = await hub.download(headers={"If-None-Match": '"' + "0" * 64 + '"'})
    assert other.status_code == 200


async def test_ranges_put_together_have_the_hash(hub: RunningHub, sealed: pub.Release) -> None:
    """A download that broke off goes on where it was."""
    size, parts = len(sealed.blob), []
    for start in range(0, size, 1000):
        response = await hub.download(
            headers={
                "Range": f"bytes={start}-{start + 999}",
                "If-Range": f'"{sealed.model_hash}"',
            }
        )
        stop = min(start + 1000, size)
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        parts.append(response.content)

    assert b"".join(parts) == sealed.blob


async def test_odd_ranges(hub: RunningHub, sealed: pub.Release) -> None:
    """Several ranges and nonsense get the whole; beyond the end is 416 with the size."""
    for header, status in (
        ("bytes=0-0", 206),
        ("bytes=-1", 206),
        ("bytes=0-1,5-6", 200),
        ("items=0-1", 200),
        ("bytes=5-4", 200),
        ("bytes=999999999-", 416),
        ("bytes=-0", 416),
    ):
        response = await hub.download(headers={"Range": header})

        assert response.status_code == status, header
        if status == 200:
            assert response.content == sealed.blob
        if status == 416:
            assert response.headers["content-range"] == f"bytes */{len(sealed.blob)}"
            assert response.json()["code"] == "range_not_satisfiable"


async def test_range_of_another_release_gets_the_whole(
    hub: RunningHub, sealed: pub.Release
) -> None:
    """`If-Range` with another tag means that the client has half of another file."""
    response = await hub.download(headers={"Range": "bytes=5-", "If-Range": '"other"'})

    assert response.status_code == 200
    assert response.content == sealed.blob


async def test_token_is_asked_for(hub: RunningHub, sealed: pub.Release) -> None:
    """401 without, with the scheme named; 403 with a wrong one; nothing of the file."""
    del sealed
    right = BEARER["Authorization"]
    for value, status, code in (
        (None, 401, "token_missing"),
        ("Bearer logger-token-0123456788", 403, "token_wrong"),
        (f"{right}x", 403, "token_wrong"),
        (right[:-1], 403, "token_wrong"),
        ("Bearer \xe4\xf6\xfc", 403, "token_wrong"),
    ):
        headers = {} if value is None else {b"Authorization": value.encode("latin-1")}
        response = await hub.http.get(f"{URL}?installation_id={pub.HOME}", headers=headers)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in response.headers) is (status == 401)


async def test_only_contributors_download(hub: RunningHub, sealed: pub.Release) -> None:
    """Inactive, unknown and those of another model get the same 403."""
    del sealed
    await hub.enter(pub.OTHER_HOME, contributor(days_ago=31))
    stranger = "22222222-2222-4222-8222-222222222222"

    answers = [
        await hub.download(pub.OTHER_HOME),
        await hub.download(stranger),  # type: ignore[arg-type]  # a literal id
        await hub.download(pub.HOME, model="WPF 05"),
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "no_recent_contribution"
    assert "beigetragen" in answers[0].json()["detail_de"]


async def test_contributor_without_release_gets_404(hub: RunningHub) -> None:
    """There is none yet, and the reason says so."""
    await hub.enter(pub.HOME, contributor())

    response = await hub.download()

    assert (response.status_code, response.json()["code"]) == (404, "pool_too_small")


async def test_publish_between_check_and_download(hub: RunningHub, sealed: pub.Release) -> None:
    """The pinned old release is served for a week, the unpinned request gets the new one."""
    old = hub.parts.releases.visible()[0].current
    newer = pub.release(b"newer payload", seq=8, created_s=pub.NOW_S)
    await hub.publish(newer, previous=old)

    pinned = await hub.download(hash=sealed.model_hash)
    assert (pinned.status_code, pinned.content) == (200, sealed.blob)
    assert pinned.headers["etag"] == f'"{sealed.model_hash}"'
    assert (await hub.download()).content == newer.blob

    hub.now_s = pub.NOW_S + SERVED_S_MIN - 1
    assert (await hub.download(hash=sealed.model_hash)).status_code == 200
    hub.now_s += 1
    await hub.enter(pub.HOME, contributor(days_ago=-7))
    gone = await hub.download(hash=sealed.model_hash)
    assert (gone.status_code, gone.json()["code"]) == (409, "hash_not_served")
    assert (await hub.download(hash=newer.model_hash)).content == newer.blob


async def test_lost_file_is_503_not_404(hub: RunningHub) -> None:
    """The pool's trouble is not the contributor's: try again later."""
    await hub.enter(pub.HOME, contributor())
    old = pub.release()
    await hub.publish(old)
    current = hub.parts.releases.visible()[0].current
    await hub.publish(pub.release(b"newer", seq=8), previous=current)
    store = await hub.bus.jetstream().object_store(OBJECTS_MODELS)
    await store.delete(object_name(pub.MODEL, old.model_hash))
    hub.parts.releases._files.clear()

    response = await hub.download(hash=old.model_hash)

    assert (response.status_code, response.json()["code"]) == (503, "bus_unavailable")
    assert response.headers["retry-after"] == "5"
    assert response.json()["retry_after_s"] == 5


async def test_other_spellings_and_methods_are_answered_as_ever(
    hub: RunningHub, sealed: pub.Release
) -> None:
    """The short way is for the path as it is written down; the framework has the rest."""
    slash = await hub.http.get(f"{URL}/?installation_id={pub.HOME}", headers=BEARER)
    post = await hub.http.post(f"{URL}?installation_id={pub.HOME}", headers=BEARER)
    options = await hub.http.options(URL)

    plain = await hub.download()
    assert (slash.status_code, slash.content) == (200, sealed.blob)
    assert {**slash.headers, "date": ""} == {**plain.headers, "date": ""}
    assert (post.status_code, post.json()["code"]) == (405, "method_not_allowed")
    assert options.status_code == 204
    assert set(options.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


async def test_first_of_two_headers_counts(hub: RunningHub, sealed: pub.Release) -> None:
    """As on every other route, also where the framework does not read them."""
    right = ("Authorization", BEARER["Authorization"])
    wrong = ("Authorization", "Bearer logger-token-wrong-wrong")
    path = f"{URL}?installation_id={pub.HOME}"

    for spelling in (path, path.replace("?", "/?")):
        taken = await hub.http.get(spelling, headers=[right, wrong])
        refused = await hub.http.get(spelling, headers=[wrong, right])
        assert (taken.status_code, taken.content) == (200, sealed.blob)
        assert refused.status_code == 403


async def test_downloads_are_counted_and_logged_under_their_route(
    hub: RunningHub, sealed: pub.Release
) -> None:
    """The short way goes past the framework, not past what watches it."""
    del sealed
    await hub.download()
    await hub.download(headers={"Range": "bytes=0-1"})
    await hub.http.get(URL)

    codes = ("ok", "partial", "token_missing")
    name = "heatpool_modelhub_requests_total"
    assert [hub.metric(name, route=URL, code=code) for code in codes] == [1, 1, 1]
    lines = [event for event in hub.events if event.get("route") == URL]
    assert [line["code"] for line in lines] == list(codes)
    assert {line["address"] for line in lines} == {"127.0.0.0/16"}


@pytest.mark.parametrize("path", [URL, f"{URL}/"])
async def test_bug_is_said_logged_and_counted(
    hub: RunningHub, sealed: pub.Release, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What nobody foresaw, on the short way and on the framework's: a 500 that says whose fault."""
    del sealed
    monkeypatch.setattr(hub.parts.releases, "file", None)

    response = await hub.http.get(f"{path}?installation_id={pub.HOME}", headers=BEARER)

    assert (response.status_code, response.json()["status"]) == (500, 500)
    assert response.headers["content-type"] == "application/problem+json"
    assert [event["event"] for event in hub.events].count("bug") == 1
    assert hub.metric("heatpool_modelhub_requests_total", route=URL, code="bug") == 1
