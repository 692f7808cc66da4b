"""Duties: what a policy obliges to without a metric that times it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from mappings.clock import reach
from mappings.conditions import AnyOf, Condition, Operator, Test
from mappings.hours import ALWAYS
from mappings.policy import Duty, Policy
from mappings.severity import OWN_FACTS, Facts, holds_since
from mappings.ticket import CLASS, PRIORITY, STATUS, WAITING, Cause, Ticket
from mappings.waiting import INPUTS

# the other causes of waiting are told by no status of a helpdesk, but by a field that flags them
FLAGGED = frozenset(Cause) - {Cause.CUSTOMER, Cause.THIRD_PARTY}
#: facts that every ticket has, whatever the account maps
TOLD = frozenset({*OWN_FACTS, CLASS, PRIORITY, STATUS})


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDuty:
    """A duty that a ticket has now."""

    duty: Duty
    since: datetime
    #: the values whose absence keeps it open
    missing: tuple[str, ...] = ()


def open_duties(facts: Facts, responded_at: datetime | None) -> Iterator[OpenDuty]:
    """The duties that are open; after the solve only those that are kept."""
    ticket, policy, now = facts.ticket, facts.policy, facts.at
    is_done = ticket.is_done
    for duty in policy.duties_for(facts):
        if is_done and not duty.kept:
            continue
        condition = _condition(duty, frozenset(filter(ticket.is_mapped, _fields(duty))))
        since = holds_since(condition, ticket, policy, now) if condition else None
        if since is not None and duty.after_response is not None:
            since = _later(duty, policy, since, responded_at, now)
        if since is None or (duty.until_reply and any(r.at >= since for r in ticket.replies)):
            continue
        missing = tuple(name for name in _fields(duty) if _is_empty(ticket, name, now))
        yield OpenDuty(duty=duty, since=since, missing=missing)


def turns(policy: Policy, responded_at: datetime | None) -> Iterator[datetime]:
    """The instants at which a duty opens by itself."""
    for duty in policy.duties:
        if duty.after_response is not None and responded_at is not None:
            yield reach(ALWAYS, responded_at, duty.after_response, policy.business_day)


def asked(duty: Duty) -> frozenset[str]:
    """The fields of the helpdesk that a duty asks for."""
    causes = {one for test in duty.when.all_tests() if test.fact == WAITING for one in test.values}
    flags = (INPUTS[one].flag for one in FLAGGED if one in causes)
    return frozenset((*_fields(duty), *duty.when.facts(), *flags)) - TOLD


def _fields(duty: Duty) -> tuple[str, ...]:
    return duty.missing or duty.missing_all


@lru_cache(maxsize=4096)
def _condition(duty: Duty, mapped: frozenset[str]) -> Condition | None:
    """When the duty is open, as far as the mapped fields tell; None: nothing tells."""
    empty = [
        Test(fact=name, operator=Operator.NOT_PRESENT) for name in _fields(duty) if name in mapped
    ]
    if _fields(duty) and not empty:
        return None
    if duty.missing:
        either = AnyOf(conditions=tuple(Condition(tests=(one,)) for one in empty))
        return Condition(tests=(*duty.when.tests, either))
    return Condition(tests=(*duty.when.tests, *empty))


def _later(
    duty: Duty, policy: Policy, since: datetime, responded_at: datetime | None, now: datetime
) -> datetime | None:
    if responded_at is None or duty.after_response is None:
        return None
    opens = reach(ALWAYS, responded_at, duty.after_response, policy.business_day)
    return max(since, opens) if opens <= now else None


def _is_empty(ticket: Ticket, name: str, now: datetime) -> bool:
    return ticket.is_mapped(name) and not ticket.value_at(name, now)
