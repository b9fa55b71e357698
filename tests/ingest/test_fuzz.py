"""Random input against the running edge and its decoders: no 5xx, no traceback, no surprise.

`HEATPOOL_FUZZ` sets the number of examples of each (`make fuzz`: thousands).
"""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest
import schemathesis
from edge import HOME, SIZES, TOKEN, submission
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pool import Pool
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from heatpool_contract.frames import decode_raw
from heatpool_contract.refusals import TEXTS
from heatpool_ingest import openapi
from heatpool_ingest.admission import RequestRefusedError
from heatpool_ingest.inflate import ENCODINGS
from heatpool_ingest.preparation import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = int(os.environ.get("HEATPOOL_FUZZ", "40"))
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=20,
)
MEMBERS = ("installation_id", "heatpump_model", "version", "data", "sent_at")


@pytest.fixture(scope="module")
def edge_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real edge over a real nats-server."""
    pool = Pool(
        tmp_path_factory.mktemp("pool"),
        sizes=SIZES,
        HEATPOOL_INGEST_TOKENS=TOKEN,
        HEATPOOL_INGEST_WRONG_TOKENS_BURST="1000000",
        HEATPOOL_INGEST_QUOTA_RECORDS_BURST="100000000",
    )
    pool.environment.pop("HEATPOOL_INGEST_TOKENS_FILE")
    try:
        pool.start(("nats", "ingest"))
        yield pool.stack.ingest_url
        assert "Traceback" not in pool.log("ingest").read_text()
    finally:
        pool.stop()


def _sound(answer: httpx.Response) -> None:
    """Success, or a problem document that says so itself."""
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert TEXTS[document["code"]].status == answer.status_code


@bounded
@given(
    body=st.one_of(
        st.binary(max_size=300),
        json_values.map(lambda value: json.dumps(value).encode()),
        st.tuples(st.sampled_from(MEMBERS), json_values).map(
            lambda pair: json.dumps({**submission([{"timestamp": 1}]), pair[0]: pair[1]}).encode()
        ),
        st.lists(json_values, max_size=4).map(lambda data: json.dumps(submission(data)).encode()),
    ),
    encoding=st.sampled_from([*sorted(ENCODINGS), "br", "gzip, gzip", "x"]),
    packed=st.booleans(),
)
def test_no_body_is_answered_with_a_5xx(
    edge_url: str,
    body: bytes,
    encoding: str,
    packed: bool,  # noqa: FBT001 - drawn
) -> None:
    """Bytes, JSON of every shape, and submissions with one wild member."""
    if packed and encoding in ("gzip", "x-gzip"):
        body = gzip.compress(body)
    elif packed and encoding == "deflate":
        body = zlib.compress(body)
    _sound(
        httpx.post(
            f"{edge_url}/api/v1/submit",
            content=body,
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Encoding": encoding},
        )
    )


@bounded
@given(
    name=st.sampled_from(
        ["Authorization", "Content-Encoding", "Retry-Attempt", "traceparent", "Content-Type"]
    ),
    value=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
)
def test_no_header_is_answered_with_a_5xx(edge_url: str, name: str, value: str) -> None:
    """Anything that HTTP allows in one."""
    headers = {"Authorization": f"Bearer {TOKEN}", name: value}
    _sound(httpx.post(f"{edge_url}/api/v1/submit", json=submission([]), headers=headers))


schema = schemathesis.openapi.from_dict(json.loads(openapi.document("0")))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
def test_the_edge_keeps_its_own_document(
    case: schemathesis.Case,  # type: ignore[type-arg]  # generic over its own internals
    edge_url: str,
) -> None:
    """Schemathesis: statuses, media types and shapes are those of the OpenAPI document."""
    answer = case.call(base_url=edge_url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    # What a JSON Schema cannot say (a model name of dots alone) is refused with 422 all the same;
    # unknown members, odd optional headers and bad records are no reason to refuse good records.
    case.validate_response(
        answer, excluded_checks=[positive_data_acceptance, negative_data_rejection]
    )


@bounded
@given(
    data=st.lists(
        st.dictionaries(
            st.sampled_from(["timestamp", "a", "b", "_c", "9", "", "ü", "x" * 65]) | st.text(),
            json_values | st.floats(1.7e9, 1.8e9),
            max_size=6,
        ),
        max_size=30,
    ),
    at=st.integers(0, 5000),
    noise=st.binary(max_size=6),
)
def test_what_is_prepared_can_be_read_by_the_writer(
    data: list[dict[str, object]], at: int, noise: bytes
) -> None:
    """Refused, or chunks that decode, whose columns are complete."""
    body = json.dumps(submission(data, installation_id=HOME)).encode()
    for text in (body, body[:at] + noise + body[at + 1 :]):
        try:
            prepared = prepare(text, "", time.time(), b"k" * 32)
        except RequestRefusedError:
            continue
        chunks = [decode_raw(payload) for payload in prepared.payloads]
        assert sum(chunk.samples for chunk in chunks) == prepared.samples
