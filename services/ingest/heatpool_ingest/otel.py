"""OpenTelemetry for the edge: the extra `heatpool-ingest[otel]`, imported only when asked for.

In: parent contexts. Out: one span a submission, exported over OTLP/HTTP in the background.
Guarantee: a span has a name and times, no body, id or address; an exporter that is away costs spans
and no request.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer as OtelTracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_HEADER: Final = "traceparent"


def exported(url: str) -> Exported:
    """A tracer that posts to `url`.

    Raises:
        ImportError: the extra is not installed.
    """
    # All of it here: every module imports with the member's own dependencies alone.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - extra
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - extra
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - extra
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - extra
        TraceContextTextMapPropagator,
    )

    provider = TracerProvider(resource=Resource.create({"service.name": "heatpool-ingest"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    return Exported(
        provider, provider.get_tracer("heatpool_ingest"), TraceContextTextMapPropagator()
    )


class Exported:
    """A `tracing.Tracer` that exports."""

    def __init__(
        self, provider: TracerProvider, tracer: OtelTracer, context: TraceContextTextMapPropagator
    ) -> None:
        self._provider = provider
        self._tracer = tracer
        self._context = context

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
