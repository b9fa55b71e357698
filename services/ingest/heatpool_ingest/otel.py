"""OpenTelemetry for the edge: the extra `heatpool-ingest[otel]`, loaded only if asked for.

In: parent contexts. Out: one span a submission, exported over OTLP/HTTP in the background.
Guarantee: a span has a name and times, no body, id or address; an exporter that is away costs spans
and no request.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER: Final = "traceparent"


class Exported:
    """A `tracing.Tracer` that exports."""

    def __init__(self, url: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "heatpool-ingest"})
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self._tracer = self._provider.get_tracer("heatpool_ingest")
        self._context = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, parent: str | None) -> Iterator[str | None]:
        """As in `tracing.Tracer`."""
        above = self._context.extract({_HEADER: parent} if parent else {})
        with self._tracer.start_as_current_span("submit", context=above):
            carrier: dict[str, str] = {}
            self._context.inject(carrier)
            yield carrier.get(_HEADER)

    def close(self) -> None:
        """As in `tracing.Tracer`."""
        self._provider.shutdown()
