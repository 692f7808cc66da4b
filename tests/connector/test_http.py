import json
import math
from datetime import UTC, datetime, timedelta

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers
from urllib3.exceptions import MaxRetryError, NewConnectionError

from connector.errors import (
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    SignInRefused,
    WriteConflict,
)
from connector.http import MAX_WAIT, Session, _retry_after

BASE = "https://acme.example"
SECRET = "Bearer very-secret"


class Badge:
    """An authorizer that hands out numbered values."""

    def __init__(self, renewable=False):
        self.number, self.renewable = 1, renewable

    def authorization(self):
        return f"{SECRET}-{self.number}"

    def renew(self, refused):
        self.number += 1
        return self.renewable


@pytest.fixture
def waits():
    return []


@pytest.fixture
def session(waits):
    return Session(BASE, authorizer=Badge(), sleep=waits.append)


@pytest.fixture
def wire():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        yield wire


def refused():
    return requests.ConnectionError(MaxRetryError(None, "/x", NewConnectionError(None, "refused")))


def test_a_get_answers_with_json_and_is_counted(session, wire):
    wire.get(f"{BASE}/a/1", json={"a": 1}, headers={"Date": "Mon, 02 Mar 2026 08:00:00 GMT"})

    answer = session.call("GET", "/a/1", template="/a/{id}")

    assert answer.data == {"a": 1}
    assert dict(session.calls) == {("GET", "/a/{id}", 200): 1}
    request = wire.calls[0].request
    assert request.headers["User-Agent"].startswith("deskclock/")
    assert request.headers["Authorization"] == f"{SECRET}-1"


def test_the_date_header_is_a_clock_sample_that_is_drained(session, wire):
    wire.get(f"{BASE}/a", json={}, headers={"Date": "Mon, 02 Mar 2026 08:00:00 GMT"})
    session.call("GET", "/a")

    assert [shown for shown, _ in session.clock_samples()] == [datetime(2026, 3, 2, 8, tzinfo=UTC)]
    assert session.clock_samples() == []


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "\u00e9"])
def test_a_date_that_cannot_be_read_is_no_sample(session, wire, date):
    wire.get(f"{BASE}/a", json={}, headers={"Date": date})
    session.call("GET", "/a")

    assert session.clock_samples() == []


READ_FAILURES = {
    "read time-out": {"body": requests.ReadTimeout("x")},
    "connect time-out": {"body": requests.ConnectTimeout("x")},
    "reset": {"body": requests.ConnectionError("reset")},
    "truncated": {"body": requests.exceptions.ChunkedEncodingError("x")},
    "no such host": {"body": refused()},
    "500": {"status": 500},
    "502 with html": {"status": 502, "body": "<h1>bad gateway</h1>"},
    "524": {"status": 524},
}


@pytest.mark.parametrize("failure", READ_FAILURES.values(), ids=READ_FAILURES)
def test_a_read_is_repeated_twice_and_then_the_helpdesk_is_unreachable(
    session, wire, waits, failure
):
    wire.get(f"{BASE}/a", **failure)

    with pytest.raises(HelpdeskUnreachable):
        session.call("GET", "/a")
    assert len(wire.calls) == 3
    assert sum(waits) <= MAX_WAIT


def test_a_read_that_works_the_second_time_is_fine(session, wire):
    wire.get(f"{BASE}/a", status=500)
    wire.get(f"{BASE}/a", json=[1])

    assert session.call("GET", "/a").data == [1]


WRITE_UNKNOWN = {
    name: READ_FAILURES[name]
    for name in ("read time-out", "reset", "truncated", "500", "502 with html", "524")
} | {"503 without a time": {"status": 503}, "200 with html": {"body": "<p>saved?</p>"}}


@pytest.mark.parametrize("failure", WRITE_UNKNOWN.values(), ids=WRITE_UNKNOWN)
def test_a_write_with_an_unknown_outcome_is_never_repeated(session, wire, failure):
    wire.put(f"{BASE}/a", **failure)

    with pytest.raises(OutcomeUnknown):
        session.call("PUT", "/a", body={})
    assert len(wire.calls) == 1


def test_a_write_whose_connection_was_refused_is_repeated(session, wire):
    wire.put(f"{BASE}/a", body=refused())
    wire.put(f"{BASE}/a", json={})

    assert session.call("PUT", "/a", body={}).ok
    assert len(wire.calls) == 2


def test_a_write_in_maintenance_says_when_to_come_back(session, wire):
    wire.put(f"{BASE}/a", status=503, headers={"Retry-After": "90"})

    with pytest.raises(HelpdeskUnreachable) as caught:
        session.call("PUT", "/a", body={})
    assert caught.value.retry_after == 90
    assert len(wire.calls) == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_short_retry_after_is_waited_for(session, wire, waits, method):
    wire.add(method, f"{BASE}/a", status=429, headers={"Retry-After": "2"})
    wire.add(method, f"{BASE}/a", json={})

    assert session.call(method, "/a").ok
    assert waits == [2.0]


@pytest.mark.parametrize(
    ("headers", "expected", "tries"),
    [
        ({"Retry-After": "37"}, 37, 1),
        ({"Retry-After": "2"}, 2, 2),  # the second wait would make four seconds
        ({}, 10, 1),
        ({"Retry-After": "soon"}, 10, 1),
        ({"Retry-After": "nan"}, 10, 1),
        ({"Retry-After": "999999"}, 3600, 1),
        (
            {
                "Date": "Mon, 02 Mar 2026 08:00:00 GMT",
                "Retry-After": "Mon, 02 Mar 2026 08:00:30 GMT",
            },
            30,
            1,
        ),
    ],
)
def test_a_retry_after_that_does_not_fit_is_raised(session, wire, headers, expected, tries):
    wire.put(
        f"{BASE}/a", status=429, body="Number of allowed API requests exceeded", headers=headers
    )

    with pytest.raises(RateLimited) as caught:
        session.call("PUT", "/a")
    assert caught.value.retry_after == expected
    assert len(wire.calls) == tries


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30))
def test_no_retry_after_is_too_odd(text):
    found = _retry_after({"Retry-After": text, "Date": text})

    assert found is None or (math.isfinite(found) and 0 <= found <= 3600)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_sign_in_is_not_repeated(session, wire, status):
    wire.get(f"{BASE}/a", status=status, json={"error": "no"})

    with pytest.raises(SignInRefused):
        session.call("GET", "/a")
    assert len(wire.calls) == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_renewed_sign_in_is_tried_once(wire, method):
    session = Session(BASE, authorizer=Badge(renewable=True), sleep=lambda _: None)
    newer = matchers.header_matcher({"Authorization": f"{SECRET}-2"})
    wire.add(method, f"{BASE}/a", json={}, match=[newer])
    wire.add(method, f"{BASE}/a", status=401)

    assert session.call(method, "/a").ok
    assert len(wire.calls) == 2


def test_a_renewed_sign_in_that_is_refused_again_ends_it(wire):
    session = Session(BASE, authorizer=Badge(renewable=True), sleep=lambda _: None)
    wire.get(f"{BASE}/a", status=401)

    with pytest.raises(SignInRefused):
        session.call("GET", "/a")
    assert len(wire.calls) == 2


def test_a_write_that_certainly_did_nothing_is_repeated_and_then_a_conflict(session, wire):
    wire.put(f"{BASE}/a", status=409, json={"busy": True})

    with pytest.raises(WriteConflict):
        session.call("PUT", "/a", did_nothing=lambda answer: answer.data == {"busy": True})
    assert len(wire.calls) == 3


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 422])
@pytest.mark.parametrize("body", ["", "<html>", "[1", '"text"', "null"])
def test_other_refusals_are_left_to_the_vendor(session, wire, status, body):
    wire.put(f"{BASE}/a", status=status, body=body)

    assert session.call("PUT", "/a").status == status


@pytest.mark.parametrize("body", ["<html>", "[1", "\xff", '{"a":', "[" * 200_000])
def test_a_read_that_answers_no_json_is_unusable(session, wire, body):
    wire.get(f"{BASE}/a", body=body)

    with pytest.raises(HelpdeskUnreachable):
        session.call("GET", "/a")


def test_an_empty_answer_is_no_json_and_no_error(session, wire):
    wire.delete(f"{BASE}/a", status=204)

    assert session.call("DELETE", "/a").data is None


def test_a_body_beyond_the_cap_is_not_read_on(session, wire, monkeypatch):
    monkeypatch.setattr("connector.http.MAX_BODY", 1000)
    wire.get(f"{BASE}/a", body=json.dumps("x" * 5000))

    with pytest.raises(HelpdeskUnreachable, match="more than 1000 bytes"):
        session.call("GET", "/a")


def test_a_redirect_is_not_followed(session, wire):
    wire.get(f"{BASE}/a", status=302, headers={"Location": "https://evil.example/a"})

    with pytest.raises(HelpdeskUnreachable, match="redirect"):
        session.call("GET", "/a")
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    "failure",
    [
        {"body": requests.ConnectionError(SECRET)},
        {"status": 500, "body": "Ada Quill " + SECRET},
        {"status": 403, "body": "Ada Quill " + SECRET},
        {"status": 429, "body": "Ada Quill " + SECRET},
        {"body": "Ada Quill " + SECRET},
    ],
)
def test_no_error_shows_credentials_or_a_body(session, wire, failure):
    wire.put(f"{BASE}/a", **failure)

    with pytest.raises(Exception) as caught:  # noqa: PT011
        session.call("PUT", "/a", body={"subject": "Ada Quill"})
    assert SECRET not in str(caught.value)
    assert "Quill" not in str(caught.value)


def test_cookies_are_not_kept(session, wire):
    wire.get(f"{BASE}/a", json={}, headers={"Set-Cookie": "session=1; Path=/"})
    session.call("GET", "/a")
    session.call("GET", "/a")

    assert "Cookie" not in wire.calls[1].request.headers


def test_the_samples_are_bounded(session, wire):
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    wire.get(f"{BASE}/a", json={}, headers={"Date": "Mon, 02 Mar 2026 08:00:00 GMT"})
    for _ in range(150):
        session.call("GET", "/a")

    samples = session.clock_samples()
    assert len(samples) == 100
    assert all(shown - start == timedelta(0) for shown, _ in samples)
