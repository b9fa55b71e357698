"""Trace context: passed on as it came, or with the edge's own span exported between."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_ingest.otel import exported
from heatpool_ingest.tracing import PassedOn, traceparent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        PARENT + "\r\nX: y",
        PARENT.upper(),
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "ff" + PARENT[2:],
    ],
)
def test_what_is_no_context_is_not_passed_on(header: str | None) -> None:
    """Neither a line break nor a nil id nor an unknown version."""
    assert traceparent(header) is None


@given(st.text(max_size=80))
def test_no_other_text_passes(text: str) -> None:
    """A header of a message has 55 harmless characters or is not there."""
    assert traceparent(text) is None or len(text) == 55


def test_without_an_exporter_the_context_goes_through_unchanged() -> None:
    """Also none."""
    tracer = PassedOn()
    for parent in (PARENT, None):
        with tracer.span(parent) as found:
            assert found == parent
    tracer.close()


def test_the_exporter_sends_a_span_of_the_same_trace() -> None:
    """The messages name the edge's span, whose parent is the logger's."""
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    tracer = exported(f"http://127.0.0.1:{server.server_port}/v1/traces")
    with tracer.span(PARENT) as found:
        pass
    tracer.close()
    server.shutdown()
    thread.join()
    server.server_close()

    assert found is not None
    assert found.split("-")[1] == PARENT.split("-")[1]
    assert found.split("-")[2] != PARENT.split("-")[2]
    (body,) = received
    assert bytes.fromhex(PARENT.split("-")[1]) in body
    assert bytes.fromhex(PARENT.split("-")[2]) in body
    assert b"submit" in body
