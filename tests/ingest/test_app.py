"""The edge over HTTP and a real nats-server: what is answered, and what is stored for it."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from edge import HOME, TOKEN, records, running_edge, submission, until

from heatpool_contract import registry, subjects
from heatpool_contract.identity import InstallationId, pseudonym
from heatpool_contract.refusals import TEXTS, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge import RunningEdge
    from servers import NatsServer

PSEUDONYM = pseudonym(InstallationId(HOME), b"p" * 32)


async def test_a_good_request_is_one_message_on_the_homes_subject(edge: RunningEdge) -> None:
    """200 with counts; the message is there, under the pseudonym."""
    answer = await edge.post(submission(records(10, 3)))

    message = await edge.js.get_last_msg("TELEMETRY", f"telemetry.aero_slm.{PSEUDONYM}")
    assert answer.status_code == 200
    assert answer.json()["processed"] == 10
    assert answer.json()["samples"] == 30
    assert json.loads(message.data or b"")["version"] == "1.0.0"
    assert await edge.messages() == 1


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
        ("", bytes),
        ("GZIP", gzip.compress),
    ],
)
async def test_encodings_give_the_same_message(edge: RunningEdge, encoding: str, pack) -> None:  # type: ignore[no-untyped-def]  # a table of functions
    """However it is packed, the same content is one message; the second is a duplicate."""
    body = json.dumps(submission(records(10))).encode()

    plain = await edge.post(body)
    packed = await edge.post(pack(body), content_encoding=encoding)

    assert (plain.status_code, packed.status_code) == (200, 200)
    assert packed.json()["duplicate"] is True
    assert packed.json()["receipt"] == plain.json()["receipt"]
    assert await edge.messages() == 1


async def test_a_request_of_many_messages_is_stored_whole_and_once(edge: RunningEdge) -> None:
    """Five messages, one batch; the repeat is recognised although the server refuses its batch."""
    body = submission(records(20_000, 6, step_s=1))

    first, second = await edge.post(body), await edge.post(body)

    assert first.json()["processed"] == 20_000
    assert await edge.messages() >= 3
    assert second.json()["duplicate"] is True
    assert second.json()["receipt"] == first.json()["receipt"]


async def test_bad_records_are_left_out_counted_and_named(edge: RunningEdge) -> None:
    """The good records of a request are stored whatever stands beside them."""
    now_s = time.time()
    sent = [
        {"timestamp": now_s, "a": 1, "on": True, "note": "x", "b,c": 2},
        {"timestamp": now_s + 3600, "a": 1},
        {"timestamp": 86_400 * 365, "a": 1},
        {"a": 1},
        {"timestamp": now_s, "line\nbreak": 1},
    ]

    answer = (await edge.post(submission(sent))).json()

    message = await edge.js.get_msg("TELEMETRY", 1)
    (frame,) = json.loads(message.data or b"")["frames"]
    assert frame["columns"] == {"a": [1], "on": [1]}
    assert (answer["processed"], answer["rejected"]) == (1, 4)
    assert {tally["reason"]: tally["first_index"] for tally in answer["rejections"]} == {
        "timestamp_in_future": 1,
        "timestamp_too_old": 2,
        "timestamp_missing": 3,
        "record_without_values": 4,
    }
    assert {tally["reason"]: tally["count"] for tally in answer["values_dropped"]} == {
        "value_not_numeric": 1,
        "field_name_invalid": 2,
    }


async def test_a_request_without_a_good_record_stores_nothing(edge: RunningEdge) -> None:
    """It is understood, hence 200 with zero, and there is no receipt."""
    answer = await edge.post(submission([{"timestamp": 1}]))

    assert (answer.status_code, answer.json()["processed"]) == (200, 0)
    assert answer.json()["receipt"] is None
    assert await edge.messages() == 0


BAD: dict[str, tuple[object, dict[str, str], Refusal]] = {
    "no token": (b"{}", {"Authorization": ""}, Refusal.TOKEN_MISSING),
    "basic auth": (b"{}", {"Authorization": "Basic eDp5"}, Refusal.TOKEN_MISSING),
    "empty token": (b"{}", {"Authorization": "Bearer"}, Refusal.TOKEN_MISSING),
    "wrong token": (b"{}", {"Authorization": "Bearer nobodys-token"}, Refusal.TOKEN_WRONG),
    "prefix of the token": (b"{}", {"Authorization": f"Bearer {TOKEN[:-1]}"}, Refusal.TOKEN_WRONG),
    "brotli": (b"{}", {"Content-Encoding": "br"}, Refusal.ENCODING_UNSUPPORTED),
    "two encodings": (b"{}", {"Content-Encoding": "gzip, br"}, Refusal.ENCODING_UNSUPPORTED),
    "no gzip": (b"{}", {"Content-Encoding": "gzip"}, Refusal.BODY_CORRUPT),
    "half a gzip": (
        gzip.compress(b"{}" * 99)[:-9],
        {"Content-Encoding": "gzip"},
        Refusal.BODY_CORRUPT,
    ),
    "a bomb": (
        gzip.compress(bytes(40_000_000)),
        {"Content-Encoding": "gzip"},
        Refusal.BODY_TOO_LARGE,
    ),
    "17 MiB": (b" " * 17 * 1024 * 1024, {}, Refusal.BODY_TOO_LARGE),
    "malformed": (b'{"installation_id": ', {}, Refusal.BODY_UNREADABLE),
    "empty body": (b"", {}, Refusal.BODY_UNREADABLE),
    "deep nesting": (b'{"x":' * 100_000, {}, Refusal.BODY_UNREADABLE),
    "nan": (submission([{"timestamp": 1.0, "a": float("nan")}]), {}, Refusal.BODY_UNREADABLE),
    "not utf-8": (b'{"installation_id": "\xff"}', {}, Refusal.BODY_UNREADABLE),
    "a string": (b'"x"', {}, Refusal.BODY_MISSHAPEN),
    "data is text": (submission([], data="x"), {}, Refusal.BODY_MISSHAPEN),
    "upper case": (
        submission([{}], installation_id=HOME.upper()),
        {},
        Refusal.INSTALLATION_ID_INVALID,
    ),
    "uuid without hyphens": (
        submission([{}], installation_id=HOME.replace("-", "")),
        {},
        Refusal.INSTALLATION_ID_INVALID,
    ),
    "line break in model": (submission([{}], heatpump_model="a\nb"), {}, Refusal.MODEL_INVALID),
    "comma in model": (submission([{}], heatpump_model="a,b"), {}, Refusal.MODEL_INVALID),
    "line break in version": (submission([{}], version="1\n2"), {}, Refusal.VERSION_INVALID),
    "comma in version": (submission([{}], version="1,2"), {}, Refusal.VERSION_INVALID),
    "empty data": (submission([]), {}, Refusal.DATA_EMPTY),
    "20,001 records": (submission([{}] * 20_001), {}, Refusal.RECORDS_TOO_MANY),
    "513 fields": (
        submission(
            [{"timestamp": time.time(), **{f"f{i}_{k}": 1 for k in range(100)}} for i in range(6)]
        ),
        {},
        Refusal.FIELDS_TOO_MANY,
    ),
}


async def test_bad_input_gets_its_status_and_code_and_stores_nothing(edge: RunningEdge) -> None:
    """Every bad request of the issue: never a 500, never a message."""
    for name, (body, headers, expected) in BAD.items():
        answer = await edge.post(body, **headers)

        document = answer.json()
        assert answer.status_code == TEXTS[expected].status, name
        assert answer.headers["content-type"] == "application/problem+json", name
        assert document["code"] == expected, name
        assert document["status"] == answer.status_code, name
        assert document["detail_de"] == TEXTS[expected].de, name
    assert await edge.messages() == 0


async def test_a_body_without_length_is_bounded_too(edge: RunningEdge) -> None:
    """17 MiB in chunks stop at the limit."""

    async def _parts() -> AsyncIterator[bytes]:
        for _part in range(17):
            yield bytes(1024 * 1024)

    answer = await edge.http.post(
        "/api/v1/submit", content=_parts(), headers={"Authorization": f"Bearer {TOKEN}"}
    )

    assert answer.status_code == 413


async def test_other_paths_and_methods_are_problem_documents(edge: RunningEdge) -> None:
    """404 and 405 with codes."""
    nothing = await edge.http.get("/api/v1/nothing")
    method = await edge.http.get("/api/v1/submit")

    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")


async def test_both_tokens_of_a_rotation_are_valid(edge: RunningEdge) -> None:
    """The next token works before the old one is gone."""
    answer = await edge.post(submission(records(1)), Authorization="bearer an0ther-token-of-them")

    assert answer.status_code == 200


async def test_an_erased_home_gets_410_and_nothing_is_stored(edge: RunningEdge) -> None:
    """Also while its entry changes; deleting the entry ends it."""
    bucket = await edge.js.key_value(subjects.KV_INSTALLATIONS)
    await bucket.put(PSEUDONYM, registry.encode(registry.Installation(erased=True)))
    await until(lambda: edge.ports.erased.is_erased(PSEUDONYM))
    refused = await edge.post(submission(records(2)))
    stored = await edge.messages()
    await bucket.delete(PSEUDONYM)
    await until(lambda: not edge.ports.erased.is_erased(PSEUDONYM))
    taken = await edge.post(submission(records(2)))

    assert (refused.status_code, refused.json()["code"]) == (410, "installation_gone")
    assert stored == 0
    assert taken.status_code == 200


async def test_an_edge_that_starts_knows_who_was_erased(nats_server: NatsServer) -> None:
    """It takes nothing before it has read them all (fails closed)."""
    async with running_edge(nats_server) as before:
        bucket = await before.js.key_value(subjects.KV_INSTALLATIONS)
        for number in range(1200):
            erased = number == 3
            entry = registry.Installation(model="aero_slm", erased=erased)
            await bucket.put(PSEUDONYM if erased else f"{number:032x}", registry.encode(entry))
    async with running_edge(nats_server) as after:
        answer = await after.post(submission(records(2)))

    assert answer.status_code == 410


async def test_without_the_registry_nothing_is_accepted(edge: RunningEdge) -> None:
    """A view that could not be refreshed for a minute is not relied on."""
    edge.ports.erased._fresh_s = time.monotonic() - 61
    answer = await edge.post(submission(records(1)))

    assert (answer.status_code, answer.json()["code"]) == (503, "bus_unavailable")


async def test_skew_is_answered_measured_and_handed_on(edge: RunningEdge) -> None:
    """A logger an hour ahead learns so, the operator sees it, and the message carries it."""
    answer = await edge.post(submission(records(2), sent_at=time.time() + 3600))

    message = await edge.js.get_msg("TELEMETRY", 1)
    headers = message.headers or {}
    assert answer.json()["clock_skew_s"] == pytest.approx(3600, abs=30)
    assert int(headers[subjects.HEADER_CLOCK_SKEW]) == pytest.approx(3_600_000, abs=30_000)
    assert edge.metric("heatpool_ingest_clock_homes", band="beyond") == 1


async def test_trace_context_reaches_the_message_only_if_it_is_one(edge: RunningEdge) -> None:
    """No other text becomes a header of a message."""
    context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await edge.post(submission(records(1)), traceparent=context)
    await edge.post(submission(records(2)), traceparent=f"{context}x")

    first, second = [await edge.js.get_msg("TELEMETRY", seq) for seq in (1, 2)]
    assert (first.headers or {})["traceparent"] == context
    assert "traceparent" not in (second.headers or {})


async def test_the_counters_add_up(edge: RunningEdge) -> None:
    """Sent = accepted + duplicate + rejected, in records and in requests."""
    now_s = time.time()
    mixed = submission([{"timestamp": now_s, "a": 1}, {"timestamp": now_s + 9999, "a": 1}, {}])
    for body in (mixed, mixed, submission(records(5))):
        await edge.post(body)

    outcomes = ("accepted", "duplicate", "timestamp_in_future", "timestamp_missing")
    counted = [
        edge.metric("heatpool_ingest_records_total", outcome=outcome) for outcome in outcomes
    ]
    assert counted == [6, 1, 2, 2]
    assert edge.metric("heatpool_ingest_requests_total", route="/api/v1/submit", code="ok") == 2


async def test_the_documents_are_served_without_a_cdn(edge: RunningEdge) -> None:
    """The page names only our own paths, and its policy allows no other."""
    page = await edge.http.get("/schema")
    script = await edge.http.get("/schema/scalar.js")
    document = await edge.http.get("/schema/openapi.json")

    assert "https://" not in page.text
    assert "'self'" in page.headers["content-security-policy"]
    assert b"@scalar/api-reference" in script.content
    assert document.json()["paths"].keys() >= {"/api/v1/submit", "/api/v1/receipt/{receipt}"}


async def test_other_spellings_of_the_path_are_the_same_route(edge: RunningEdge) -> None:
    """What the framework takes for the same path is the same submission."""
    body, headers = submission(records(3)), {"Authorization": f"Bearer {TOKEN}"}
    first = await edge.http.post("/api/v1/submit/", json=body, headers=headers)
    again = await edge.post(body)

    assert first.status_code == again.status_code == 200
    assert again.json()["receipt"] == first.json()["receipt"]
