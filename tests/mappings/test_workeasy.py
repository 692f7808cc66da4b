"""The policy of 004_f1405be9848dfa73.txt, computed by hand from the document."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from ruamel.yaml import YAML

from mappings.answer import as_json
from mappings.evaluate import Evaluation, evaluate
from mappings.explain import reasons
from mappings.policy import Grade, Metric, Policy
from mappings.ticket import Ticket
from tests.builders import POLICIES, a_ticket, history, local, shipped, shown

NEW_YORK, LONDON, UTC = "America/New_York", "Europe/London", "UTC"
MAPPED = ("called_back_at", "deployed_and_validated_at", "alm_number")
SECOND = timedelta(seconds=1)
RESPONSE, UPDATE, RESOLUTION = Metric.FIRST_RESPONSE, Metric.NEXT_UPDATE, Metric.RESOLUTION


def workeasy(zone: str | None = NEW_YORK, *contracts: str) -> Policy:
    return shipped("workeasy", zone, contracts)


def reported(
    at: str,
    events: str = "",
    *,
    zone: str = NEW_YORK,
    mapped: Iterable[str] = MAPPED,
    **values: Any,
) -> Ticket:
    return a_ticket(at=local(at, zone), events=history(events, zone=zone), mapped=mapped, **values)


def judged(ticket: Ticket, now: str, *contracts: str) -> Evaluation:
    return evaluate(ticket, workeasy(NEW_YORK, *contracts), local(now, NEW_YORK))


def bounds(
    found: Evaluation, metric: Metric = RESPONSE, zone: str = NEW_YORK
) -> tuple[str | None, str | None]:
    """Aim and due."""
    result = found.metric(metric)
    assert result is not None
    return shown(result.outcome.aim_at, zone), shown(result.outcome.due_at, zone)


def stands(found: Evaluation, metric: Metric = RESPONSE) -> tuple[str, str | None] | None:
    """State and fulfilment; None where nothing is promised."""
    result = found.metric(metric)
    return (result.state.value, shown(result.fulfilled_at, NEW_YORK)) if result else None


def gaps(found: Evaluation) -> list[str]:
    return [gap.split(":")[0] for gap in found.gaps]


def tags(found: Evaluation) -> list[str]:
    return [tag.removeprefix("sla_") for tag in found.tags]


def codes(found: Evaluation) -> list[str]:
    return [reason.code for reason in reasons(found)]


# ---------------------------------------------------------------------------------- the callback

CALLBACKS: list[tuple[str, str, str, str, str]] = [
    # why, zone, reported, aim (4 open hours), due (24 open hours)
    ("section 7", NEW_YORK, "Fri 03-06 16:30", "Mon 03-09 12:30", "Wed 03-11 10:30"),
    ("section 7", NEW_YORK, "Fri 10-30 15:00", "Mon 11-02 11:00", "Tue 11-03 20:00"),
    ("at the opening", NEW_YORK, "Mon 03-02 09:00", "Mon 03-02 13:00", "Wed 03-04 11:00"),
    ("a second before it", NEW_YORK, "Mon 03-02 08:59:59", "Mon 03-02 13:00", "Wed 03-04 11:00"),
    # four hours that end with the day are due then, not at the next opening
    ("up to the close", NEW_YORK, "Mon 03-02 16:00", "Mon 03-02 20:00", "Wed 03-04 18:00"),
    ("one second over", NEW_YORK, "Mon 03-02 16:00:01", "Tue 03-03 09:00:01", "Wed 03-04 18:00:01"),
    ("at the close", NEW_YORK, "Mon 03-02 20:00", "Tue 03-03 13:00", "Thu 03-05 11:00"),
    ("the last second", NEW_YORK, "Thu 03-05 19:59:59", "Fri 03-06 12:59:59", "Tue 03-10 13:59:59"),
    ("closed on Thursday", NEW_YORK, "Thu 03-05 20:00", "Fri 03-06 13:00", "Tue 03-10 14:00"),
    ("a Friday has 8 hours", NEW_YORK, "Fri 03-06 09:00", "Fri 03-06 13:00", "Tue 03-10 14:00"),
    # Friday closes at 17:00: four hours fit in from 13:00 on, and not a second later
    ("up to the Friday close", NEW_YORK, "Fri 03-06 13:00", "Fri 03-06 17:00", "Tue 03-10 18:00"),
    ("over it", NEW_YORK, "Fri 03-06 13:00:01", "Mon 03-09 09:00:01", "Tue 03-10 18:00:01"),
    ("at the Friday close", NEW_YORK, "Fri 03-06 17:00", "Mon 03-09 13:00", "Wed 03-11 11:00"),
    ("at six on Thursday", NEW_YORK, "Thu 03-05 18:00", "Fri 03-06 11:00", "Tue 03-10 12:00"),
    ("at six on Friday", NEW_YORK, "Fri 03-06 18:00", "Mon 03-09 13:00", "Wed 03-11 11:00"),
    ("a Saturday", NEW_YORK, "Sat 03-07 10:00", "Mon 03-09 13:00", "Wed 03-11 11:00"),
    ("two whole days and two hours", NEW_YORK, "Wed 03-04 09:00", "Wed 03-04 13:00",
     "Fri 03-06 11:00"),
    ("three days", NEW_YORK, "Thu 03-05 12:00", "Thu 03-05 16:00", "Mon 03-09 17:00"),
    # the hour that the clocks repeat lies on a Sunday, and changes nothing
    ("in the repeated hour", NEW_YORK, "Sun 11-01 01:30", "Mon 11-02 13:00", "Wed 11-04 11:00"),
    # London is five hours ahead on the Friday, and four on the Monday
    ("seen from London", LONDON, "Fri 03-06 21:30", "Mon 03-09 16:30", "Wed 03-11 14:30"),
    # "EST" is read as the time of New York: nine o'clock is 14:00 UTC in winter, 13:00 in summer
    ("winter", UTC, "Mon 01-05 14:00", "Mon 01-05 18:00", "Wed 01-07 16:00"),
    ("summer", UTC, "Mon 07-06 13:00", "Mon 07-06 17:00", "Wed 07-08 15:00"),
    ("before nine in summer", UTC, "Mon 07-06 12:30", "Mon 07-06 17:00", "Wed 07-08 15:00"),
    ("no holidays are named", NEW_YORK, "Thu 12-24 18:00", "Fri 12-25 11:00", "Tue 12-29 12:00"),
    ("over New Year", NEW_YORK, "Thu 12-31 19:00", "Fri 2027-01-01 12:00", "Tue 2027-01-05 13:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "at", "aim", "due"),
    [row[1:] for row in CALLBACKS],
    ids=[f"{row[0]}: {row[2]}" for row in CALLBACKS],
)
def test_the_callback(zone: str, at: str, aim: str, due: str) -> None:
    found = evaluate(reported(at, zone=zone), workeasy(zone), local(at, zone))
    assert bounds(found, zone=zone) == (aim, due)
    assert [one.metric for one in found.metrics] == [RESPONSE]
    # at risk from the aim on
    assert found.metrics[0].outcome.at_risk_at == found.metrics[0].outcome.aim_at
    assert as_json(found)["metrics"][0]["commitment"] == "guaranteed"


def test_the_zone_is_the_document_s_whatever_the_account_says() -> None:
    at = local("Fri 03-06 16:30", NEW_YORK)
    ticket = a_ticket(at=at, mapped=MAPPED)
    dues = {
        zone: evaluate(ticket, workeasy(zone), at).metrics[0].outcome.due_at
        for zone in (NEW_YORK, LONDON, None)
    }
    assert set(dues.values()) == {local("Wed 03-11 10:30", NEW_YORK)}
    assert "sla_policy_gap" not in evaluate(ticket, workeasy(None), at).tags


def overlay(calendar: str) -> str:
    return f"""
contract: hours
policy: workeasy
overrides: {{calendars: {{business: {calendar}}}}}
"""


OVERLAID = [
    # why, what the account says of the calendar, reported, aim, due
    (
        "a holiday",
        "{holidays: [2026-12-25]}",
        "Thu 12-24 18:00",
        "Mon 12-28 11:00",
        "Tue 12-29 20:00",
    ),
    (
        "a short day",
        '{special_days: {2026-12-24: ["09:00-13:00"]}}',
        "Thu 12-24 12:00",
        "Fri 12-25 12:00",
        "Tue 12-29 13:00",
    ),
    (
        "a closure in the middle of the day",
        "{closures: [[2026-03-02T12:00, 2026-03-02T15:00]]}",
        "Mon 03-02 10:00",
        "Mon 03-02 17:00",
        "Wed 03-04 15:00",
    ),
    # nine o'clock of the fixed offset is ten in New York's summer
    (
        "the literal EST",
        '{time_zone: "-05:00"}',
        "Mon 07-06 09:30",
        "Mon 07-06 14:00",
        "Wed 07-08 12:00",
    ),
]


@pytest.mark.parametrize(
    ("calendar", "at", "aim", "due"), [row[1:] for row in OVERLAID], ids=[r[0] for r in OVERLAID]
)
def test_an_account_decides_hours_and_holidays(calendar: str, at: str, aim: str, due: str) -> None:
    assert bounds(judged(reported(at), at, overlay(calendar))) == (aim, due)


@pytest.mark.parametrize("channel", ["phone", "portal", "other", "email", "forum", "social"])
def test_every_channel_but_chat_has_the_same_callback(channel: str) -> None:
    found = judged(reported("Fri 03-06 16:30", channel=channel), "Fri 03-06 16:30")
    assert bounds(found) == ("Mon 03-09 12:30", "Wed 03-11 10:30")
    assert ("channels" in gaps(found)) == (channel in ("email", "forum", "social"))


KINDS: list[tuple[str, list[str], list[str]]] = [
    # class, metrics, tags without the prefix
    ("incident", ["first_response"], []),
    ("question", ["first_response"], []),
    ("other", ["first_response"], []),
    ("complaint", ["first_response"], []),
    ("defect", ["first_response", "resolution"], []),
    ("defect_critical", ["first_response"], ["hotfix"]),
    ("enhancement", [], ["exempt_enhancement"]),
]


@pytest.mark.parametrize(("kind", "metrics", "expected"), KINDS, ids=[row[0] for row in KINDS])
def test_what_is_promised_to_each_class(kind: str, metrics: list[str], expected: list[str]) -> None:
    answer = as_json(judged(reported("03-02 10:00", kind=kind), "03-02 10:00"))
    assert [one["metric"] for one in answer["metrics"]] == metrics
    assert [tag.removeprefix("sla_") for tag in answer["tags"]] == expected
    assert answer["severity"] is None


EXEMPT = [
    # why, channel, kind, tag
    ("live chat", "chat", "incident", "sla_exempt_channel"),
    ("a defect by live chat", "chat", "defect_critical", "sla_exempt_channel"),
    ("an enhancement by phone", "phone", "enhancement", "sla_exempt_enhancement"),
    # the channel is asked for first
    ("an enhancement by live chat", "chat", "enhancement", "sla_exempt_channel"),
]


@pytest.mark.parametrize(
    ("channel", "kind", "tag"), [row[1:] for row in EXEMPT], ids=[row[0] for row in EXEMPT]
)
def test_exempt_tickets_have_one_tag_and_nothing_else(channel: str, kind: str, tag: str) -> None:
    ticket = reported("03-02 10:00", channel=channel, kind=kind, status="on_hold")
    answer = as_json(judged(ticket, "05-04 10:00"))
    assert (answer["tags"], answer["state"], answer["metrics"]) == ([tag], None, [])
    assert (answer["next_due_at"], answer["next_change_at"]) == (None, None)


@pytest.mark.parametrize("severity", ["critical", "low", None])
def test_there_are_no_severities_and_the_priority_moves_nothing(severity: str | None) -> None:
    found = judged(reported("Fri 03-06 16:30", severity=severity), "Fri 03-06 16:30")
    assert bounds(found) == ("Mon 03-09 12:30", "Wed 03-11 10:30")
    assert (found.severity and found.severity.level, found.tier, tags(found)) == (None, None, [])


def test_a_call_that_was_logged_late_counts_from_the_call() -> None:
    at = local("Mon 03-02 12:00", NEW_YORK)
    called = local("Mon 03-02 10:00", NEW_YORK)
    found = evaluate(a_ticket(at=at, reported=called, channel="phone"), workeasy(), at)
    assert bounds(found) == ("Mon 03-02 14:00", "Wed 03-04 12:00")


# reported on Monday 03-02 10:00: aim 14:00, due Wednesday 12:00
ANSWERED: list[tuple[str, str, str, tuple[str, str | None]]] = [
    # why, what happened, now, (state, fulfilled)
    ("nothing yet", "", "03-02 13:59:59", ("running", None)),
    ("the aim", "", "03-02 14:00", ("at_risk", None)),
    ("the limit", "", "03-04 12:00", ("at_risk", None)),
    ("a second over", "", "03-04 12:00:01", ("breached", None)),
    ("a written reply", "03-02 11:00 reply", "03-02 12:00", ("met", "Mon 03-02 11:00")),
    ("a phone conversation", "03-02 11:30 call", "03-02 12:00", ("met", "Mon 03-02 11:30")),
    (
        "the earlier of the two",
        "03-02 11:30 call; 03-02 11:00 reply",
        "03-02 12:00",
        ("met", "Mon 03-02 11:00"),
    ),
    (
        "a call before the reply",
        "03-02 10:30 call; 03-02 11:00 reply",
        "03-02 12:00",
        ("met", "Mon 03-02 10:30"),
    ),
    (
        "called back at noon, written down at one",
        "03-02 13:00 called_back_at=2026-03-02T17:00:00Z",
        "03-02 13:30",
        ("met", "Mon 03-02 12:00"),
    ),
    (
        "a time without an offset is the wall's",
        "03-02 13:00 called_back_at=2026-03-02T12:00",
        "03-02 13:30",
        ("met", "Mon 03-02 12:00"),
    ),
    (
        "a call that is planned has not happened",
        "03-02 13:00 called_back_at=2026-03-02T20:00:00Z",
        "03-02 14:59:59",
        ("at_risk", None),
    ),
    (
        "until its time has come",
        "03-02 13:00 called_back_at=2026-03-02T20:00:00Z",
        "03-02 15:00",
        ("met", "Mon 03-02 15:00"),
    ),
    (
        "called back at the limit",
        "03-04 13:00 called_back_at=2026-03-04T17:00:00Z",
        "03-04 14:00",
        ("met", "Wed 03-04 12:00"),
    ),
    (
        "called back a second later",
        "03-04 13:00 called_back_at=2026-03-04T17:00:01Z",
        "03-04 14:00",
        ("breached", "Wed 03-04 12:00:01"),
    ),
    # a date does not say when on that day: the filling does
    (
        "a date alone",
        "03-02 13:00 called_back_at=2026-03-02",
        "03-02 13:30",
        ("met", "Mon 03-02 13:00"),
    ),
    (
        "a call of before the report is none",
        "03-02 11:00 called_back_at=2026-03-01T17:00:00Z",
        "03-02 12:00",
        ("running", None),
    ),
    ("solved without any", "03-02 12:00 status=solved", "03-09 10:00", ("met", "Mon 03-02 12:00")),
    ("solved late", "03-04 13:00 status=solved", "03-09 10:00", ("breached", "Wed 03-04 13:00")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "now", "expected"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED]
)
def test_what_counts_as_a_callback(events: str, now: str, expected: tuple[str, str | None]) -> None:
    assert stands(judged(reported("Mon 03-02 10:00", events), now)) == expected


@pytest.mark.parametrize("status", ["pending", "on_hold"])
def test_waiting_stops_no_clock(status: str) -> None:
    found = judged(reported("Mon 03-02 10:00", f"03-02 10:05 status={status}"), "03-04 12:00:01")
    assert (stands(found), tags(found)) == (("breached", None), ["first_response_breached"])


FLAGS = ["customer", "third_party", "access", "maintenance", "commercial_hold", "suspended"]


@pytest.mark.parametrize("flag", [*FLAGS, "information"])
def test_no_cause_of_waiting_stops_the_clock(flag: str) -> None:
    found = judged(reported("Mon 03-02 10:00", **{flag: "true"}), "03-04 12:00:01")
    assert stands(found) == ("breached", None)
    assert "wait_run" in codes(found)


# ---------------------------------------------------------------------------------------- defects

AIM = (
    "Fri 04-03 17:30"  # four weeks of 168 hours from Friday 03-06 16:30, over the change of clocks
)
DEFECTS: list[tuple[str, str, str, tuple[str, str | None, str | None]]] = [
    # why, what happened to a defect of Friday 03-06 16:30, now, (state, fulfilled, aim)
    ("section 7", "", "Fri 03-06 16:30", ("running", None, AIM)),
    ("past its aim it is not late", "", "Mon 06-01 10:00", ("running", None, AIM)),
    (
        "solved and not validated it stays open",
        "03-18 10:00 status=solved",
        "Thu 03-19 10:00",
        ("running", None, AIM),
    ),
    (
        "validated before the solve",
        "03-20 12:00 deployed_and_validated_at=2026-03-20T15:00:00Z; 03-23 10:00 status=solved",
        "Tue 03-24 10:00",
        ("met", "Mon 03-23 10:00", AIM),
    ),
    (
        "validated after the solve",
        "03-18 10:00 status=solved; 03-20 12:00 deployed_and_validated_at=2026-03-20T15:00:00Z",
        "Tue 03-24 10:00",
        ("met", "Fri 03-20 11:00", AIM),
    ),
    (
        "validated and not solved",
        "03-20 12:00 deployed_and_validated_at=2026-03-20T15:00:00Z",
        "Tue 03-24 10:00",
        ("running", None, AIM),
    ),
    (
        "a release that is planned has not happened",
        "03-18 10:00 deployed_and_validated_at=2026-03-25T15:00:00Z; 03-18 10:00 status=solved",
        "Wed 03-25 10:59:59",
        ("running", None, AIM),
    ),
    (
        "until it has",
        "03-18 10:00 deployed_and_validated_at=2026-03-25T15:00:00Z; 03-18 10:00 status=solved",
        "Wed 03-25 11:00",
        ("met", "Wed 03-25 11:00", AIM),
    ),
    # a date does not say when on that day: the filling does
    (
        "a date alone",
        "03-18 10:00 status=solved; 03-20 12:00 deployed_and_validated_at=2026-03-20",
        "Tue 03-24 10:00",
        ("met", "Fri 03-20 12:00", AIM),
    ),
    (
        "a ticked box",
        "03-18 10:00 status=solved; 03-20 12:00 deployed_and_validated_at=true",
        "Tue 03-24 10:00",
        ("met", "Fri 03-20 12:00", AIM),
    ),
    (
        "a validation that was taken back",
        "03-18 10:00 status=solved; 03-20 12:00 deployed_and_validated_at=true; "
        "03-21 12:00 deployed_and_validated_at=",
        "Tue 03-24 10:00",
        ("running", None, AIM),
    ),
    ("after four weeks it is met all the same",
     "05-04 10:00 deployed_and_validated_at=true; 05-04 10:00 status=solved",
     "Tue 05-05 10:00",
     ("met", "Mon 05-04 10:00", AIM)),
    # two days between solve and reopen are taken out
    (
        "reopened",
        "03-10 10:00 status=solved; 03-12 10:00 status=open",
        "Thu 03-12 10:00",
        ("running", None, "Sun 04-05 17:30"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "now", "expected"), [row[1:] for row in DEFECTS], ids=[row[0] for row in DEFECTS]
)
def test_a_standard_defect_is_resolved_when_its_fix_is_deployed_and_validated(
    events: str, now: str, expected: tuple[str, str | None, str | None]
) -> None:
    found = judged(reported("Fri 03-06 16:30", events, kind="defect"), now)
    aim, due = bounds(found, RESOLUTION)
    stage = stands(found, RESOLUTION)
    assert stage is not None
    assert ((*stage, aim), due) == (expected, None)
    assert not any(tag.startswith("resolution") for tag in tags(found))


def test_without_a_field_for_the_validation_the_solve_is_the_resolution() -> None:
    ticket = reported("Fri 03-06 16:30", "03-18 10:00 status=solved", kind="defect", mapped=())
    found = judged(ticket, "Thu 03-19 10:00")
    assert stands(found, RESOLUTION) == ("met", "Wed 03-18 10:00")
    assert "deployed-and-validated" in gaps(found)


def test_a_resolution_that_is_no_promise_is_never_what_comes_next() -> None:
    found = judged(reported("Mon 03-02 10:00", "03-02 11:00 reply", kind="defect"), "03-02 12:00")
    assert (found.state, found.next_due_at, found.next_change_at) == ("running", None, None)


DUTIES: list[tuple[str, str, dict[str, Any], str, set[str]]] = [
    # why, kind, values, events, duties that are open on Friday 03-06
    ("an incident", "incident", {}, "", {"alm_number", "product_review"}),
    ("logged", "incident", {"alm_number": "ALM-7"}, "", {"product_review"}),
    ("a question", "question", {}, "", set()),
    (
        "a defect",
        "defect",
        {},
        "",
        {"alm_number", "product_review", "qa_validation", "open_until_validated"},
    ),
    (
        "a critical defect",
        "defect_critical",
        {},
        "",
        {"alm_number", "product_review", "hotfix", "qa_validation", "open_until_validated"},
    ),
    (
        "solved before it was validated",
        "defect_critical",
        {},
        "03-03 10:00 status=solved",
        {"open_until_validated", "release_notes"},
    ),
    (
        "solved and validated",
        "defect",
        {"deployed_and_validated_at": "2026-03-02T16:00:00Z"},
        "03-03 10:00 status=solved",
        {"release_notes"},
    ),
]


@pytest.mark.parametrize(
    ("kind", "values", "events", "expected"),
    [row[1:] for row in DUTIES],
    ids=[row[0] for row in DUTIES],
)
def test_duties(kind: str, values: dict[str, Any], events: str, expected: set[str]) -> None:
    found = judged(reported("03-02 10:00", events, kind=kind, **values), "03-06 10:00")
    assert {one.duty.id for one in found.duties} == expected
    assert ("sla_hotfix" in found.tags) == ("hotfix" in expected)
    assert codes(found).count("duty") == len(expected)


# --------------------------------------------------------------------------- tags, gaps, and change

TAGS: list[tuple[str, str, str, str, list[str]]] = [
    # why, kind, events after the report on Monday 03-02 10:00, now, all tags without the prefix
    ("running", "incident", "", "03-02 10:00", []),
    ("at risk", "incident", "", "03-02 14:00", ["first_response_at_risk"]),
    ("late", "incident", "", "03-05 10:00", ["first_response_breached"]),
    (
        "answered late",
        "incident",
        "03-05 10:00 reply",
        "03-06 10:00",
        ["first_response_breached"],
    ),
    ("answered", "incident", "03-02 15:00 reply", "03-06 10:00", []),
    ("a critical defect at risk", "defect_critical", "", "03-02 14:00",
     ["first_response_at_risk", "hotfix"]),
    ("and solved", "defect_critical", "03-02 15:00 status=solved", "03-06 10:00", []),
    ("a standard defect after months", "defect", "03-02 11:00 reply", "06-01 10:00", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "events", "now", "expected"), [row[1:] for row in TAGS], ids=[row[0] for row in TAGS]
)
def test_tags_exactly(kind: str, events: str, now: str, expected: list[str]) -> None:
    assert tags(judged(reported("03-02 10:00", events, kind=kind), now)) == expected


CALLBACK = ["callback", "callback-start", "eastern-time"]
GAPS: list[tuple[str, dict[str, Any], list[str]]] = [
    # why, ticket, gaps in order
    ("by phone", {"channel": "phone"}, CALLBACK),
    ("by email", {"channel": "email"}, ["channels", *CALLBACK]),
    ("by live chat", {"channel": "chat"}, ["live-chat"]),
    ("an enhancement", {"kind": "enhancement"}, ["enhancement-callback"]),
    ("a defect", {"kind": "defect"}, [*CALLBACK, "defect-release"]),
    (
        "a defect without the field",
        {"kind": "defect", "mapped": ("alm_number",)},
        [*CALLBACK, "defect-release", "deployed-and-validated", "not_mapped"],
    ),
    # what is asked of issues and defects is not asked of a question
    ("a question, nothing mapped", {"kind": "question", "mapped": ()}, CALLBACK),
]


@pytest.mark.parametrize(
    ("values", "expected"), [row[1:] for row in GAPS], ids=[row[0] for row in GAPS]
)
def test_an_evaluation_names_the_gaps_it_rests_on(
    values: dict[str, Any], expected: list[str]
) -> None:
    assert gaps(judged(reported("03-02 10:00", **values), "03-02 10:00")) == expected


NEXT: list[tuple[str, str, str, str | None]] = [
    # why, events after the report on Monday 03-02 10:00, now, when it reads differently
    ("running", "", "03-02 10:00", "Mon 03-02 14:00"),
    ("at risk", "", "03-02 14:00", "Wed 03-04 12:00:01"),
    ("late", "", "03-04 12:00:01", None),
    (
        "a call that is planned",
        "03-02 13:00 called_back_at=2026-03-02T18:30:00Z",
        "03-02 13:00",
        "Mon 03-02 13:30",
    ),
    ("answered", "03-02 11:00 reply", "03-02 12:00", None),
]


@pytest.mark.parametrize(
    ("events", "now", "expected"), [row[1:] for row in NEXT], ids=[row[0] for row in NEXT]
)
def test_next_change(events: str, now: str, expected: str | None) -> None:
    assert shown(judged(reported("03-02 10:00", events), now).next_change_at, NEW_YORK) == expected


def test_a_release_that_is_planned_changes_the_answer_of_a_solved_defect() -> None:
    events = "03-18 10:00 deployed_and_validated_at=2026-03-25T15:00:00Z; 03-18 10:00 status=solved"
    found = judged(reported("Fri 03-06 16:30", events, kind="defect"), "03-19 10:00")
    assert shown(found.next_change_at, NEW_YORK) == "Wed 03-25 11:00"


@pytest.mark.parametrize(("kind", "said"), [("incident", True), ("defect", False)])
def test_an_absent_resolution_is_said_and_rests_on_no_gap(kind: str, said: bool) -> None:
    found = judged(reported("03-02 10:00", kind=kind), "03-02 10:00")
    assert ("silent" in codes(found)) == said
    assert "sla_policy_gap" not in found.tags


# ------------------------------------------------------------------- the document, sentence by one

HEADINGS = (
    "Product Questions and Issues",
    "Phone Support",
    "Web Portal",
    "Issue Reporting and Review",
    "Prioritization and Resolution",
    "Tracking and Communication",
    "3. Enhancement Requests",
)
#: rules of landscape A.5, and where each went
SENTENCES: dict[str, tuple[str, ...]] = {
    "004-1": ("no rule: says what the document is about; its escalation is gap escalation-path",),
    "004-2": ("calendar business", "gap eastern-time", "gap holidays",
              "gap hours-of-other-channels"),
    "004-3": ("no rule: who answers the phone",),
    "004-4": ("gap level-1",),
    "004-5": ("target first_response", "gap callback-start", "gap level-1"),
    "004-6": ("target first_response", "fulfilment first_response", "gap callback",
              "gap business-hours", "gap waiting", "gap reopen"),
    "004-7": ("target first_response",),
    "004-8": ("target first_response", "gap channels"),
    "004-9": ("exempt channel", "gap live-chat"),
    "004-10": ("duty alm_number",),
    "004-11": ("duty product_review",),
    "004-12": ("gap defect-classes",),
    "004-13": ("duty hotfix", "duty qa_validation"),
    "004-14": ("duty qa_validation",),
    "004-15": ("target resolution", "gap defect-release"),
    "004-16": ("fulfilment resolution", "duty open_until_validated", "gap deployed-and-validated"),
    "004-17": ("gap status-updates",),
    "004-18": ("duty release_notes",),
    "004-19": ("silent resolution", "gap target-response-objectives"),
    "004-20": ("exempt enhancement", "gap enhancement-callback"),
    "004-21": ("gap enhancement-news",),
    "004-22": ("gap enhancement-news",),
    "004-23": ("gap escalation-path",),
    "004-24": ("gap governance",),
}  # fmt: skip


def places(policy: Policy) -> set[str]:
    """What a sentence can have become, by name."""
    return {
        *(f"calendar {name}" for name in policy.calendars),
        *(f"exempt {one.reason}" for one in policy.exemptions),
        *(f"target {one.metric}" for one in policy.targets),
        *(f"silent {metric}" for metric in policy.absent),
        *(f"fulfilment {one.metric}" for one in policy.fulfilments),
        *(f"duty {one.id}" for one in policy.duties),
        *(f"gap {name}" for name in policy.gaps),
    }


def test_every_sentence_of_the_document_went_somewhere() -> None:
    named = {one for row in SENTENCES.values() for one in row if not one.startswith("no rule: ")}
    assert named <= places(workeasy())


def test_nothing_stands_in_the_policy_without_a_sentence() -> None:
    named = {one for row in SENTENCES.values() for one in row}
    assert places(workeasy()) - named == set()


def test_every_rule_names_a_heading_of_the_document() -> None:
    policy = workeasy()
    sources = {
        one.source
        for part in (policy.exemptions, policy.targets, policy.fulfilments, policy.duties)
        for one in part
    }
    written = YAML(typ="safe").load((POLICIES / "workeasy.yaml").read_text(encoding="utf-8"))
    sources |= {one["source"] for one in written["calendars"].values()}
    assert sources == set(HEADINGS)


#: sections that are empty or "on request": they are listed, and no date rests on them
EMPTY = {"target-response-objectives", "escalation-path", "governance"}


def test_every_gap_on_which_a_date_depends_is_one_that_a_rule_rests_on() -> None:
    policy = workeasy()
    rested = {gap for gaps in policy.calendar_gaps.values() for gap in gaps}
    for part in (policy.exemptions, policy.targets, policy.fulfilments):
        rested.update(gap for one in part for gap in one.gaps)
    graded = {one.id: one.grade for one in policy.gaps.values()}
    assert {name for name, grade in graded.items() if grade is Grade.WARNING} == rested
    assert {name for name, grade in graded.items() if grade is Grade.ERROR} == EMPTY
