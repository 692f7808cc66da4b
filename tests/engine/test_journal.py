"""What the journal makes of two looks at the same ticket: when values changed, who replied."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.engine.journal import Past, complete, extend, from_body, needs_history, to_body
from connector.helpdesks.base import Counters, History, Observation, Reading
from connector.store import tables
from mappings.ticket import PRIORITY, STATUS, WAITING, Change, Channel, Reply, Ticket
from tests.engine.conftest import Desk

BORN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return BORN + timedelta(minutes=minutes)


def reading(
    updated: float = 0,
    *,
    status: str = "open",
    priority: str | None = "2",
    waiting: str | None = None,
    replies: Sequence[Reply] = (),
    changes: Sequence[Change] = (),
    calls: Sequence[Reply] = (),
    counters: Counters | None = None,
    mapped: Sequence[str] = (),
    **others: str | None,
) -> Reading:
    values = {STATUS: status, PRIORITY: priority, WAITING: waiting, **others}
    return Reading(
        ticket=Ticket(
            id="1",
            created_at=BORN,
            reported_at=BORN,
            channel=Channel.PORTAL,
            values=values,
            mapped=frozenset(mapped),
            replies=tuple(replies),
            calls=tuple(calls),
            changes=tuple(changes),
        ),
        updated_at=at(updated),
        counters=counters or Counters(),
        fields={},
        tags=frozenset(),
    )


def past(**named: Any) -> Past:
    """The journal after the first look at a ticket that was just born."""
    return extend(None, reading(**named), None)


def changed(found: Past, name: str) -> list[tuple[datetime, str | None, str | None]]:
    return [(one.at, one.before, one.after) for one in found.changes if one.field == name]


def observed(name: str, after: str | None, minutes: float) -> Observation:
    return Observation(field=name, before=None, after=after, at=at(minutes))


# --- when a value changed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observations", "status_updated", "expected"),
    [
        pytest.param([observed(STATUS, "solved", 7)], 8, 8, id="as-the-helpdesk-dates-it"),
        pytest.param([observed(STATUS, "solved", 7)], None, 7, id="as-a-webhook-reported"),
        pytest.param([], None, 10, id="when-the-ticket-was-updated"),
        pytest.param([observed(STATUS, "pending", 7)], None, 10, id="webhook-of-another-value"),
        pytest.param([observed(PRIORITY, "solved", 7)], None, 10, id="webhook-of-another-field"),
        pytest.param([observed(STATUS, "solved", 11)], None, 10, id="webhook-after-the-read"),
        pytest.param([observed(STATUS, "solved", -200)], None, 10, id="webhook-of-long-ago"),
        pytest.param(
            [observed(STATUS, "solved", 3), observed(STATUS, "solved", 7)], None, 7, id="the-latest"
        ),
    ],
)
def test_a_change_of_status_is_dated_as_well_as_it_can_be(
    observations: Sequence[Observation], status_updated: float | None, expected: float
) -> None:
    stated = Counters(status_updated_at=None if status_updated is None else at(status_updated))
    after = reading(10, status="solved", counters=stated)
    found = extend(past(), after, None, observations)
    assert changed(found, STATUS) == [(at(expected), "open", "solved")]


def test_the_inferred_change_of_the_reading_dates_a_status_too() -> None:
    inferred = Change(at=at(6), field=STATUS, before="open", after="pending", inferred=True)
    after = reading(10, status="pending", waiting="customer", changes=[inferred])
    found = extend(past(), after, None)
    assert changed(found, STATUS) == [(at(6), "open", "pending")]
    assert changed(found, WAITING) == [(at(6), None, "customer")]


def test_an_instant_that_dated_the_last_change_does_not_date_the_next() -> None:
    stated = Counters(status_updated_at=at(5))
    first = extend(past(), reading(5, status="pending", counters=stated), None)
    second = extend(first, reading(10, status="open", counters=stated), None)
    assert changed(second, STATUS) == [(at(5), "open", "pending"), (at(10), "pending", "open")]


def test_a_priority_is_dated_by_the_webhook_or_by_the_update_never_by_the_status() -> None:
    stated = Counters(status_updated_at=at(3))
    after = reading(10, priority="1", counters=stated)
    assert changed(extend(past(), after, None), PRIORITY) == [(at(10), "2", "1")]
    seen = [observed(PRIORITY, "1", 4)]
    assert changed(extend(past(), after, None, seen), PRIORITY) == [(at(4), "2", "1")]


def test_a_look_at_an_unchanged_ticket_adds_nothing() -> None:
    first = extend(past(), reading(10, status="pending"), None)
    assert extend(first, reading(20, status="pending"), None).changes == first.changes


def test_the_changes_of_a_history_replace_what_was_inferred() -> None:
    told = (Change(at=at(4), field=STATUS, before="open", after="pending"),)
    history = History(replies=(), changes=told, known_since=BORN)
    found = extend(past(), reading(10, status="pending"), history)
    assert (found.changes, found.known_since) == (told, BORN)


def test_a_history_of_replies_alone_leaves_the_changes() -> None:
    history = History(replies=(Reply(at=at(5)),), changes=(), known_since=None)
    found = extend(past(), reading(10, status="pending"), history)
    assert changed(found, STATUS) == [(at(10), "open", "pending")]
    assert found.replies == history.replies


@pytest.mark.parametrize(("updated", "expected"), [(0, BORN), (30, at(30))])
def test_the_past_is_known_from_the_start_only_when_nothing_had_happened(
    updated: float, expected: datetime
) -> None:
    assert past(updated=updated).known_since == expected


# --- values that a look does not tell -----------------------------------------------------------


def test_a_value_that_a_look_does_not_tell_has_not_moved() -> None:
    first = past(description="filled", impact="high", mapped=["impact"])
    silent = reading(10, mapped=["impact"])
    second = extend(first, silent, None)
    assert second.changes == ()
    assert complete(silent.ticket, second).values == first.values
    third = extend(second, reading(20, description=None, impact="high", mapped=["impact"]), None)
    assert changed(third, "description") == [(at(20), "filled", None)]
    assert changed(third, "impact") == []


def test_a_value_that_is_told_for_the_first_time_has_not_moved() -> None:
    found = extend(past(), reading(10, description="filled"), None)
    assert found.changes == ()
    assert found.values["description"] == "filled"


def test_a_field_that_is_mapped_no_more_is_empty_and_counts_again_when_it_is_back() -> None:
    first = extend(past(impact="low", mapped=["impact"]), reading(10), None)
    assert "impact" not in first.values
    again = extend(first, reading(20, impact="high", mapped=["impact"]), None)
    assert changed(again, "impact") == [(at(10), "low", None), (at(20), None, "high")]


def test_a_history_leaves_the_changes_of_values_that_it_never_tells() -> None:
    first = past(suspended=None, impact=None, mapped=["suspended", "impact"])
    told = (Change(at=at(4), field=STATUS, before="open", after="pending"),)
    history = History(replies=(), changes=told, known_since=BORN, untold=frozenset({"suspended"}))
    after = reading(10, status="pending", suspended="true", impact="high", mapped=["impact"])
    found = extend(first, after, history)
    assert changed(found, "suspended") == [(at(10), None, "true")]
    assert changed(found, "impact") == []
    assert changed(found, STATUS) == [(at(4), "open", "pending")]


# --- when the history is read --------------------------------------------------------------------

QUIET = Counters(replies=1, reopens=0, status_updated_at=at(1))


@pytest.mark.parametrize(
    ("known", "seen", "expected"),
    [
        pytest.param(None, reading(0), False, id="just-born"),
        pytest.param(None, reading(30), True, id="has-a-past"),
        pytest.param(QUIET, reading(30, counters=QUIET), False, id="counters-stand"),
        pytest.param(QUIET, reading(30, counters=Counters(replies=2)), True, id="a-reply-more"),
        pytest.param(QUIET, reading(30, counters=Counters(replies=0)), True, id="a-reply-less"),
        pytest.param(QUIET, reading(30, counters=Counters(reopens=1)), True, id="reopened"),
        pytest.param(QUIET, reading(30, counters=Counters()), False, id="not-told"),
        pytest.param(
            QUIET, reading(30, counters=Counters(possible_call_at=at(30))), True, id="a-call-maybe"
        ),
        pytest.param(
            Counters(possible_call_at=at(30)),
            reading(30, counters=Counters(possible_call_at=at(30))),
            False,
            id="no-call-since",
        ),
        pytest.param(
            QUIET, reading(30, status="solved", counters=QUIET), False, id="a-value-moved"
        ),
    ],
)
def test_the_history_is_read_only_when_something_is_not_explained(
    known: Counters | None, seen: Reading, expected: bool
) -> None:
    before = past(counters=known) if known else None
    assert needs_history(before, seen) == expected


# --- replies -------------------------------------------------------------------------------------


def replied(found: Past) -> list[float]:
    return [(reply.at - BORN).total_seconds() / 60 for reply in found.replies]


def test_a_reply_that_every_look_tells_again_is_counted_once() -> None:
    first = extend(past(), reading(5, replies=[Reply(at=at(5))]), None)
    second = extend(first, reading(9, replies=[Reply(at=at(5)), Reply(at=at(9))]), None)
    third = extend(second, reading(12, replies=[Reply(at=at(5)), Reply(at=at(12))]), None)
    assert replied(third) == [5, 9, 12]


def test_a_reply_known_to_the_second_stands_for_one_known_to_the_minute() -> None:
    vague = Reply(at=at(5), exact=False)
    first = extend(past(), reading(6, replies=[vague]), None)
    second = extend(first, reading(7, replies=[vague, Reply(at=at(5.5))]), None)
    assert [(reply.at, reply.exact) for reply in first.replies] == [(at(5), False)]
    assert [(reply.at, reply.exact) for reply in second.replies] == [(at(5.5), True)]


def test_a_reply_that_the_history_rules_out_does_not_come_back_with_the_figures() -> None:
    """The helpdesk's figures count a robot's reply; the history knows who wrote it."""
    robot, figures = Reply(at=at(1), exact=False), Counters(replies=1, reopens=0)
    nobody = History(replies=(), changes=(), known_since=BORN)
    first = extend(past(), reading(1, replies=[robot], counters=figures), nobody)
    second = extend(first, reading(9, replies=[robot], counters=figures), None)
    assert (first.replies, second.replies) == ((), ())


def test_a_reply_that_no_history_could_be_read_for_is_taken_from_the_figures() -> None:
    vague = Reply(at=at(5), exact=False)
    before = past(counters=Counters(replies=0))
    after = reading(5, replies=[vague], counters=Counters(replies=1))
    assert extend(before, after, None).replies == (vague,)


def test_calls_are_counted_like_replies() -> None:
    first = extend(past(), reading(5, calls=[Reply(at=at(5))]), None)
    second = extend(first, reading(9, calls=[Reply(at=at(5)), Reply(at=at(9))]), None)
    assert [one.at for one in second.calls] == [at(5), at(9)]
    told = History(replies=(), calls=(Reply(at=at(4)),), changes=(), known_since=None)
    assert extend(second, reading(10), told).calls == told.calls


# --- storing -------------------------------------------------------------------------------------

INSTANTS = st.integers(0, 10**6).map(lambda seconds: BORN + timedelta(seconds=seconds))
WORDS = st.none() | st.text(max_size=5)
SPOKEN = st.lists(
    st.builds(Reply, at=INSTANTS, exact=st.booleans(), sequence=st.integers(0, 9)), max_size=4
).map(tuple)
PASTS = st.builds(
    Past,
    values=st.dictionaries(st.sampled_from([STATUS, PRIORITY, WAITING, "impact"]), WORDS),
    counters=st.builds(
        Counters,
        replies=st.none() | st.integers(0, 99),
        reopens=st.none() | st.integers(0, 99),
        latest_comment_at=st.none() | INSTANTS,
        status_updated_at=st.none() | INSTANTS,
        possible_call_at=st.none() | INSTANTS,
    ),
    changes=st.lists(
        st.builds(
            Change,
            at=INSTANTS,
            field=st.just(STATUS),
            before=WORDS,
            after=WORDS,
            inferred=st.booleans(),
            sequence=st.integers(0, 9),
            by_agent=st.none() | st.booleans(),
        ),
        max_size=4,
    ).map(tuple),
    replies=SPOKEN,
    calls=SPOKEN,
    known_since=st.none() | INSTANTS,
)


@given(found=PASTS)
def test_a_stored_journal_comes_back_as_it_was(found: Past) -> None:
    assert from_body(to_body(found)) == found


def test_a_journal_of_an_earlier_release_is_read() -> None:
    told = [BORN.timestamp(), STATUS, "open", "solved", False, 3]
    body = {
        "values": {STATUS: "solved"},
        "counters": {"replies": 1, "reopens": 0, "latest_comment_at": None,
                     "status_updated_at": BORN.timestamp()},
        "changes": [told],
        "replies": [[BORN.timestamp(), True, 0]],
        "known_since": None,
    }  # fmt: skip
    found = from_body(body)
    assert (found.calls, found.changes[0].by_agent, found.changes[0].sequence) == ((), None, 3)
    assert found.counters.possible_call_at is None


@given(found=PASTS)
def test_a_ticket_is_completed_with_all_that_the_journal_knows(found: Past) -> None:
    ticket = complete(reading().ticket, found)
    assert (set(ticket.changes), set(ticket.replies)) == (set(found.changes), set(found.replies))
    assert set(ticket.calls) == set(found.calls)
    assert ticket.known_since == found.known_since


# --- with real helpdesks -------------------------------------------------------------------------


def test_history_is_read_once_and_again_only_for_what_the_figures_do_not_explain(
    zendesk: Desk,
) -> None:
    ticket = zendesk.create()
    zendesk.advance(60)
    zendesk.reply(ticket)

    def two_replies() -> None:
        for _ in range(2):
            zendesk.advance(60)
            zendesk.reply(ticket)

    def one_reply() -> None:
        zendesk.advance(60)
        zendesk.reply(ticket)

    counts, replies = [], []
    for change in (lambda: None, lambda: None, lambda: zendesk.edit(ticket, priority="low"),
                   one_reply, two_replies):  # fmt: skip
        change()
        zendesk.look(ticket)
        counts.append(zendesk.helpdesk.called.count("history"))
        replies.append(len(zendesk.rows(tables.history)[0]["body"]["replies"]))
    assert counts == [1, 1, 1, 1, 2]
    assert replies == [1, 1, 1, 2, 4]


def test_a_new_ticket_costs_no_call_for_its_history(desk: Desk) -> None:
    ticket = desk.create()
    desk.look(ticket)
    assert desk.helpdesk.called.count("history") == 0


def test_replies_on_a_real_ticket_are_counted_once(desk: Desk) -> None:
    ticket = desk.create()
    for _ in range(3):
        desk.advance(61)
        desk.reply(ticket)
        desk.look(ticket)
        desk.look(ticket)
    (stored,) = desk.rows(tables.history)
    assert len(stored["body"]["replies"]) == 3


def test_what_a_webhook_observed_dates_the_change_and_is_used_up(desk: Desk) -> None:
    ticket = desk.create()
    desk.look(ticket)
    desk.advance(600)
    desk.edit(ticket, priority="urgent")
    told = desk.stands(ticket).updated_at - timedelta(seconds=90)
    desk.hint(ticket, seen=[Observation(field=PRIORITY, before="2", after="1", at=told)])
    desk.drain()
    (stored,) = desk.rows(tables.history)
    found = [one for one in stored["body"]["changes"] if one[1] == PRIORITY]
    assert [one[0] for one in found] == [told.timestamp()]
    assert desk.rows(tables.observation) == []


def test_a_change_whose_webhook_was_lost_is_not_dated_by_the_next_webhook(zendesk: Desk) -> None:
    ticket = zendesk.create(priority="low")
    zendesk.enrich(ticket)
    zendesk.drain_until_quiet()
    zendesk.advance(600)
    zendesk.edit(ticket, priority="urgent")  # its webhook is lost
    changed_at = zendesk.stands(ticket).updated_at.timestamp()
    zendesk.advance(7200)
    zendesk.control("POST", f"tickets/{ticket}/note", {"body": "Two hours later."})
    zendesk.enrich(ticket)  # the webhook of the note comes
    zendesk.drain_until_quiet()
    changes = zendesk.rows(tables.history)[0]["body"]["changes"]
    at, inferred = next((one[0], one[4]) for one in changes if one[1] == PRIORITY)
    assert (at, inferred) == (changed_at, False)


def test_a_value_that_went_and_came_back_between_two_looks_is_dated_by_its_webhooks(
    desk: Desk,
) -> None:
    ticket = desk.create()
    desk.look(ticket)
    told = []
    for before, after, name in (("2", "1", "urgent"), ("1", "2", "high")):
        desk.advance(1200)
        desk.edit(ticket, priority=name)
        at = desk.stands(ticket).updated_at
        told.append(Observation(field=PRIORITY, before=before, after=after, at=at))
    calls = desk.helpdesk.called.count("history")
    desk.hint(ticket, seen=told)
    desk.hurry()
    desk.drain()
    changes = desk.rows(tables.history)[0]["body"]["changes"]
    found = [(one[0], one[2], one[3]) for one in changes if one[1] == PRIORITY]
    assert found == [(one.at.timestamp(), one.before, one.after) for one in told if one.at]
    assert desk.helpdesk.called.count("history") == calls


def test_a_status_that_came_back_unheard_of_is_asked_for(zendesk: Desk) -> None:
    ticket = zendesk.create()
    zendesk.edit(ticket, status="open")
    zendesk.advance(60)
    zendesk.look(ticket)
    for status in ("pending", "open"):
        zendesk.advance(2400)
        zendesk.edit(ticket, status=status)
    zendesk.look(ticket)
    zendesk.drain_until_quiet()
    changes = zendesk.rows(tables.history)[0]["body"]["changes"]
    assert [one[3] for one in changes if one[1] == STATUS][-2:] == ["pending", "open"]


def test_what_webhooks_told_in_part_is_asked_for_as_a_whole(zendesk: Desk) -> None:
    ticket = zendesk.create()
    zendesk.look(ticket)
    for name in ("urgent", "high"):
        zendesk.advance(1200)
        zendesk.edit(ticket, priority=name)
        seen = zendesk.stands(ticket).updated_at
        if name == "urgent":
            told = Observation(field=PRIORITY, before="2", after="1", at=seen)
    zendesk.hint(ticket, seen=[told])  # the second delivery was lost
    zendesk.hurry()
    zendesk.drain()
    changes = zendesk.rows(tables.history)[0]["body"]["changes"]
    assert [one[3] for one in changes if one[1] == PRIORITY] == ["1", "2"]
