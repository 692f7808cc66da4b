"""What changed on Freshdesk: no page is lost, nothing is left out, whatever moves in between."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import HelpdeskUnreachable, RateLimited, RoleMissing
from connector.helpdesks.base import Wants
from connector.helpdesks.freshdesk.changes import (
    CHANGED,
    DELETED,
    ENDED_EVERY,
    MOST_PAGES,
    SPAM,
    Listed,
    Place,
    Walk,
)
from connector.helpdesks.freshdesk.client import Client
from connector.http import Session

BASE = "http://127.0.0.1:9"
API = f"{BASE}/api/v2"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def second(number):
    return START + timedelta(seconds=number)


def row(number, at, **more):
    return {"id": number, "status": 2, "updated_at": text(at), "created_at": text(START)} | more


# --- the walk, against a list that moves while it is read ----------------------------------------


@dataclass
class Vendor:
    """A list by `updated_at` whose rows move to the end when their tickets are updated."""

    page_size: int
    inclusive: bool
    now: datetime = START
    rows: dict = field(default_factory=dict)  # id -> (updated_at, version)
    shown: set = field(default_factory=set)  # (id, version)

    def update(self, number):
        version = self.rows.get(number, (None, 0))[1] + 1
        self.rows[number] = (self.now.replace(microsecond=0), version)

    def listed(self, place):
        floor = place.since if self.inclusive else place.since + timedelta(seconds=1)
        found = sorted((at, number) for number, (at, _) in self.rows.items() if at >= floor)
        begin = (place.page - 1) * self.page_size
        page = found[begin : begin + self.page_size]
        more = len(found) > begin + self.page_size
        rows = tuple(row(number, at) for at, number in page)
        return Listed(rows=rows, more=more, at=self.now)

    def show(self, walk):
        """One page, as the adapter takes it; where to go on, and whether the round has ended."""
        if walk.name != CHANGED:
            return walk.after(Listed(rows=(), more=False, at=self.now))
        listed = self.listed(walk.place)
        after = walk.after(listed)
        for one in walk.place.fresh(listed.rows):
            self.shown.add((one["id"], self.rows[one["id"]][1]))
        return after

    def to_the_end(self, walk):
        pages, is_end = 0, False
        while not is_end:
            # as it is stored between two pages
            walk, is_end = self.show(Walk.of(json.loads(json.dumps(walk.to_json()))))
            pages += 1
            assert pages < 200, "the pages do not come to an end"
        return walk, pages


STEPS = st.lists(
    st.tuples(st.floats(0, 2.5), st.lists(st.integers(1, 25), max_size=2)), max_size=12
)


@given(
    st.lists(st.integers(0, 40), max_size=25),
    STEPS,
    st.booleans(),
    st.integers(24, 30),
)
@settings(max_examples=300, deadline=None)
def test_whatever_moves_the_last_state_of_every_ticket_is_shown(begun, steps, inclusive, size):
    vendor = Vendor(page_size=5 if len(steps) < 3 else size, inclusive=inclusive)
    for number, at in enumerate(begun, start=1):
        vendor.now = second(at)
        vendor.update(number)
    vendor.now = second(200)
    walk = Walk.from_instant(LONG_AGO)
    for seconds, numbers in steps:
        walk, _ = vendor.show(walk)
        vendor.now += timedelta(seconds=seconds)
        for number in numbers:
            vendor.update(number)
    for _ in range(2):
        vendor.now += timedelta(seconds=120)
        walk, _ = vendor.to_the_end(walk)

    assert {(number, version) for number, (_, version) in vendor.rows.items()} <= vendor.shown
    vendor.shown.clear()
    assert vendor.to_the_end(walk)[1] <= 3
    assert vendor.shown == set()


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_row_that_leaves_a_crowded_second_hides_no_other(inclusive):
    vendor = Vendor(page_size=5, inclusive=inclusive)
    for number in range(1, 13):
        vendor.update(number)
    vendor.now = second(200)
    walk, _ = vendor.show(Walk.from_instant(START))
    vendor.update(2)
    for _ in range(2):
        walk, _ = vendor.to_the_end(walk)

    assert {(number, 1 + (number == 2)) for number in range(1, 13)} <= vendor.shown


def test_pages_begin_at_the_last_instant_seen_and_are_counted_only_in_a_crowded_second():
    place = Place(since=START)
    rows = tuple(row(number, second(number)) for number in range(10))
    place = place.after(Listed(rows=rows, more=True, at=second(100)))
    assert (place.since, place.page) == (second(8), 1)
    assert place.fresh(rows) == list(rows[:8])

    crowd = tuple(row(number, second(9)) for number in range(20, 30))
    place = place.after(Listed(rows=crowd, more=True, at=second(100)))
    assert (place.since, place.page) == (second(8), 2)


def test_deleted_tickets_and_spam_are_looked_for_at_first_and_every_tenth_round():
    walk, names = Walk.from_instant(START), []
    for _ in range(2 * ENDED_EVERY + 1):
        is_end, round_names = False, ""
        while not is_end:
            round_names += walk.name[0]
            walk, is_end = walk.after(Listed(rows=(), more=False, at=START))
        names.append(round_names)

    few = [CHANGED[0]] * (ENDED_EVERY - 1)
    all_three = CHANGED[0] + DELETED[0] + SPAM[0]
    assert names == [all_three, *few, all_three, *few, all_three]


def test_each_pass_goes_on_where_it_was():
    walk = Walk.from_instant(START)
    walk, _ = walk.after(Listed(rows=(row(1, second(500)),), more=False, at=second(600)))
    assert (walk.name, walk.place.since) == (DELETED, second(-1))
    assert walk.position == second(540)  # so late may a change still show


def test_a_change_in_the_second_of_the_look_is_shown_again():
    fresh, settled = row(1, second(10)), row(2, second(8))
    place = Place(since=START).rest(Listed(rows=(settled, fresh), more=False, at=second(10)))

    assert place.fresh((settled, fresh)) == [fresh]


def test_a_second_with_more_pages_than_freshdesk_shows_is_named():
    place = Place(since=START, page=MOST_PAGES)
    place.refuse_to_stall()
    place = place.after(Listed(rows=(row(1, second(1)),), more=True, at=second(50)))

    with pytest.raises(HelpdeskUnreachable, match=r"09:00:01Z.*--since 2026-03-02T09:00:02Z"):
        place.refuse_to_stall()


def test_a_list_in_another_order_is_refused():
    rows = (row(1, second(50)), row(2, second(3)))

    with pytest.raises(HelpdeskUnreachable, match="order of updated_at"):
        Place(since=START).after(Listed(rows=rows, more=True))


# --- the vendor's answers ------------------------------------------------------------------------


def serve_list(freshdesk, wire, *pages, status=200, **more):
    freshdesk.serve(wire)
    for page in pages:
        wire.get(f"{API}/tickets", json=page, status=status, **more)


def test_a_row_that_cannot_be_understood_does_not_lose_the_page(freshdesk, wire):
    ticket = freshdesk.sample("ticket")
    rows = [{"id": 7, "updated_at": ticket["updated_at"]}, ticket, {"subject": "no id"}, "text"]
    serve_list(freshdesk, wire, rows)
    page = freshdesk.open().changes(None, START)

    assert ([one.ticket.id for one in page.readings], page.unread) == (["20"], ("7",))
    assert not page.readings[0].single


def test_the_list_is_asked_for_as_freshdesk_wants_it(freshdesk, wire):
    serve_list(freshdesk, wire, [])
    freshdesk.open().changes(None, START)

    (asked,) = [call.request for call in wire.calls if "/tickets?" in call.request.url]
    assert asked.params == {
        "updated_since": "2026-03-02T08:59:59Z",
        "order_by": "updated_at",
        "order_type": "asc",
        "per_page": "100",
        "page": "1",
        "include": "stats",
    }


@pytest.mark.parametrize("by_mapping", [True, False])
def test_the_description_is_listed_only_where_it_is_wanted(freshdesk, wire, by_mapping):
    if by_mapping:
        freshdesk.with_inputs({"text": {"field": "description"}})
    serve_list(freshdesk, wire, [])
    freshdesk.open(wants=Wants(description=not by_mapping)).changes(None, START)

    assert "include=stats%2Cdescription" in wire.calls[-1].request.url


@pytest.mark.parametrize(
    "link",
    [
        '< https://x.freshdesk.com/api/v2/tickets?page=2>;rel="next"',
        '<https://x.freshdesk.com/api/v2/tickets?page=2>; rel="next"',
        "<https://x.freshdesk.com/api/v2/tickets?page=2>; rel=next",
    ],
)
def test_a_short_page_with_a_link_is_not_the_last(wire, link):
    wire.get(f"{API}/tickets", json=[], headers={"link": link})
    assert Client(Session(BASE)).changed(CHANGED, text(START), 1, "stats").more


def test_a_full_page_without_a_link_is_asked_behind(wire):
    for size in (100, 99):
        wire.get(f"{API}/tickets", json=[row(number, START) for number in range(size)])
    client = Client(Session(BASE))

    assert [client.changed(CHANGED, text(START), 1, "stats").more for _ in "ab"] == [True, False]


def test_what_the_pass_is_about_is_marked_where_the_rows_do_not_say(wire):
    wire.get(f"{API}/tickets", json=[row(1, START)])
    client = Client(Session(BASE))

    assert client.changed(SPAM, text(START), 1, "stats").rows[0]["spam"] is True
    assert client.changed(DELETED, text(START), 1, "stats").rows[0]["deleted"] is True
    assert "filter=deleted" in wire.calls[-1].request.url


ACCESS_DENIED = {"code": "access_denied", "message": "You are not authorized."}


def test_a_list_that_was_allowed_and_is_refused_once_is_a_matter_of_load(freshdesk, wire):
    helpdesk = freshdesk.open()
    serve_list(freshdesk, wire, ACCESS_DENIED, status=403)
    with pytest.raises(RoleMissing, match=r"GET /api/v2/tickets: the agent.*global ticket scope"):
        helpdesk.changes(None, START)

    wire.reset()
    serve_list(freshdesk, wire, [])
    helpdesk.changes(None, START)
    wire.reset()
    serve_list(freshdesk, wire, ACCESS_DENIED, status=403)
    with pytest.raises(RateLimited, match="under load") as caught:
        helpdesk.changes(None, START)
    assert caught.value.retry_after == 60


def test_the_wall_at_page_300_is_repeated_in_its_own_words(freshdesk, wire):
    why = "You cannot access tickets beyond the 300th page."
    flaw = {"field": "page", "message": why, "code": "invalid_value"}
    refused = {"description": "Validation failed", "errors": [flaw]}
    serve_list(freshdesk, wire, refused, status=400)

    with pytest.raises(HelpdeskUnreachable, match="beyond the 300th page"):
        freshdesk.open().changes(None, START)


def test_the_newest_number_is_about_the_count(freshdesk, wire):
    serve_list(freshdesk, wire, [{"id": "4711"}], [])
    helpdesk = freshdesk.open()

    assert [helpdesk.count(), helpdesk.count()] == [4711, 0]
    assert wire.calls[-1].request.params["updated_since"] == "2000-01-01T00:00:00Z"


def test_there_is_no_export_of_events(freshdesk):
    helpdesk = freshdesk.open()

    assert (helpdesk.capabilities.event_export, helpdesk.oldest_open()) == (False, None)
    with pytest.raises(NotImplementedError):
        helpdesk.events(None, START)


# --- a list read made a single one ---------------------------------------------------------------


def refreshed(freshdesk, wire, **now):
    listed = freshdesk.sample("ticket")
    serve_list(freshdesk, wire, [listed])
    helpdesk = freshdesk.open(mode="native")
    (reading,) = helpdesk.changes(None, START).readings
    wire.reset()
    fresh = {key: value for key, value in listed.items() if key != "stats"}
    wire.get(f"{API}/tickets/20", json=fresh | {"tags": ["new"]} | now)
    return reading, helpdesk.refresh(reading), [call.request.url for call in wire.calls]


def test_figures_are_not_paid_for_twice(freshdesk, wire):
    reading, fresh, asked = refreshed(freshdesk, wire)

    assert asked == [f"{API}/tickets/20"]
    assert (fresh.single, fresh.tags) == (True, {"new"})
    assert (fresh.counters, fresh.ticket.changes) == (reading.counters, reading.ticket.changes)


def test_a_ticket_that_was_updated_since_is_read_whole(freshdesk, wire):
    _, fresh, asked = refreshed(freshdesk, wire, updated_at="2026-03-09T00:00:00Z")

    assert asked == [f"{API}/tickets/20", f"{API}/tickets/20?include=stats"]
    assert fresh.counters.status_updated_at is None
