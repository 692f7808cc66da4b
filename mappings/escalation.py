"""Tiers: how far up a ticket has come. A tier never falls while the ticket lives."""

from collections.abc import Callable
from datetime import datetime

from mappings.clock import State
from mappings.policy import Policy, Tier
from mappings.severity import ONE_SECOND, Facts
from mappings.ticket import Ticket

TIER = "tier"  #: the mapped input in which an agent sets a tier
LOWEST = 1
HIGHEST = 3

StateAt = Callable[[Ticket, datetime], State | None]


def tier(
    ticket: Ticket, policy: Policy, now: datetime, resolution_at: StateAt
) -> tuple[int, Tier | None]:
    """The highest tier reached so far, and the rule that led there (None: the lowest, or an agent).

    `resolution_at` gives the resolution's state at an instant.
    """
    best, rule = LOWEST, None
    for at in _looks(ticket, now):
        seen = ticket.as_of(at)
        found, by = _reached(seen, policy, at, resolution_at)
        if found > best:
            best, rule = found, by
        if best == HIGHEST:
            break
    return best, rule


def _looks(ticket: Ticket, now: datetime) -> list[datetime]:
    """Between two changes a tier can only rise, so the ends of these stretches are enough.

    What is changed after a solve moves no tier: the solve itself is looked at instead.
    """
    before = {change.at - ONE_SECOND for change in ticket.changes}
    looks = {now, *(at for at in before if ticket.reported_at <= at < now)}
    for solved in ticket.done(now):
        end = solved.end or now + ONE_SECOND
        while_solved = {at for at in looks if solved.start < at < end}
        if while_solved:
            looks = (looks - while_solved) | {solved.start}
    return sorted(looks)


def _reached(
    ticket: Ticket, policy: Policy, at: datetime, resolution_at: StateAt
) -> tuple[int, Tier | None]:
    facts = Facts(
        ticket=ticket,
        policy=policy,
        at=at,
        extra={"resolution": lambda: resolution_at(ticket, at) or ""},
    )
    assessed = ticket.value_at(TIER, at) or ""
    best, rule = (int(assessed) if assessed in ("1", "2", "3") else LOWEST), None
    for one in policy.tiers:
        if one.tier > best and any(condition.holds(facts) for condition in one.any):
            best, rule = one.tier, one
    return best, rule
