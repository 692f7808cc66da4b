import io
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from connector.errors import (
    AccountSuspended,
    BudgetSpent,
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    RoleMissing,
    SignInRefused,
    StoreError,
    WriteConflict,
)
from connector.http import MAX_WAIT, Charge, Figure, Session, _retry_after
from connector.store.budget import StoredBudget
from connector.store.database import Database

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
    "520": {"status": 520, "body": "<h1>unknown error</h1>"},
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
    for name in ("read time-out", "reset", "truncated", "500", "502 with html", "520", "524")
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


def test_a_refusal_says_that_a_role_or_a_scope_is_missing(session, wire):
    wire.get(f"{BASE}/a", status=403, json={"error": "no"})

    with pytest.raises(RoleMissing, match="GET /a"):
        session.call("GET", "/a")


@pytest.mark.parametrize("status", [302, 401, 403, 404, 409, 422])
def test_the_vendor_may_name_a_refusal(wire, status):
    session = Session(BASE, classify=lambda answer: AccountSuspended(str(answer.data["error"])))
    wire.put(f"{BASE}/a", status=status, json={"error": "suspended"})

    with pytest.raises(AccountSuspended, match=r"^suspended$"):
        session.call("PUT", "/a")
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, SignInRefused), (403, RoleMissing), (429, RateLimited), (500, OutcomeUnknown)],
)
def test_what_the_vendor_does_not_name_stays_what_it_was(wire, status, kind):
    session = Session(BASE, classify=lambda _answer: None, sleep=lambda _: None)
    wire.put(f"{BASE}/a", status=status)

    with pytest.raises(kind):
        session.call("PUT", "/a")


def test_the_beginning_of_a_text_is_told_but_never_shown(session, wire):
    wire.put(f"{BASE}/a", status=422, body="Ada Quill " * 100)
    answer = session.call("PUT", "/a")

    assert answer.text == ("Ada Quill " * 30)[:300]
    assert "Quill" not in repr(answer)


class Purse:
    """A budget that notes what it is asked, and refuses as often as it is told to."""

    def __init__(self, *refusals):
        self.refusals = list(refusals)
        self.log = []

    def reserve(self, charges):
        self.log.append(("reserve", *charges))
        if self.refusals and (wait := self.refusals.pop(0)) is not None:
            raise BudgetSpent(retry_after=wait)

    def learn(self, figures):
        self.log.append(("learn", *figures))

    def refuse(self, buckets, seconds):
        self.log.append(("refuse", *buckets, seconds))

    def room(self, charges):
        return 1, 0.0

    def kinds(self):
        return [kind for kind, *_ in self.log]


class Rules:
    """Limits of a helpdesk whose headers name them."""

    def charges(self, method, path, template, params, body):
        return (Charge(bucket="account"), Charge(bucket=template, cost=2))

    def figures(self, headers, charges):
        told = headers.get("X-Left", "")
        pairs = [part.split("=") for part in told.split(",") if part]
        return tuple(Figure(bucket=name, remaining=int(left)) for name, left in pairs)

    def refused(self, answer, charges):
        return (answer.text or "account",)


@pytest.mark.parametrize("failure", [{"json": {}}, {"status": 404}, {"status": 401}])
def test_a_call_is_counted_before_and_learnt_from_after_it(wire, failure):
    purse = Purse()
    session = Session(BASE, budget=purse, limits=Rules(), authorizer=Badge())
    wire.get(f"{BASE}/a", headers={"x-left": "account=7"}, **failure)
    try:
        session.call("GET", "/a")
    except SignInRefused:
        assert failure == {"status": 401}

    assert purse.log == [
        ("reserve", Charge(bucket="account"), Charge(bucket="/a", cost=2)),
        ("learn", Figure(bucket="account", remaining=7), Figure(bucket="/a")),
    ]


def test_every_try_is_counted(wire):
    purse = Purse()
    session = Session(BASE, budget=purse, sleep=lambda _: None)
    wire.get(f"{BASE}/a", body=requests.ReadTimeout("x"))
    with pytest.raises(HelpdeskUnreachable):
        session.call("GET", "/a")

    assert purse.kinds() == ["reserve", "learn"] * 3


def test_a_renewed_sign_in_is_counted_twice(wire):
    purse = Purse()
    session = Session(BASE, budget=purse, authorizer=Badge(renewable=True))
    wire.get(f"{BASE}/a", status=401)
    wire.get(f"{BASE}/a", json={})
    session.call("GET", "/a")

    assert purse.kinds() == ["reserve", "learn"] * 2


def test_a_limit_that_an_answer_names_is_charged_from_then_on(wire):
    purse = Purse()
    session = Session(BASE, budget=purse, limits=Rules())
    wire.get(f"{BASE}/a/1", json={}, headers={"X-Left": "other=9,/a/{id}=5"})
    wire.get(f"{BASE}/b", json={})
    for path, template in (("/a/1", "/a/{id}"), ("/b", None), ("/a/1", "/a/{id}")):
        session.call("GET", path, template=template)

    charged = [{one.bucket for one in rest} for kind, *rest in purse.log if kind == "reserve"]
    assert charged == [
        {"account", "/a/{id}"},
        {"account", "/b"},
        {"account", "/a/{id}", "other"},
    ]


def test_a_short_wait_for_the_budget_is_waited_inside_the_call(wire, waits):
    purse = Purse(1.0, 0.0, 1.5, None)
    session = Session(BASE, budget=purse, sleep=waits.append)
    wire.put(f"{BASE}/a", json={})

    assert session.call("PUT", "/a").ok
    assert waits == [1.0, 0.05, 1.5]


@pytest.mark.parametrize(("refusals", "waited"), [((3.1,), 0), ((1.5, 1.4, 1.0), 2.9)])
def test_a_longer_wait_for_the_budget_is_the_callers(wire, waits, refusals, waited):
    session = Session(BASE, budget=Purse(*refusals), sleep=waits.append)
    with pytest.raises(BudgetSpent) as caught:
        session.call("GET", "/a")

    assert caught.value.retry_after == refusals[-1]
    assert sum(waits) == waited
    assert not wire.calls


def test_all_waits_of_a_call_are_bounded_together(wire, waits):
    session = Session(BASE, budget=Purse(1.5), sleep=waits.append)
    wire.get(f"{BASE}/a", status=429, headers={"Retry-After": "2"})
    with pytest.raises(RateLimited):
        session.call("GET", "/a")

    assert waits == [1.5]
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"headers": {"Retry-After": "37"}}, ("account", 37.0)),
        ({}, ("account", 60.0)),
        ({"body": "exports"}, ("exports", 60.0)),
        ({"headers": {"Retry-After": "999999"}}, ("account", 3600.0)),
    ],
)
def test_a_refusal_is_stored_first(wire, answer, expected):
    purse = Purse()
    session = Session(BASE, budget=purse, limits=Rules(), default_retry_after=60.0)
    wire.put(f"{BASE}/a", status=429, **answer)
    with pytest.raises(RateLimited) as caught:
        session.call("PUT", "/a")

    assert caught.value.retry_after == expected[1]
    assert purse.log[1] == ("refuse", *expected)
    assert purse.kinds() == ["reserve", "refuse", "learn"]


def test_a_refusal_whose_body_breaks_off_is_a_refusal(wire):
    purse = Purse()
    session = Session(BASE, budget=purse)
    wire.put(
        f"{BASE}/a", status=429, body=io.BufferedReader(BreaksOff()), headers={"Retry-After": "37"}
    )
    with pytest.raises(RateLimited):
        session.call("PUT", "/a")

    assert ("refuse", "account", 37.0) in purse.log


class BreaksOff(io.RawIOBase):
    """A body that ends before it should."""

    def readable(self):
        return True

    def readinto(self, _buffer):
        raise ProtocolError("Connection broken")


class Shut(Purse):
    """A budget whose database is away, before a call or only after it."""

    def __init__(self, *, before):
        super().__init__()
        self.before = before

    def reserve(self, charges):
        if self.before:
            raise StoreError("the disk is full")

    def learn(self, figures):
        raise StoreError("the disk is full")

    def refuse(self, buckets, seconds):
        raise StoreError("the disk is full")


def test_without_the_budget_nothing_is_sent(wire):
    with pytest.raises(StoreError):
        Session(BASE, budget=Shut(before=True)).call("PUT", "/a")
    assert not wire.calls


def test_an_answer_is_not_lost_with_the_budget(wire):
    session = Session(BASE, budget=Shut(before=False))
    wire.put(f"{BASE}/a", json={"saved": True})
    wire.put(f"{BASE}/b", status=429, headers={"Retry-After": "37"})

    assert session.call("PUT", "/a").data == {"saved": True}
    with pytest.raises(RateLimited):
        session.call("PUT", "/b")


class Slow(Purse):
    """A budget that takes its time with one of its methods."""

    def __init__(self, method, *refusals):
        super().__init__(*refusals)
        self.method = method
        self.begun, self.go_on = threading.Event(), threading.Event()

    def reserve(self, charges):
        super().reserve(charges)
        if self.method == "reserve" and self.kinds().count("reserve") == 1:
            self._dawdle()

    def refuse(self, buckets, seconds):
        super().refuse(buckets, seconds)
        self.refusals = [seconds] * 10
        if self.method == "refuse":
            self._dawdle()

    def _dawdle(self):
        self.begun.set()
        assert self.go_on.wait(10)


def test_nobody_sends_while_a_refusal_is_being_stored(wire):
    purse = Slow("refuse")
    session = Session(BASE, budget=purse)
    wire.get(f"{BASE}/a", status=429, headers={"Retry-After": "37"})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(session.call, "GET", "/a")
        assert purse.begun.wait(10)
        second = pool.submit(session.call, "GET", "/a")
        assert purse.kinds() == ["reserve", "refuse"]
        purse.go_on.set()
        assert isinstance(first.exception(10), RateLimited)
        assert isinstance(second.exception(10), BudgetSpent)
    assert len(wire.calls) == 1


def test_who_was_let_in_before_a_refusal_asks_again(wire):
    purse = Slow("reserve")
    session = Session(BASE, budget=purse)
    wire.get(f"{BASE}/a", status=429, headers={"Retry-After": "37"})
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(session.call, "GET", "/a")
        assert purse.begun.wait(10)
        with pytest.raises(RateLimited):
            session.call("GET", "/a")
        purse.go_on.set()
        assert isinstance(early.exception(10), BudgetSpent)
    assert len(wire.calls) == 1


class Door(BaseHTTPRequestHandler):
    """Lets `server.size` requests come in, refuses the first, and answers the others later."""

    def do_GET(self):
        with self.server.lock:
            self.server.came += 1
            number = self.server.came
        if number <= self.server.size:
            self.server.meet.wait(10)
        if number == 1:
            self.send_response(429)
            self.send_header("Retry-After", "37")
        else:
            assert self.server.go_on.wait(10)
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


def test_after_a_refusal_no_worker_sends_anything(database, database_url):
    """Two workers with connections of their own; all requests of the first round are under way."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.size, server.came, server.lock = 6, 0, threading.Lock()
    server.meet, server.go_on = threading.Barrier(6), threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    other = Database(database_url)
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        workers = [
            Session(base, budget=StoredBudget(one, "acme", 0.2)) for one in (database, other)
        ]

        def work(number):
            errors = []
            for _ in range(4):
                try:
                    workers[number % 2].call("GET", "/a")
                except RateLimited as error:
                    errors.append(type(error))
                    server.go_on.set()
            return errors

        with ThreadPoolExecutor(6) as pool:
            ended = list(pool.map(work, range(6)))
        assert server.came == 6
        assert sorted(len(one) for one in ended) == [3, 3, 3, 3, 3, 4]
        assert sum(one.count(RateLimited) for one in ended) == 1
    finally:
        server.shutdown()
        server.server_close()
        other.dispose()
