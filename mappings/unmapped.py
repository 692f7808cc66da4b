"""What a policy asks for though the account has no field for it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mappings.conditions import REMEMBERED, Choice, Condition, Test
from mappings.duties import FLAGGED, TOLD, asked
from mappings.policy import Duty, Policy
from mappings.severity import Facts

NOT_MAPPED = "not_mapped"


def unmapped_gaps(facts: Facts) -> tuple[str, ...]:
    """A gap for each required value and each duty of the ticket that no field tells of."""
    policy = facts.policy
    found = policy.remembered.get(NOT_MAPPED)
    if not isinstance(found, _Asked):
        found = policy.remembered[NOT_MAPPED] = _Asked.by(policy)
    return found.gaps(facts)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What one policy asks for, and the answers so far."""

    names: tuple[str, ...]
    #: the required values, as far as the ticket is one that has to give them
    required: Choice[str]
    #: the duties, as far as the facts that every ticket has do not rule them out
    duties: Choice[Duty]
    known: dict[tuple[object, ...], tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def by(cls, policy: Policy) -> "_Asked":
        information = policy.information
        required = [name for one in information.required for name in one.any_of]
        names = {*required}.union(*map(asked, policy.duties)) - TOLD
        return cls(
            names=tuple(sorted(names)),
            required=Choice((_told(information.when), name) for name in required),
            duties=Choice((_told(duty.when), duty) for duty in policy.duties),
        )

    def gaps(self, facts: Facts) -> tuple[str, ...]:
        missing = frozenset([name for name in self.names if not facts.ticket.is_mapped(name)])
        if not missing:
            return ()
        required, duties = self.required.holding(facts), self.duties.holding(facts)
        key = (missing, required, tuple([duty.id for duty in duties]))
        found = self.known.get(key)
        if found is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            found = self.known[key] = tuple(_gaps(missing, required, duties))
        return found


def _told(when: Condition) -> Condition:
    """The part of a condition that asks for facts which every ticket has."""
    tests = [one for one in when.tests if isinstance(one, Test) and one.fact in TOLD]
    return Condition(tests=tuple(one for one in tests if not FLAGGED.intersection(one.values)))


def _gaps(
    missing: frozenset[str], required: tuple[str, ...], duties: tuple[Duty, ...]
) -> Iterator[str]:
    for name in required:
        if name in missing:
            yield f"{NOT_MAPPED}: no field tells of {name}; it counts as supplied"
    for duty in duties:
        if names := sorted(asked(duty) & missing):
            lost = "sets no tag" if duty.tag else "is not shown"
            yield f"{NOT_MAPPED}: no field tells of {' and '.join(names)}; {duty.id} {lost}"
