"""Which rule gives the severity, and since when a condition holds."""

from typing import Any

import pytest

from mappings.conditions import Condition, Operator, same_word
from mappings.conditions import Test as OneOf
from mappings.severity import Facts, decide, holds_since
from tests.builders import a_ticket, history, local, shown, user_support

POLICY = user_support()
AT = local("03-02 10:00")

DECISIONS = [
    # values -> level, by
    ({"severity": "high"}, "high", "rule 2: the helpdesk's priority, rank 2 of 4"),
    (
        {"severity": "high", "assessed": " CRITICAL "},
        "critical",
        "rule 1: assessed as ' CRITICAL '",
    ),
    ({"kind": "question"}, "low", "rule 3: class question or enhancement"),
    ({"channel": "email"}, "low", "rule 4: channel email"),
    ({}, "medium", "rule 5: default"),
    ({"priority": "9"}, "medium", "rule 5: default"),
]


@pytest.mark.parametrize(("values", "level", "by"), DECISIONS, ids=[str(r[0]) for r in DECISIONS])
def test_the_first_rule_that_gives_a_level_decides(
    values: dict[str, Any], level: str, by: str
) -> None:
    found = decide(a_ticket(at=AT, **values), POLICY, AT)
    assert found.level is not None
    assert (found.level.id, found.by) == (level, by)


def test_an_assessment_that_names_no_level_is_told() -> None:
    assert decide(a_ticket(at=AT, assessed="blocker"), POLICY, AT).ignored == (
        ("severity", "blocker"),
    )


def test_a_severity_is_that_of_its_instant() -> None:
    ticket = a_ticket(at=AT, severity="low", events=history("03-02 11:00 severity=high"))
    levels = [
        Facts(ticket=ticket, policy=POLICY, at=local(at))("severity")
        for at in ("03-02 10:59:59", "03-02 11:00")
    ]
    assert levels == ["low", "high"]


@pytest.mark.parametrize("value", ["Data_Corruption", "data corruption", " DATA-CORRUPTION "])
def test_two_spellings_of_a_word_are_one(value: str) -> None:
    assert same_word(value) == "data corruption"


CRITICAL = Condition(
    tests=(
        OneOf(fact="severity", values=("critical",)),
        OneOf(fact="area", operator=Operator.PRESENT),
    )
)
SINCE = [
    ("", None),
    ("03-02 11:00 severity=critical", None),
    ("03-02 11:00 severity=critical; 03-02 12:00 area=billing", "Mon 03-02 12:00"),
    ("03-02 11:00 area=billing; 03-02 12:00 severity=critical", "Mon 03-02 12:00"),
    # another change on the way interrupts nothing
    ("03-02 11:00 severity=critical, area=x; 03-02 12:00 area=y", "Mon 03-02 11:00"),
    # an interruption does
    (
        "03-02 11:00 severity=critical, area=x; 03-02 12:00 area=; 03-02 13:00 area=x",
        "Mon 03-02 13:00",
    ),
    ("03-02 11:00 severity=critical, area=x; 03-02 12:00 severity=low", None),
    ("03-02 19:00 severity=critical, area=x", None),
]


@pytest.mark.parametrize(("events", "since"), SINCE, ids=[row[0] or "nothing" for row in SINCE])
def test_since_when_a_condition_holds(events: str, since: str | None) -> None:
    ticket = a_ticket(at=AT, severity="low", events=history(events))
    assert shown(holds_since(CRITICAL, ticket, POLICY, local("03-02 15:00"))) == since


def test_what_no_change_brought_about_holds_since_the_report() -> None:
    ticket = a_ticket(at=AT, severity="critical", area="x")
    assert holds_since(CRITICAL, ticket, POLICY, local("03-02 15:00")) == AT
