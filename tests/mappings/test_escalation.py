"""Tiers, looked at directly: which instants count."""

from datetime import datetime

from mappings.clock import State
from mappings.escalation import tier
from mappings.ticket import Ticket
from tests.builders import a_ticket, history, local, user_support

POLICY = user_support()
AT = local("03-02 10:00")


def looked_at(ticket: Ticket, now: str) -> list[datetime]:
    seen: list[datetime] = []

    def running(_: Ticket, at: datetime) -> State:
        seen.append(at)
        return State.RUNNING

    assert tier(ticket, POLICY, local(now), running) == (1, None)
    return sorted(set(seen))


def test_between_two_changes_the_last_instant_is_enough() -> None:
    ticket = a_ticket(at=AT, severity="low", events=history("03-02 11:00 severity=high"))
    assert looked_at(ticket, "03-02 12:00") == [local("03-02 10:59:59"), local("03-02 12:00")]


def test_after_a_solve_the_solve_is_looked_at() -> None:
    events = history("03-02 11:00 status=solved; 03-02 12:00 severity=high")
    ticket = a_ticket(at=AT, severity="low", events=events)
    assert looked_at(ticket, "03-02 13:00") == [local("03-02 10:59:59"), local("03-02 11:00")]


def test_from_a_reopen_on_it_counts_again() -> None:
    events = history("03-02 11:00 status=solved; 03-02 12:00 status=open")
    ticket = a_ticket(at=AT, severity="low", events=events)
    assert looked_at(ticket, "03-02 12:00") == [
        local("03-02 10:59:59"),
        local("03-02 11:00"),
        local("03-02 12:00"),
    ]


def test_the_highest_tier_needs_no_further_look() -> None:
    ticket = a_ticket(at=AT, severity="critical", events=history("03-02 11:00 severity=low"))
    found, rule = tier(ticket, POLICY, local("03-02 12:00"), lambda _ticket, _at: None)
    assert (found, rule) == (3, POLICY.tiers[0])
