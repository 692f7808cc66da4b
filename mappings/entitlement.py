"""What a customer is entitled to: the plan, the contract, and the policy that they come to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mappings.policy import Contract, Metric, Policy
from mappings.ticket import Ticket

ENTITLEMENT_UNKNOWN = "entitlement_unknown"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketException:
    """A due that was promised otherwise for one ticket, in writing."""

    #: where it was promised, such as the number of a letter
    reference: str
    #: it holds from this instant on, for what is still open then
    written_at: datetime
    #: the due instant that takes the place of the target's
    until: datetime
    #: None: every metric
    metric: Metric | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What holds for one ticket."""

    #: one policy for each plan that the customer holds; every one of them applies
    policies: tuple[Policy, ...]
    #: the plans that were found, or the default one
    plans: tuple[str, ...] = ()
    #: the customer's own contract
    contract: Contract | None = None
    #: contracts of the customer that are not in force for this ticket, or that another one covers
    passed_over: tuple[Contract, ...] = ()
    #: plans that no contract file describes
    unknown_plans: tuple[str, ...] = ()
    #: nobody said which plan the customer has
    is_default: bool = False


def terms(ticket: Ticket, policy: Policy) -> Terms:
    """The terms that were in force when the ticket was reported."""
    if not policy.contracts and policy.default_plan is None:
        return Terms(policies=(policy,), plans=ticket.plans)
    everybody = tuple(c for c in policy.contracts if not c.is_signed and c.plan is None)
    amended = tuple(one for one in everybody if _is_in_force(one, ticket))
    signed = [one for one in policy.contracts if one.is_signed and _covers(one, ticket)]
    in_force = sorted((one for one in signed if _is_in_force(one, ticket)), key=_newest)
    contract = in_force[-1] if in_force else None
    known = {one.plan: one for one in policy.contracts if not one.is_signed and one.plan}
    held = (contract.plan,) if contract and contract.plan else ticket.plans
    found = tuple(known[plan] for plan in held if plan in known)
    is_default = not found and policy.default_plan is not None
    if is_default:
        found = tuple(known[plan] for plan in (policy.default_plan,) if plan in known)
    own = (contract,) if contract else ()
    plans = tuple(one.plan for one in found if one.plan) or held
    return Terms(
        policies=tuple(_merged(policy, (*amended, *layers, *own)) for layers in _ways(found)),
        plans=plans,
        contract=contract,
        passed_over=tuple(one for one in signed if one is not contract),
        unknown_plans=tuple(plan for plan in held if known and plan not in known),
        is_default=is_default,
    )


def _ways(plans: Sequence[Contract]) -> Iterator[tuple[Contract, ...]]:
    """Each plan by itself; nothing where there is none."""
    if not plans:
        yield ()
    for plan in plans:
        yield (plan,)


def _merged(policy: Policy, layers: tuple[Contract, ...]) -> Policy:
    return policy.merge(layers) if layers and policy.merge is not None else policy


def _covers(contract: Contract, ticket: Ticket) -> bool:
    if ticket.organization is not None and ticket.organization in contract.organizations:
        return True
    return not contract.domains.isdisjoint(ticket.domains)


def _is_in_force(contract: Contract, ticket: Ticket) -> bool:
    at = ticket.reported_at
    begun = contract.begins_at is None or contract.begins_at <= at
    return begun and (contract.ends_at is None or at < contract.ends_at)


def _newest(contract: Contract) -> tuple[datetime, str]:
    """Of two in force the one that began last holds."""
    return contract.begins_at or _LONG_AGO, contract.id
