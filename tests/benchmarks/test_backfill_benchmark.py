"""The benchmark of backfills counts every call, charges what vendors charge, and knows a share."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.growth import Sample, drawing, report
from benchmarks.stage import Helpdesk
from benchmarks.traffic import Bucket, Counts, Received, Watch, buckets, credits_of, share_used
from sandbox.application import create_sandbox
from sandbox.server import serving


def call(at=0.0, endpoint="GET /tickets", path="/api/v2/tickets", status=200):
    return Received(at=at, endpoint=endpoint, path=path, status=status)


def of_every_call(ours):
    return Bucket(name="all", ours=ours, cost=lambda _: 1)


@pytest.mark.parametrize(
    ("endpoint", "path", "credits"),
    [
        ("GET /tickets", "/api/v2/tickets?page=1", 1),
        ("GET /tickets", "/api/v2/tickets?include=stats", 3),
        ("GET /tickets", "/api/v2/tickets?include=stats,requester", 5),
        ("GET /tickets/{ticket_id}", "/api/v2/tickets/7?include=stats", 2),
        ("GET /tickets/{ticket_id}", "/api/v2/tickets/7", 1),
        ("PUT /tickets/{ticket_id}", "/api/v2/tickets/7", 1),
    ],
)
def test_credits_are_those_of_the_fact_sheet(endpoint, path, credits):
    assert credits_of(call(endpoint=endpoint, path=path)) == credits


def test_our_part_is_what_the_reserve_leaves():
    ours = {one.name: one.ours for one in buckets("zendesk", "growth")}
    assert ours == {"exports": 8, "account": 320}
    ours = {one.name: one.ours for one in buckets("freshdesk", "growth")}
    assert ours == {"updates": 48, "lists": 12, "credits": 120}


@given(
    ours=st.integers(1, 20),
    minutes=st.integers(4, 30),
    period=st.floats(0.5, 5.0),
    bursts=st.booleans(),
)
def test_a_share_a_period_is_a_minute_over_the_period(ours, minutes, period, bursts):
    """However the calls lie within each period."""
    step = 0.0 if bursts else period / ours
    calls = [call(period * m + step * n) for m in range(minutes) for n in range(ours)]
    used = share_used(calls, of_every_call(ours), 1.0)
    assert used == pytest.approx(1 / period)


def test_few_calls_tell_nothing_of_a_share():
    calls = [call(float(n)) for n in range(6)]
    assert share_used(calls, of_every_call(2), 1.0) is None
    assert share_used([], of_every_call(2), 1.0) is None


def test_every_call_is_counted():
    app = create_sandbox("freshdesk", tickets=1)
    with serving(app) as served:
        helpdesk = Helpdesk("freshdesk", served.url)
        session = helpdesk.session()
        helpdesk.api(session, "/api/v2/tickets")
        watch = Watch(helpdesk)
        watch.start()
        for path in ("/api/v2/tickets?include=stats", "/api/v2/tickets/1", "/api/v2/tickets/1"):
            helpdesk.api(session, path)
        counts = watch.end()
    assert counts.endpoints == {"GET /tickets/{ticket_id}": 2, "GET /tickets": 1}
    assert (counts.credits, counts.refused, counts.failed, counts.after_refusal) == (5, 0, 0, 0)


def test_refusals_are_told_from_other_errors():
    calls = [call(status=status) for status in (200, 429, 429, 404, 500)]
    counts = Counts(calls=calls, after_refusal=0)
    assert (counts.refused, counts.failed) == (2, 2)


def test_the_curve_is_drawn_and_told():
    samples = [Sample(seconds=n + 1.0, tickets=n * 1000, resident=150_000_000) for n in range(60)]
    text = report(samples)
    assert "59,000 tickets in 60 s" in text
    assert "peak 150 MB" in text
    curve = ET.fromstring(drawing(samples)).findall("{*}polyline")[1]
    assert len(curve.attrib["points"].split()) == len(samples)
