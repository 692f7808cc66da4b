"""A webhook, a look and a vendor call are spans where tracing is on; else there is nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app import create_app, create_worker
from connector import tracing
from connector.engine.intake import Intake
from connector.helpdesks.base import Hint
from operations import traces
from tests.runners.site import Site, eventually, helpdesks

TRACE = "0af7651916cd43dd8448eb211c80319c"  # from the specification
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks("freshdesk") as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.switch(traces.opener(provider))
    yield exporter
    tracing.switch(None)
    provider.shutdown()


def test_a_webhook_goes_on_with_the_trace_of_its_caller(
    site: Site, spans: InMemorySpanExporter
) -> None:
    web = create_app(site.settings).test_client()
    web.post("/webhooks/freshdesk", data=b"{}", headers={"traceparent": PARENT})
    web.get("/readyz")
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("POST /webhooks/<account>", SpanKind.SERVER)
    assert format(span.context.trace_id, "032x") == TRACE
    assert dict(span.attributes or {}) == {
        "http.route": "/webhooks/<account>",
        "http.request.method": "POST",
        "http.response.status_code": 401,
    }


def test_a_look_and_its_calls_are_one_trace_without_ids_and_words(
    site: Site, spans: InMemorySpanExporter
) -> None:
    worker = create_worker(site.settings)
    ticket = site.create("freshdesk")
    Intake(site.database).submit("freshdesk", Hint(ticket_id=ticket))
    eventually("it is written", lambda: worker.tick() and site.enriched())
    worker.stop()
    worker.run()
    found = spans.get_finished_spans()
    (look,) = [one for one in found if one.name == "look at tickets"]
    calls = [one for one in found if one.kind is SpanKind.CLIENT]
    inside = [one for one in calls if one.context.trace_id == look.context.trace_id]
    assert {one.name for one in inside} >= {
        "GET /api/v2/tickets/{id}", "PUT /api/v2/tickets/{id}",
    }  # fmt: skip
    assert all(one.parent and one.parent.span_id == look.context.span_id for one in inside)
    assert {(one.attributes or {})["http.response.status_code"] for one in inside} == {200}
    names = {name for one in found for name in one.attributes or {}}
    assert names == {"account", "tickets", "http.response.status_code"}
    said = str([(one.name, dict(one.attributes or {}), one.status.description) for one in found])
    assert "Printer" not in said


def test_what_an_exception_says_stays_out_of_a_span(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Jane"), tracing.span("look"):
        raise ValueError("the printer of Jane")
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert not span.events


@pytest.mark.parametrize(
    ("environment", "is_there", "is_on", "says"),
    [
        ({}, True, False, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True, True, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False, False, "deskclock[tracing]"),
    ],
    ids=["not asked for", "on", "without the package"],
)
def test_it_is_on_where_it_is_asked_for_and_installed(
    environment: Any, is_there: bool, is_on: bool, says: str
) -> None:
    program = f"""
import sys
if not {is_there}:
    sys.modules["opentelemetry"] = None  # as if it were not installed
from operations import traces
from connector import tracing
traces.switch_on()
with tracing.span("x") as span:
    span.set_attribute("a", 1)
print(tracing._open is not None, "opentelemetry.sdk" in sys.modules)
import os
sys.stdout.flush()
os._exit(0)  # nothing is sent to the address
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.splitlines()[-1] == f"{is_on} {is_on}"
    assert says in ran.stdout
