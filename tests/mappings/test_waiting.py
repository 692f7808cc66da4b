"""The ledger of waiting: causes from the status and from mapped fields, and what each does."""

import pytest

from mappings.evaluate import evaluate
from mappings.policy import Metric
from mappings.waiting import causes_at, waits_of
from tests.builders import a_policy, a_ticket, history, local, shown

AT = local("Mon 03-02 10:00")
TEXT = """
policy: waits
title: Waits
document: waits.txt
calendars: {business: {time_zone: account, week: {mon: ["09:00-17:00"], tue: ["09:00-17:00"]}}}
waiting:
  customer: pause
  suspension: pause
  third_party: {effect: excuse, metrics: [resolution], gaps: [excused]}
  maintenance: {effect: pause, metrics: [resolution]}
targets:
  first_response: [{limit: 4h, clock: business}]
  resolution: [{limit: 6h, clock: business}]
duties: [{id: suspended, when: {waiting: suspension}, tag: true, text: Suspended}]
gaps: [{id: excused, grade: W, text: nothing is said, assumption: third parties excuse}]
"""
POLICY = a_policy(text=TEXT)

STRETCHES = [
    # the flag alone
    ("03-02 11:00 suspended=yes; 03-02 12:00 suspended=", {}, "suspension 11:00-12:00"),
    ("03-02 11:00 suspended=yes", {}, "suspension 11:00-"),
    # the instants beside it are more exact, and a date alone is a whole day
    ("03-02 12:00 suspended=yes", {"suspended_from": "2026-03-02T10:30:00Z"}, "suspension 10:30-"),
    ("03-02 12:00 suspended=x", {"suspended_to": "2026-03-02T13:00:00Z"}, "suspension 12:00-13:00"),
    ("03-02 12:00 suspended=yes", {"suspended_to": "2026-03-02T23:00:00Z"}, "suspension 12:00-"),
    ("03-02 12:00 suspended=yes", {"suspended_from": "2026-03-01", "suspended_to": "2026-03-01"},
     "suspension 00:00-00:00"),
    ("03-02 12:00 suspended=yes", {"suspended_from": "2026-03-03T09:00:00Z"}, ""),
    ("03-02 12:00 suspended=yes", {"suspended_from": "soon"}, "suspension 12:00-"),
    # not flagged: a person took it back
    ("", {"suspended": None, "suspended_from": "2026-03-02T10:30:00Z"}, ""),
    # only the instants are mapped: they alone tell
    ("", {"maintenance_from": "2026-03-02T10:30:00Z", "maintenance_to": "2026-03-02T11:00:00Z"},
     "maintenance 10:30-11:00"),
    ("", {"maintenance_from": None, "maintenance_to": "2026-03-02T11:00:00Z"}, ""),
    # a stretch without length is none
    ("03-02 12:00 suspended=yes", {"suspended_to": "2026-03-02T11:00:00Z"}, ""),
    # several at once, and the status beside them
    ("03-02 11:00 status=pending; 03-02 12:00 third_party=x, access=x; 03-02 13:00 status=open", {},
     "customer 11:00-13:00, third_party 12:00-, access 12:00-"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "values", "expected"), STRETCHES)
def test_stretches(events: str, values: dict[str, str | None], expected: str) -> None:
    ticket = a_ticket(at=AT, events=history(events), **values)
    found = waits_of(ticket, local("Mon 03-02 15:00"), POLICY.zone)
    assert (
        ", ".join(f"{one.cause} {_time(one.start)}-{_time(one.end)}" for one in found) == expected
    )


def _time(at) -> str:
    return (shown(at) or "").rpartition(" ")[2]


def test_every_cause_that_holds_is_a_fact() -> None:
    events = history("03-02 11:00 status=on_hold; 03-02 12:00 suspended=yes")
    ticket = a_ticket(at=AT, events=events)
    causes = [causes_at(ticket, local(f"03-02 {time}"), POLICY.zone) for time in ("11:00", "12:00")]
    assert causes == [["third_party"], ["third_party", "suspension"]]


# events, now -> first response (due 14:00), resolution (due 16:00)
EFFECTS = [
    ("03-02 11:00 status=pending; 03-02 12:00 status=open", "running 15:00", "running Tue 09:00"),
    ("03-02 11:00 maintenance=x; 03-02 12:00 maintenance=", "running 14:00", "running Tue 09:00"),
    ("03-02 11:00 third_party=x; 03-02 12:00 third_party=", "running 14:00", "running 16:00"),
    # overlapping pauses count once
    ("03-02 11:00 status=pending; 03-02 11:30 suspended=x; 03-02 12:00 status=open, suspended=",
     "running 15:00", "running Tue 09:00"),
    ("03-02 11:30 suspended=x", "paused", "paused"),
    ("03-02 11:30 access=x", "running 14:00", "running 16:00"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "response", "resolution"), EFFECTS)
def test_what_a_wait_does(events: str, response: str, resolution: str) -> None:
    found = evaluate(a_ticket(at=AT, events=history(events)), POLICY, local("Mon 03-02 12:30"))
    told = {
        one.metric: f"{one.state} {shown(one.outcome.due_at) or ''}".replace("Mon 03-02 ", "")
        .replace("03-03 ", "")
        .strip()
        for one in found.metrics
    }
    # 10:00 + 4 h or 6 h of open time; an hour more carries the resolution to the close of the day
    resolution = resolution.replace("Tue 09:00", "17:00")
    assert told == {Metric.FIRST_RESPONSE: response, Metric.RESOLUTION: resolution}


def test_an_answer_rests_on_the_reading_of_a_wait_only_while_there_was_one() -> None:
    quiet = evaluate(a_ticket(at=AT), POLICY, local("Mon 03-02 12:30"))
    events = history("03-02 11:00 third_party=x")
    waited = evaluate(a_ticket(at=AT, events=events), POLICY, local("Mon 03-02 12:30"))
    assert [gap.partition(":")[0] for gap in quiet.gaps] == ["time zone assumed", "not_mapped"]
    assert "excused: third parties excuse (nothing is said)" in waited.gaps


SUSPENDED = {"suspended_from": "2026-03-02T11:00:00Z", "suspended_to": "2026-03-02T12:00:00Z"}
CHANGES = [
    ("10:00", "11:00", "running"),
    ("11:00", "12:00", "paused"),
    ("12:00", "14:00", "running"),  # at risk after 3 of 4 h, an hour later for the suspension
]


@pytest.mark.parametrize(("now", "change", "state"), CHANGES)
def test_what_a_field_says_of_the_future_is_the_next_change(now, change, state) -> None:
    ticket = a_ticket(at=AT, suspended="yes", **SUSPENDED)
    found = evaluate(ticket, POLICY, local(f"Mon 03-02 {now}"))
    assert _time(found.next_change_at) == change
    assert found.metrics[0].state.value == state
    assert ("sla_suspended" in found.tags) == (state == "paused")
