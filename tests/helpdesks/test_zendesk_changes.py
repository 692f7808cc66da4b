"""Zendesk's exports: what changed, what happened, and pages that lead nowhere."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import HelpdeskUnreachable, RateLimited, RoleMissing
from connector.helpdesks.base import Counters
from connector.helpdesks.zendesk import events
from connector.helpdesks.zendesk.catalogue import Catalogue
from connector.helpdesks.zendesk.exports import newest
from connector.helpdesks.zendesk.people import People
from sandbox.application import create_sandbox
from sandbox.server import serving

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
EXPORT = f"{API}/incremental/tickets/cursor"
EVENTS = f"{API}/incremental/ticket_events"
SINCE = datetime(2026, 3, 2, 8, tzinfo=UTC)
START = int(SINCE.timestamp())
EARLY = datetime(2020, 1, 1, tzinfo=UTC)
SIGN_IN = {"email": "agent@sandbox.test", "api_token": "sandbox"}


class Live:
    """A local Zendesk over HTTP."""

    def __init__(self, desk, url, app):
        self.desk, self.url, self.app = desk, url, app
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        answer = self.http.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def switch(self, **switches):
        self.control("switches", switches)

    def ticket(self, **named):
        return str(self.control("tickets", {"subject": "Printer on fire"} | named)["id"])

    def pass_by(self, seconds):
        self.control("clock", {"advance_seconds": seconds})

    def open(self, **named):
        given = {"base_url": self.url, "sign_in": SIGN_IN, "robots": []} | named
        return self.desk.open(**given)

    def asked(self):
        return self.control("requests")["counts"]

    def forget(self):
        self.control("requests", method="DELETE")


@contextmanager
def served(desk, **settings):
    with serving(create_sandbox("zendesk", **({"tickets": 0} | settings))) as server:
        live = Live(desk, server.url, server.app)
        yield live
        live.http.close()


@pytest.fixture
def live(zendesk):
    with served(zendesk) as one:
        yield one


def pages_of(read, since=EARLY, cursor=None, most=20):
    """All pages until the end; each cursor is stored as JSON in between."""
    found = []
    for _ in range(most):
        page = read(cursor, since)
        found.append(page)
        if page.end:
            return found
        cursor = json.loads(json.dumps(page.cursor))
    raise AssertionError("the export does not come to an end")


def ids_of(pages):
    return [reading.ticket.id for page in pages for reading in page.readings]


# --- tickets -------------------------------------------------------------------------------------


def test_every_change_is_shown_once_and_the_cursor_serves_again(live):
    tickets = [live.ticket() for _ in range(3)]
    live.pass_by(120)
    helpdesk = live.open()
    (page,) = pages_of(helpdesk.changes)

    assert ids_of([page]) == tickets
    assert page.readings[0].counters.comments == 1
    again = helpdesk.changes(page.cursor, EARLY)
    assert (again.readings, again.end) == ((), True)
    live.control(f"tickets/{tickets[1]}", {"priority": "urgent"})
    live.pass_by(120)
    assert ids_of([helpdesk.changes(again.cursor, EARLY)]) == [tickets[1]]


def test_what_the_export_shows_is_what_a_read_shows(live):
    ticket = live.ticket(priority="high", tags=["plan_gold"])
    live.pass_by(600)
    live.control(f"tickets/{ticket}/reply", {"as": "agent", "body": "Put it out."})
    live.pass_by(120)
    helpdesk = live.open()
    (page,) = pages_of(helpdesk.changes)

    assert page.readings == (helpdesk.read(ticket),) == (helpdesk.refresh(page.readings[0]),)


def test_the_newest_minute_is_withheld_and_the_position_says_so(live):
    live.control("clock", {"freeze": True})
    live.ticket()
    helpdesk = live.open()
    now = datetime.fromisoformat(live.control("clock")["now"])
    page = helpdesk.changes(None, now - timedelta(seconds=100))

    assert (page.readings, page.end) == ((), True)
    assert now - timedelta(seconds=90) < page.position <= now - timedelta(seconds=60)


@pytest.mark.parametrize("status", [400, 422])
def test_a_start_within_the_last_minute_waits_and_is_kept(live, status):
    live.switch(too_recent_status=status)
    ticket, helpdesk = live.ticket(), live.open()
    now = datetime.fromisoformat(live.control("clock")["now"])
    page = helpdesk.changes(None, now)

    assert (page.readings, page.end) == ((), True)
    assert page.cursor == {"since": int(now.timestamp())}
    live.ticket()
    live.pass_by(180)
    later = helpdesk.changes(page.cursor, EARLY)
    assert len(later.readings) in (1, 2)  # the first was made in the second of `now`, or before
    assert ticket not in ids_of([later])[1:]


def test_a_deleted_ticket_is_shown_as_such(live):
    ticket = live.ticket()
    live.control(f"tickets/{ticket}", method="DELETE")
    live.pass_by(120)
    (page,) = pages_of(live.open().changes)

    (reading,) = page.readings
    assert (reading.read_only, reading.ticket.values["cancelled"]) == ("deleted", "deleted")


def test_doubles_within_a_page_are_one(live):
    tickets = [live.ticket() for _ in range(3)]
    live.pass_by(120)
    live.switch(export_duplicates=True)
    (page,) = pages_of(live.open().changes)

    assert sorted(ids_of([page])) == tickets


def test_a_page_that_takes_too_long_is_asked_for_smaller_and_stays_so(live):
    for _ in range(300):
        live.ticket()
    live.pass_by(120)
    live.switch(export_times_out_above=250)
    helpdesk = live.open()
    with pytest.raises(HelpdeskUnreachable):  # 1000 and 500 in one call
        helpdesk.changes(None, EARLY)
    first, second = pages_of(helpdesk.changes)

    assert (len(first.readings), len(second.readings)) == (250, 50)
    assert (first.cursor["per_page"], first.cursor["pages"]) == (250, 1)
    assert "per_page" not in second.cursor


def test_pages_grow_again_after_a_while(zendesk, wire):
    zendesk.serve(wire)
    for number in range(25):
        wire.get(EXPORT, json=told(after_cursor=f"c{number}", end_of_stream=number == 24))
    pages = pages_of(zendesk.open().changes, cursor={"per_page": 250}, most=30)

    sizes = [page.cursor.get("per_page") for page in pages]
    assert sizes == [250] * 19 + [500] * 5 + [None]


def test_nothing_that_was_never_sent_makes_a_page_smaller(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EXPORT, body=requests.ConnectTimeout())
    helpdesk = zendesk.open()
    with pytest.raises(HelpdeskUnreachable):
        helpdesk.changes(None, SINCE)
    wire.replace("GET", EXPORT, body=requests.ReadTimeout())
    with pytest.raises(HelpdeskUnreachable):
        helpdesk.changes(None, SINCE)

    asked = [call.request.url for call in wire.calls if EXPORT in call.request.url]
    assert [url.rpartition("per_page=")[2] for url in asked] == ["1000", "1000", "500"]


def test_a_cursor_that_stands_still_is_an_error_and_the_next_call_begins_at_its_position(live):
    tickets = [live.ticket() for _ in range(150)]
    live.pass_by(120)
    live.switch(export_cursor="stuck")
    helpdesk = live.open()
    page = helpdesk.changes({"per_page": 100}, EARLY)
    with pytest.raises(HelpdeskUnreachable, match="does not advance"):
        helpdesk.changes(page.cursor, EARLY)
    live.switch(export_cursor="advances")

    rest = pages_of(helpdesk.changes, cursor=page.cursor)
    assert set(ids_of([page, *rest])) == set(tickets)


def told(*rows, **more):
    return {"tickets": list(rows), "after_cursor": "next", "end_of_stream": True} | more


def row(number, moved, **more):
    created = "2026-03-02T08:00:00Z"
    return {"id": number, "generated_timestamp": moved, "created_at": created} | more


def test_a_row_that_cannot_be_understood_loses_nothing_but_itself(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EXPORT, json=told(row(1, 10), row(2, 11, created_at=None), {"id": None}, row(3, "12")))
    page = zendesk.open().changes(None, SINCE)

    assert (ids_of([page]), page.unread) == (["1", "3"], ("2",))
    assert page.cursor == {"after": "next", "position": 12}


@pytest.mark.parametrize(
    "deleted",
    [
        {"id": 1, "status": "deleted"},
        {"id": 1, "status": "deleted", "generated_timestamp": 1772442071},
        {"id": 1, "status": "deleted", "updated_at": "2026-03-02T09:01:11Z", "subject": None},
        {"id": 1, "status": "Deleted", "generated_timestamp": 10**30, "tags": None},
    ],
)
def test_of_a_deleted_ticket_everything_else_may_be_missing(zendesk, wire, deleted):
    zendesk.serve(wire)
    wire.get(EXPORT, json=told(deleted))
    page = zendesk.open().changes(None, SINCE)

    assert page.unread == ()
    assert page.readings[0].ticket.values["cancelled"] == "deleted"


@pytest.mark.parametrize(
    "answer",
    [
        {"tickets": [], "after_cursor": None},
        {"tickets": [], "after_cursor": "now", "end_of_stream": None},
        {"tickets": None},
        {"tickets": []},
    ],
)
def test_an_answer_that_leaves_something_out_ends_or_fails(zendesk, wire, answer):
    zendesk.serve(wire)
    wire.get(EXPORT, json=answer)
    helpdesk, cursor = zendesk.open(), {"after": "now", "position": 10}

    if answer["tickets"] is None:
        with pytest.raises(HelpdeskUnreachable, match="tickets"):
            helpdesk.changes(cursor, SINCE)
    else:
        page = helpdesk.changes(cursor, SINCE)
        assert (page.end, page.cursor) == (True, {"after": "now", "position": 10})


def test_a_cursor_that_is_refused_is_left_for_its_position(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EXPORT, status=400, json={"error": "InvalidCursor", "description": "not valid"})
    helpdesk, cursor = zendesk.open(), {"after": "old", "position": START}
    with pytest.raises(HelpdeskUnreachable, match="InvalidCursor"):
        helpdesk.changes(cursor, EARLY)
    wire.replace("GET", EXPORT, json=told(row(1, 10)))

    assert ids_of([helpdesk.changes(cursor, EARLY)]) == ["1"]
    assert any(f"cursor?start_time={START}&" in call.request.url for call in wire.calls)


def test_a_refusal_is_no_reason_for_a_smaller_page(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EXPORT, status=429, headers={"Retry-After": "40"})
    helpdesk = zendesk.open()
    with pytest.raises(RateLimited):
        helpdesk.changes(None, SINCE)
    wire.replace("GET", EXPORT, status=403, json={"error": {"title": "Forbidden", "message": "x"}})
    with pytest.raises(RoleMissing, match="admin"):
        helpdesk.changes(None, SINCE)

    assert all(
        "per_page=1000" in call.request.url for call in wire.calls if EXPORT in call.request.url
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), max_size=20))
def test_the_newest_row_of_each_ticket_is_kept(pairs):
    rows = [{"id": number, "generated_timestamp": moved} for number, moved in pairs]
    found = newest(rows)

    assert {one["id"] for one in found} == {number for number, _ in pairs}
    assert all(
        one["generated_timestamp"] == max(moved for number, moved in pairs if number == one["id"])
        for one in found
    )


# --- what happened -------------------------------------------------------------------------------


@pytest.fixture
def eventful(live):
    """Tickets with a past of every kind that we read."""
    live.desk.with_inputs(
        {"impact": {"field": "Customers affected"}, "description": {"field": "description"}}
    )
    first = live.ticket(priority="low", tags=["plan_gold"], organization="Acme")
    live.pass_by(100)
    live.control(f"tickets/{first}/note", {"as": "agent", "body": "secret words"})
    live.control(f"tickets/{first}", {"priority": "urgent", "status": "open"})
    live.pass_by(100)
    live.control(f"tickets/{first}/reply", {"as": "agent", "body": "secret words"})
    live.control(f"tickets/{first}", {"status": "pending", "tags": ["plan_gold", "complaint"]})
    live.pass_by(100)
    live.control(f"tickets/{first}/reply", {"as": "customer", "body": "secret words"})
    live.control(f"tickets/{first}/call", {"as": "agent", "body": "secret words"})
    live.control(f"tickets/{first}", {"status": "solved"})
    second = live.ticket()
    live.pass_by(120)
    return live, (first, second)


@pytest.mark.parametrize("shape", ["named", "audit"])
def test_the_history_is_the_same_from_events_as_from_audits(eventful, shape):
    live, tickets = eventful
    live.switch(ticket_events_shape=shape)
    helpdesk = live.open()
    (page,) = pages_of(helpdesk.events)
    rows = json.loads(json.dumps(dict(page.rows)))

    assert set(rows) == set(tickets)
    assert "secret" not in json.dumps(rows)
    assert "Printer" not in json.dumps(rows)
    for ticket in tickets:
        reading = helpdesk.read(ticket)
        live.forget()
        told = helpdesk.history(reading, [*rows[ticket], *rows[ticket][-1:]])
        assert not any("audits" in call for call in live.asked())
        assert told == helpdesk.history(reading)
    assert len(helpdesk.history(helpdesk.read(tickets[0]), rows[tickets[0]]).replies) == 1


@pytest.mark.parametrize("shape", ["named", "audit"])
def test_whole_histories_are_the_same_from_events_as_from_audits(zendesk, shape):
    with served(zendesk, tickets=24) as live:
        live.switch(ticket_events_shape=shape)
        live.pass_by(120)
        helpdesk = live.open()
        pages = pages_of(helpdesk.events)
        readings = [one for page in pages_of(helpdesk.changes) for one in page.readings]
        assert len(readings) == 24
        for reading in readings:
            rows = [row for page in pages for row in page.rows.get(reading.ticket.id, ())]
            assert events.are_whole(rows, reading.raw["state"], reading.raw["comments"])
            assert helpdesk.history(reading, rows) == helpdesk.history(reading)


def test_a_page_as_zendesk_records_it(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EXPORT, json=zendesk.sample("export_tickets"))
    page = zendesk.open(robots=[]).changes(None, SINCE)

    assert ids_of([page]) == ["35437", "35436"]
    assert page.unread == ("35438",)
    assert [one.read_only for one in page.readings] == ["deleted", None]
    assert page.readings[1].counters == Counters(
        replies=1,
        comments=2,
        reopens=0,
        latest_comment_at=SINCE.replace(hour=9, minute=1, second=11),
        status_updated_at=SINCE.replace(hour=9, minute=1, second=11),
    )
    assert page.position == SINCE.replace(hour=9, minute=1, second=11)


def test_events_as_zendesk_records_them(zendesk, wire):
    zendesk.with_inputs({"impact": {"field": "Customers affected"}})
    zendesk.serve(wire)
    wire.get(EXPORT, json=zendesk.sample("export_tickets"))
    wire.get(EVENTS, json=zendesk.sample("export_events"))
    helpdesk = zendesk.open()
    page = helpdesk.events(None, SINCE)
    (_, reading) = helpdesk.changes(None, SINCE).readings
    history = helpdesk.history(reading, page.rows["35436"])

    assert "Printer" not in json.dumps(dict(page.rows))
    assert "burns" not in json.dumps(dict(page.rows))
    assert [reply.at for reply in history.replies] == [SINCE.replace(hour=9, minute=1, second=11)]
    assert [(one.field, one.before, one.after, one.by_agent) for one in history.changes] == [
        ("priority", "4", "2", False),
        ("class", "other", "incident", True),
        ("impact", "7", "745", True),
        ("status", "new", "pending", True),
        ("waiting", None, "customer", True),
    ]
    assert not [call for call in wire.calls if "audits" in call.request.url]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_events_come_once_whatever_the_pages_share(eventful, size):
    live, _ = eventful
    helpdesk = live.open()
    (whole,) = pages_of(helpdesk.events)
    pages = pages_of(helpdesk.events, cursor={"per_page": size})
    parts = [row for page in pages for rows in page.rows.values() for row in rows]

    assert len(pages) > 1
    assert sorted(one["id"] for one in parts) == sorted(
        one["id"] for rows in whole.rows.values() for one in rows
    )
    again = helpdesk.events(pages[-1].cursor, EARLY)
    assert (again.rows, again.end) == ({}, True)


def test_a_past_that_the_events_do_not_tell_whole_is_read_from_the_audits(eventful):
    live, (first, _) = eventful
    helpdesk = live.open()
    (page,) = pages_of(helpdesk.events)
    reading, rows = helpdesk.read(first), page.rows[first]
    expected = helpdesk.history(reading)

    assert helpdesk.history(reading, ()) == expected
    assert helpdesk.history(reading, rows[1:]) == expected
    for place in range(len(rows)):  # whichever is missing
        rest = [*rows[:place], *rows[place + 1 :]]
        assert helpdesk.history(reading, rest) == expected


@pytest.mark.parametrize("size", [2, 3, 100])
def test_a_pinned_export_ends_and_its_holes_are_read_from_the_audits(live, size):
    live.control("clock", {"freeze": True})
    live.switch(pinned_timestamp=True)
    tickets = [live.ticket(priority="low") for _ in range(3)]
    for ticket in tickets:
        live.control(f"tickets/{ticket}/reply", {"as": "agent", "body": "x"})
        live.control(f"tickets/{ticket}", {"status": "pending"})
    live.pass_by(120)
    helpdesk = live.open()
    pages = pages_of(helpdesk.events, cursor={"per_page": size, "since": 10**9})

    for ticket in tickets:
        rows = [row for page in pages for row in page.rows.get(ticket, ())]
        reading = helpdesk.read(ticket)
        assert helpdesk.history(reading, rows) == helpdesk.history(reading)


def event(number, at, ticket=1, **more):
    return {"id": number, "ticket_id": ticket, "timestamp": at, "child_events": []} | more


def event_page(rows, following, **more):
    return {"ticket_events": rows, "next_page": f"{EVENTS}.json?start_time={following}"} | more


def test_a_tail_whose_next_page_is_itself_is_the_end(zendesk, wire):
    zendesk.serve(wire)
    wire.get(EVENTS, json=event_page([event(1, START)], START))
    helpdesk = zendesk.open()
    page = helpdesk.events(None, SINCE)

    assert (page.end, page.cursor) == (True, {"since": START, "seen": ["1"]})
    assert helpdesk.events(page.cursor, SINCE).rows == {}


def test_a_second_that_holds_more_than_a_page_is_stepped_over(zendesk, wire):
    zendesk.serve(wire)
    many = [event(number, START) for number in range(1000)]
    wire.get(EVENTS, json=event_page(many, START, end_of_stream=False))
    page = zendesk.open().events(None, SINCE)

    assert (page.end, page.cursor) == (False, {"since": START + 1, "seen": []})


@pytest.mark.parametrize("address", [None, 7, "https://evil.example/x?start_time=no", {}])
def test_without_a_next_page_the_end_time_counts(zendesk, wire, address):
    zendesk.serve(wire)
    rows = [event(1, START + 5), event(2, START + 9)]
    answer = {"ticket_events": rows, "next_page": address, "end_time": str(START + 9)}
    wire.get(EVENTS, json=answer | {"end_of_stream": True})

    page = zendesk.open().events(None, SINCE)
    assert page.cursor == {"since": START + 9, "seen": ["2"]}
    assert page.position == SINCE + timedelta(seconds=9)


NAMES = (
    "id", "ticket_id", "type", "event_type", "child_events", "events", "via", "value", "tags",
    "status", "field_name", "previous_value", "custom_ticket_fields", "added_tags", "timestamp",
    "created_at", "updater_id", "public", "data",
)  # fmt: skip
ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["via", "timestamp", "updater_id", "id"]), ODD), ODD)
def test_whatever_stands_in_an_event_it_is_cut_down_or_left_out(row, children):
    rows = events.rows_of(
        [
            row
            | {
                "ticket_id": 7,
                "child_events": [children, *(children if isinstance(children, list) else [])],
            }
        ],
        Catalogue(),
    )

    assert json.loads(json.dumps(rows["7"])) == list(rows["7"])
    assert events.are_whole(rows["7"], {}, 0) in (True, False)


# --- people --------------------------------------------------------------------------------------


def test_roles_are_asked_for_once_a_hundred_at_a_time(eventful):
    asked = []

    def ask(ids):
        asked.append(list(ids))
        return [{"id": int(one), "role": "agent"} for one in ids if one != "7"]

    people = People(ask)
    people.note([{"id": 1, "role": "admin"}, {"id": 2, "role": None}, "x"])
    found = people.of([str(number) for number in range(1, 203)] + ["-1", "", "x"])

    assert [len(one) for one in asked] == [100, 100, 1]
    assert found["1"]["role"] == "admin"
    assert "7" not in found
    assert people.of(["2", "7"]) == {"2": {"id": "2", "role": "agent"}}
    assert len(asked) == 3


# --- a first glance ------------------------------------------------------------------------------


def test_how_many_and_how_old(live):
    helpdesk = live.open()
    assert (helpdesk.count(), helpdesk.oldest_open()) == (0, None)
    solved = live.ticket()
    live.control(f"tickets/{solved}", {"status": "solved"})
    live.pass_by(500)
    oldest = live.ticket()
    live.pass_by(500)
    live.ticket()

    assert helpdesk.count() == 3
    assert helpdesk.oldest_open() == helpdesk.read(oldest).ticket.created_at


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"json": {"count": {"value": 7, "refreshed_at": None}}}, 7),
        ({"json": {"count": 7}}, 7),
        ({"json": {"count": None}}, None),
        ({"status": 404, "json": {"error": "InvalidEndpoint", "description": "Not found"}}, None),
    ],
)
def test_a_count_that_is_not_told_is_none(zendesk, wire, answer, expected):
    wire.get(f"{API}/tickets/count", **answer)

    assert zendesk.open().count() == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, None), (True, None), ("x", None), ([], None), (3, 3), ("04", 4)]
)
def test_a_comment_count_is_a_number_or_not_told(zendesk, wire, value, expected):
    zendesk.serve(wire)
    document = zendesk.sample("ticket")
    document["ticket"]["comment_count"] = value
    wire.get(f"{API}/tickets/show_many", json={"tickets": [document["ticket"]]})
    (reading,) = zendesk.open(robots=[]).read_many(["35436"])
    (with_robots,) = zendesk.open(robots=["3001"]).read_many(["35436"])

    assert reading.counters == Counters(comments=expected)
    assert with_robots.counters == Counters()  # one comment more may be a robot's reply
