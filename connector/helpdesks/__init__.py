"""The helpdesks that deskclock knows: one folder each, found and not registered."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, Protocol, cast

from connector.errors import SettingsError
from connector.helpdesks.base import NOTHING_MORE, Helpdesk, Wants
from connector.http import Budget, Vault
from connector.settings import AccountSettings
from mappings.assignment import Assignment
from mappings.conditions import Condition
from mappings.field_mapping import FieldMapping
from mappings.policy import Policy
from mappings.severity import PLAN
from mappings.ticket import DESCRIPTION, Ticket


class Translator(Protocol):
    """Reads the vendor's JSON without network; each ticket that is none raises `MappingError`."""

    def __call__(
        self,
        document: Any,
        mapping: FieldMapping,
        *,
        own_user_id: str | None = None,
        robots: frozenset[str] = frozenset(),
    ) -> Iterator[Ticket]: ...


def available() -> tuple[str, ...]:
    """The kinds of helpdesk there are, sorted."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.ispkg))


def open_helpdesk(
    account: AccountSettings,
    mapping: FieldMapping,
    *,
    now: Callable[[], datetime] | None = None,
    wants: Wants = NOTHING_MORE,
    budget: Budget | None = None,
    vault: Vault | None = None,
) -> Helpdesk:
    """The helpdesk of an account; makes no call. Raises `SettingsError`.

    `now` is the wall clock, for the age of deliveries and for what they observe; `wants` is what
    the account's policy needs beyond the ticket, see `wants_of`. `budget` is shared with every
    process that calls for the account, `vault` keeps what the helpdesk gives us to sign in with.
    """
    opened = _folder(account.helpdesk).connect(
        account, mapping, now=now, wants=wants, budget=budget, vault=vault
    )
    return cast(Helpdesk, opened)


def wants_of(assignments: Sequence[Assignment]) -> Wants:
    """What an account's policies and their contracts need beyond the ticket itself."""
    policies = [policy for one in assignments for policy in one.judging]
    layers = [layer for policy in policies for layer in (policy, *policy.overlaid())]
    asked = {fact for layer in layers for fact in _facts(layer)}
    asked.update(fact for one in assignments for fact in one.when.facts())
    return Wants(
        own_dues=any(target.inherits for layer in layers for target in layer.targets),
        organizations=PLAN in asked or any(map(_is_by_customer, layers)),
        calls=any(rule.or_call for layer in layers for rule in layer.fulfilments),
        description=DESCRIPTION in asked or any(map(_requires_description, layers)),
    )


def _requires_description(policy: Policy) -> bool:
    return any(DESCRIPTION in one.any_of for one in policy.information.required)


def _is_by_customer(policy: Policy) -> bool:
    """Whether it differs by the customer's plan or mail domain; the id comes with the ticket."""
    by_contract = any(one.domains or one.plan for one in policy.contracts)
    return by_contract or policy.default_plan is not None


def _facts(policy: Policy) -> Iterator[str]:
    """The facts that a policy asks for."""
    for condition in _conditions(policy):
        yield from condition.facts()
    if policy.matrix is not None:
        yield from (policy.matrix.rows, policy.matrix.columns)
        if policy.matrix.lowered_when is not None:
            yield from policy.matrix.lowered_when.facts()


def _conditions(policy: Policy) -> Iterator[Condition]:
    yield from (one.when for one in policy.exemptions)
    yield from (one.when for one in policy.severity_rules)
    yield from (one.when for one in policy.targets)
    yield from (one.when for one in policy.fulfilments)
    yield from (one.when for one in policy.duties)
    yield from (one.when for one in policy.steps)
    yield policy.information.when
    yield from (one.when for one in policy.information.required)
    yield from (condition for tier in policy.tiers for condition in tier.any)


def translator(kind: str) -> Translator:
    """What reads the JSON of a kind of helpdesk. Raises `SettingsError`."""
    folder = _folder(kind)
    return cast(Translator, importlib.import_module(f"{folder.__name__}.translate").tickets)


def _folder(kind: str) -> ModuleType:
    if kind not in available():
        raise SettingsError(
            f"there is no helpdesk '{kind}'; available are {', '.join(available())}"
        )
    return importlib.import_module(f"{__name__}.{kind}")
