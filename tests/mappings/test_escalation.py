"""Tiers, looked at directly: which instants count."""

from dataclasses import dataclass
from datetime import datetime

from mappings.clock import State
from mappings.escalation import tier
from mappings.severity import Facts
from mappings.ticket import Ticket
from tests.builders import a_ticket, history, local, user_support

POLICY = user_support()
AT = local("03-02 10:00")


@dataclass(kw_only=True)
class Running:
    """A ticket at an instant, with a resolution that is in time."""

    facts: Facts

    def resolution_state(self) -> State:
        return State.RUNNING


def running_at(ticket: Ticket, at: datetime) -> Running:
    return Running(facts=Facts(ticket=ticket, policy=POLICY, at=at))


def looked_at(ticket: Ticket, now: str) -> list[datetime]:
    seen: list[datetime] = []

    def running(at: datetime) -> Running:
        seen.append(at)
        return running_at(ticket, at)

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
    found, rule = tier(ticket, POLICY, local("03-02 12:00"), lambda at: running_at(ticket, at))
    assert (found, rule) == (3, POLICY.tiers[0])
