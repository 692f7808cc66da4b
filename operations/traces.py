"""OpenTelemetry: spans go out where OTEL_EXPORTER_OTLP_ENDPOINT says, if the package is there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from structlog.contextvars import bound_contextvars

from connector import tracing
from connector.tracing import Kind, Opener, Span, Value

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_log = structlog.get_logger("traces")


def switch_on() -> None:
    """Trace this process, where the environment asks for it. To be called after a fork."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning(
            "no traces: the package is missing", advice="run: pip install 'deskclock[tracing]'"
        )
        return
    name = os.environ.get("OTEL_SERVICE_NAME") or "deskclock"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.switch(opener(provider))


def opener(provider: "TracerProvider") -> Opener:
    """What begins spans of OpenTelemetry; what an exception says stays out of them."""
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer = provider.get_tracer("deskclock")
    propagator = TraceContextTextMapPropagator()
    kinds = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}

    @contextmanager
    def begin(
        name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value], /
    ) -> Iterator[Span]:
        above = propagator.extract({"traceparent": parent}) if parent else None
        with tracer.start_as_current_span(
            name, above, kinds[kind], attributes,
            record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip
            trace_id = format(span.get_span_context().trace_id, "032x")
            with bound_contextvars(trace_id=trace_id):
                try:
                    yield span
                except BaseException as error:
                    span.set_status(StatusCode.ERROR, type(error).__name__)
                    raise

    return begin
