"""Tiers: how far up a ticket has come. A tier never falls while the ticket lives."""

from collections.abc import Callable
from datetime import datetime

from mappings.clock import State
from mappings.policy import Policy, Tier
from mappings.severity import ONE_SECOND, Facts
from mappings.ticket import Ticket

TIER = "tier"  #: the mapped input in which an agent sets a tier
LOWEST = 1

StateAt = Callable[[Ticket, datetime], State | None]


def tier(
    ticket: Ticket, policy: Policy, now: datetime, resolution_at: StateAt
) -> tuple[int, Tier | None]:
    """The highest tier reached so far, and the rule that led there (None: the lowest, or an agent).

    Between two changes of the ticket a tier can only rise, so it is enough to look just before
    each change and now. `resolution_at` gives the resolution's state at an instant.
    """
    best, rule = LOWEST, None
    looks = {now}
    for change in ticket.changes:
        if ticket.reported_at < change.at:
            looks.update((change.at - ONE_SECOND, change.at))
    for at in sorted(look for look in looks if look <= now):
        seen = ticket.as_of(at)
        found, by = _reached(seen, policy, at, resolution_at(seen, at))
        if found > best:
            best, rule = found, by
    return best, rule


def _reached(
    ticket: Ticket, policy: Policy, at: datetime, resolution: State | None
) -> tuple[int, Tier | None]:
    extra = {"resolution": resolution.value if resolution else ""}
    facts = Facts(ticket=ticket, policy=policy, at=at, extra=extra)
    assessed = ticket.value_at(TIER, at) or ""
    best, rule = (int(assessed) if assessed in ("1", "2", "3") else LOWEST), None
    for one in policy.tiers:
        if one.tier > best and any(condition.holds(facts) for condition in one.any):
            best, rule = one.tier, one
    return best, rule
