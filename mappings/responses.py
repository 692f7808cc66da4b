"""What fulfils a metric, and when: replies, calls, solves, and fields that a policy asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from mappings.policy import Fulfilment, Metric, Policy, Requirement
from mappings.severity import Facts
from mappings.ticket import Reply, Stretch, Ticket
from mappings.written import instant_in


class Fulfilled(NamedTuple):
    """The event that ended a metric."""

    at: datetime
    #: the vendor's own order of that event
    sequence: int = 0
    #: the public reply that it was
    reply: Reply | None = None
    #: reply, call, solve, or the name of the field that came last
    by: str = "reply"


@dataclass(kw_only=True, slots=True)
class Responses:
    """The fulfilments of one ticket's metrics as they stand at `now`."""

    ticket: Ticket
    policy: Policy
    facts: Facts
    #: the stretches during which the ticket was solved
    done: Sequence[Stretch]
    now: datetime
    _first: list[Fulfilled | None] = field(default_factory=list)

    def of(self, metric: Metric) -> Fulfilled | None:
        """What fulfilled a metric; None while nothing did."""
        if metric is Metric.FIRST_RESPONSE:
            return self.first_response()
        if not self.done or self.done[-1].end is not None:
            return None
        solve = _solved(self.done[-1])
        return self._with_field(solve, self._rule(metric))

    def first_response(self) -> Fulfilled | None:
        """The first response, or the solve where that came first."""
        if not self._first:
            self._first.append(self._first_response())
        return self._first[0]

    def gaps(self, metric: Metric) -> tuple[str, ...]:
        """What the answer rests on because a field that the policy asks for is not mapped."""
        rule = self._rule(metric)
        unmapped = rule and rule.filled and not self.ticket.is_mapped(rule.filled)
        return rule.gaps if rule and unmapped else ()

    def turns(self) -> set[datetime]:
        """Later instants that the asked for fields name: the metric is fulfilled then."""
        names = {
            name for rule in self.policy.fulfilments for name in (rule.filled, rule.or_at) if name
        }
        found = {self._named(name) for name in names}
        return {at for at in found if at is not None and at > self.now}

    def _rule(self, metric: Metric) -> Fulfilment | None:
        if not self.policy.fulfilments:
            return None
        return self.policy.fulfilment_for(metric, self.facts)

    def _first_response(self) -> Fulfilled | None:
        rule = self._rule(Metric.FIRST_RESPONSE)
        answered = min(self._answers(rule), key=lambda one: one.at, default=None)
        answered = self._with_field(answered, rule) if answered else None
        solve = _solved(self.done[0]) if self.done else None
        if solve is not None and (answered is None or solve.at < answered.at):
            return solve
        return answered

    def _answers(self, rule: Fulfilment | None) -> Iterator[Fulfilled]:
        """The first of each thing that counts as a response."""
        for reply in self.ticket.replies[:1]:
            yield Fulfilled(at=reply.at, sequence=reply.sequence, reply=reply)
        if rule is None:
            return
        for call in self.ticket.calls[:1] if rule.or_call else ():
            yield Fulfilled(at=call.at, sequence=call.sequence, by="call")
        filled = self._filled(rule.or_at) if rule.or_at else None
        if filled is not None and filled.at >= self.ticket.reported_at:
            yield filled

    def _with_field(self, event: Fulfilled, rule: Fulfilment | None) -> Fulfilled | None:
        """The later of the event and the filling of the field that the policy asks for."""
        if rule is None or rule.filled is None or not self.ticket.is_mapped(rule.filled):
            return event
        filled = self._filled(rule.filled)
        return None if filled is None else max(event, filled, key=lambda one: one.at)

    def _filled(self, name: str) -> Fulfilled | None:
        """When a field was filled, or the instant that it names where that has come."""
        stretch = self.ticket.filled_since(name, self.now)
        if stretch is None:
            return None
        named = self._named(name)
        if named is not None:
            return Fulfilled(at=named, by=name) if named <= self.now else None
        return Fulfilled(at=stretch.start, sequence=stretch.sequence, by=name)

    def _named(self, name: str) -> datetime | None:
        """The instant that a field names; a date alone does not say when on that day."""
        text = self.ticket.value_at(name, self.now)
        return instant_in(text, self.policy.zone) if text and len(text.strip()) > 10 else None


def _solved(stretch: Stretch) -> Fulfilled:
    return Fulfilled(at=stretch.start, sequence=stretch.sequence, by="solve")


def complete_at(ticket: Ticket, policy: Policy, until: datetime) -> datetime | None:
    """When all required information was there for the first time; None: it is not yet.

    A value that is not mapped counts as supplied (policy-semantics 8).
    """
    required = _required(ticket, policy)
    if not required:
        return ticket.reported_at
    names = {name for one in required for name in (*one.any_of, *one.when.facts())}
    turned = {change.at for name in names for change in ticket.changes_of(name)}
    later = sorted(at for at in turned if ticket.reported_at < at <= until)
    for at in (ticket.reported_at, *later):
        if not missing_at(ticket, policy, at):
            return at
    return None


def missing_at(ticket: Ticket, policy: Policy, at: datetime) -> tuple[str, ...]:
    """The required values that are empty at an instant, alternatives joined by "or"."""
    required = _required(ticket, policy)
    facts = Facts(ticket=ticket, policy=policy, at=at)
    if not required or not policy.information.when.holds(facts):
        return ()
    return tuple(
        " or ".join(one.any_of)
        for one in required
        if one.when.holds(facts) and not any(facts(name) for name in one.any_of)
    )


def _required(ticket: Ticket, policy: Policy) -> list[Requirement]:
    """Those of which every alternative is mapped."""
    return [one for one in policy.information.required if all(map(ticket.is_mapped, one.any_of))]
