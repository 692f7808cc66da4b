"""Which promises hold at once, and which one governs."""

from datetime import datetime
from pathlib import Path

import pytest

from mappings.policy import Metric
from mappings.promises import Begun, applicable
from mappings.written import instant
from tests.builders import POLICIES, a_policy, a_ticket, local, shown, user_support

AT = local("03-02 10:00")
SHIPPED = Path(POLICIES / "user-support.yaml").read_text(encoding="utf-8")


def begun(at: datetime) -> Begun:
    return Begun(cycle=at, complete=at, acknowledged=None)


# reported -> due under each strategy (the table of landscape.md A.6, and a few more)
STRATEGIES = [
    ("Wed 03-04 12:00", "Wed 03-04 13:00", "Wed 03-04 13:00", "Wed 03-04 13:00"),
    ("Wed 03-04 17:30", "Wed 03-04 18:30", "Thu 03-05 09:30", "Wed 03-04 21:30"),
    ("Wed 03-04 18:00", "Wed 03-04 22:00", "Wed 03-04 22:00", "Wed 03-04 22:00"),
    ("Wed 03-04 08:30", "Wed 03-04 12:30", "Wed 03-04 12:30", "Wed 03-04 10:00"),
    ("Fri 03-06 17:59", "Fri 03-06 18:59", "Mon 03-09 09:59", "Fri 03-06 21:59"),
    ("Sat 03-07 11:00", "Sat 03-07 15:00", "Sat 03-07 15:00", "Sat 03-07 15:00"),
    ("Mon 03-02 07:00", "Mon 03-02 11:00", "Mon 03-02 11:00", "Mon 03-02 10:00"),
    ("Mon 03-02 05:00", "Mon 03-02 09:00", "Mon 03-02 09:00", "Mon 03-02 09:00"),
]


@pytest.mark.parametrize(("reported", "plain", "business", "earliest"), STRATEGIES)
def test_the_three_readings_of_within_or_outside_business_hours(
    reported: str, plain: str, business: str, earliest: str
) -> None:
    wanted = {"at_report": plain, "at_report_business": business, "earliest": earliest}
    at = local(reported)
    for strategy, due in wanted.items():
        policy = a_policy(text=SHIPPED.replace("strategy: at_report", f"strategy: {strategy}"))
        ticket = a_ticket(at=at, severity="high")
        found = applicable(ticket, policy, Metric.FIRST_RESPONSE, at, begun(at))
        assert (strategy, shown(found[0].course.due_at)) == (strategy, due)


TIES = """
policy: ties
title: Ties
document: ties.txt
severity: {levels: [{id: low, name: Low}], rules: [{severity: low}]}
targets:
  resolution:
    - {when: {plan: gold}, limit: 1h}
    - {when: {channel: portal}, limit: 60m}
    - {when: {class: incident}, limit: 3600s}
    - {when: {severity: low}, limit: 1h, under: true}
    - {aim: 1m, commitment: none}
"""


def test_of_promises_that_are_due_at_once_severity_governs_then_class_channel_plan() -> None:
    ticket = a_ticket(at=AT)
    found = applicable(ticket, a_policy(text=TIES), Metric.RESOLUTION, AT, begun(AT))
    assert [one.governed_by for one in found] == [
        "severity low", "class incident", "channel portal", "every ticket",
    ]  # fmt: skip
    # the governing one brings its own strictness; one without a limit never governs another
    assert found[0].course.strict
    assert found[-1].course.due_at is None


def test_metrics_without_a_target_have_no_promise() -> None:
    ticket = a_ticket(at=AT, severity="medium")
    assert applicable(ticket, user_support(), Metric.NEXT_UPDATE, AT, begun(AT)) == []


INSTANTS = [
    ("2026-03-02T10:00:00Z", "Mon 03-02 10:00"),
    ("2026-03-02T11:00:00.9+01:00", "Mon 03-02 10:00"),
    (" 2026-03-02T10:00:00Z ", "Mon 03-02 10:00"),
    ("2026-03-02T10:00:00", None),
    ("2026-03-02", None),
    ("soon", None),
]


@pytest.mark.parametrize(("text", "expected"), INSTANTS, ids=[row[0] for row in INSTANTS])
def test_a_promised_instant_needs_its_offset(text: str, expected: str | None) -> None:
    assert shown(instant(text)) == expected
