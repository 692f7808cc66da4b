"""Which policy judges a ticket: the first that matches, in the version of its report."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.assignment import Assignment, Version, policy_for, version_of
from mappings.conditions import EVERY_TICKET
from mappings.document.condition_form import condition_of
from mappings.document.contract import parse_contract
from mappings.document.policy import load_policy
from mappings.errors import MappingError
from mappings.policy import Policy
from mappings.ticket import Channel, Ticket

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
TEXT = """
policy: {name}
title: {name}
document: {name}.txt
judge_by: {judge_by}
calendars: {{office: {{time_zone: account, week: {{mon: ["09:00-17:00"]}}}}}}
targets:
  first_response:
    - {{limit: {limit}, clock: office}}
"""


def policy(
    name: str = "a",
    limit: str = "1h",
    judge_by: str = "reported",
    zone: str | None = "UTC",
    contracts: Sequence[str] = (),
    prefix: str = "sla_",
) -> Policy:
    text = TEXT.format(name=name, limit=limit, judge_by=judge_by)
    overlays = [parse_contract(one, "contract.yaml") for one in contracts]
    return load_policy(text, f"{name}.yaml", time_zone=zone, prefix=prefix, contracts=overlays)


def ticket(hour: int = 9, **parts: object) -> Ticket:
    at = NOW.replace(hour=hour)
    given = {"created_at": at, "reported_at": at, "channel": Channel.PORTAL, "values": {}} | parts
    return Ticket(id="1", **given)  # type: ignore[arg-type]


def assignment(when: object = None, *versions: Version, name: str = "a") -> Assignment:
    condition = condition_of(when) if when is not None else EVERY_TICKET
    given = versions or (Version(policy=policy(name), in_force_from=NOW),)
    return Assignment(when=condition, versions=given)


@pytest.mark.parametrize(
    ("when", "parts", "expected"),
    [
        pytest.param({"plan": "gold"}, {"plans": ("gold",)}, "first", id="plan"),
        pytest.param({"plan": "gold"}, {"plans": ("tin", "gold")}, "first", id="one-of-two-plans"),
        pytest.param({"plan": "gold"}, {}, "last", id="no-plan"),
        pytest.param({"organization": 7}, {"organization": "7"}, "first", id="organization"),
        pytest.param({"channel": "email"}, {"channel": Channel.EMAIL}, "first", id="channel"),
        pytest.param(
            {"channel": "portal"}, {"channel": Channel.OTHER}, "first", id="other-channel"
        ),
        pytest.param({"class": "defect"}, {"values": {"class": "defect"}}, "first", id="class"),
        pytest.param({"priority": 1}, {"values": {"priority": "1"}}, "first", id="priority"),
        pytest.param(
            {"status": "pending"}, {"values": {"status": "pending"}}, "first", id="status"
        ),
        pytest.param({"product": "pay"}, {"values": {"product": "Pay"}}, "first", id="input"),
        pytest.param({"product": "pay"}, {"values": {"product": "Ads"}}, "last", id="other-input"),
    ],
)
def test_the_first_condition_that_holds_decides(
    when: dict[str, object], parts: dict[str, object], expected: str
) -> None:
    assigned = [assignment(when, name="first"), assignment(name="last")]
    assert policy_for(ticket(**parts), assigned, NOW).id == expected


def test_of_two_that_hold_the_earlier_one_decides() -> None:
    both = [assignment({"channel": "portal"}, name=name) for name in ("first", "second")]
    assert policy_for(ticket(), both, NOW).id == "first"


def test_without_a_match_the_mistake_is_named() -> None:
    with pytest.raises(MappingError, match="the last one must have no condition"):
        policy_for(ticket(), [assignment({"channel": "email"})], NOW)


def versions(*limits: str, judge_by: str = "reported") -> tuple[Version, ...]:
    """One from 08:00, one from 10:00, and so on."""
    return tuple(
        Version(policy=policy("a", limit, judge_by), in_force_from=NOW.replace(hour=8 + 2 * number))
        for number, limit in enumerate(limits)
    )


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        pytest.param(7, "1h", id="older-than-the-first"),
        pytest.param(8, "1h", id="at-the-first"),
        pytest.param(9, "1h", id="under-the-first"),
        pytest.param(10, "2h", id="at-the-second"),
        pytest.param(13, "3h", id="under-the-last"),
    ],
)
def test_the_version_in_force_at_the_report_judges(hour: int, expected: str) -> None:
    assigned = [assignment(None, *versions("1h", "2h", "3h"))]
    found = policy_for(ticket(hour), assigned, NOW)
    assert found.version == policy("a", expected).version


def test_the_newest_version_says_whether_the_report_decides() -> None:
    old, new = versions("1h"), versions("1h", "2h", judge_by="latest")[1:]
    latest = Assignment(versions=(*old, *new))
    back = Assignment(versions=(*new, *versions("3h")))

    assert policy_for(ticket(9), [latest], NOW).judge_by == "latest"
    assert latest.judging == (latest.newest,)
    assert back.judging == tuple(one.policy for one in back.versions)


@given(st.lists(st.integers(0, 23), min_size=1, max_size=6), st.integers(0, 23))
def test_a_ticket_is_judged_by_the_last_version_that_was_in_force(
    hours: list[int], hour: int
) -> None:
    """Also where the helpdesk's clock was moved between two versions."""
    kept = tuple(
        Version(policy=SHOWN[number], in_force_from=NOW.replace(hour=at))
        for number, at in enumerate(hours)
    )
    found = Assignment(versions=kept).version_for(NOW.replace(hour=hour))
    in_force = [one.policy for one in kept if one.in_force_from.hour <= hour]
    assert found is (in_force[-1] if in_force else kept[0].policy)


SHOWN = [policy("a", f"{number + 1}h") for number in range(6)]
CONTRACT = """
contract: acme
policy: a
{whom}
overrides: {{targets: {{first_response: [{{limit: {limit}, clock: office}}]}}}}
"""


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"limit": "2h"}, id="a-limit"),
        pytest.param({"zone": "Europe/London"}, id="the-zone"),
        pytest.param({"zone": None}, id="the-zone-is-undecided"),
        pytest.param({"contracts": []}, id="a-contract-less"),
        pytest.param(
            {"contracts": [CONTRACT.format(whom="plan: gold", limit="3h")]}, id="for-whom"
        ),
        pytest.param(
            {"contracts": [CONTRACT.format(whom="organizations: [1]", limit="3h")]}, id="its-limit"
        ),
        pytest.param(
            {
                "contracts": [
                    CONTRACT.format(whom="organizations: [1]\nvalid_to: 2027-01-01", limit="2h")
                ]
            },
            id="how-long",
        ),
    ],
)
def test_everything_that_an_answer_rests_on_makes_another_version(
    changed: dict[str, object],
) -> None:
    same = {"contracts": [CONTRACT.format(whom="organizations: [1]", limit="2h")]}
    assert version_of(policy(**same)) != version_of(policy(**(same | changed)))  # type: ignore[arg-type]


def test_what_no_date_rests_on_makes_none() -> None:
    assert version_of(policy()) == version_of(policy(prefix="other_"))
    spaced = load_policy(
        "# a comment\n" + TEXT.format(name="a", limit="1h", judge_by="reported"),
        "elsewhere.yaml",
        time_zone="UTC",
    )
    assert version_of(policy()) == version_of(spaced)
