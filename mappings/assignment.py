"""Which policy judges a ticket: the first whose condition holds, in the version of its report."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mappings.conditions import EVERY_TICKET, Condition
from mappings.errors import MappingError
from mappings.policy import Contract, JudgeBy, Policy
from mappings.severity import CHANNEL, PLAN, Facts
from mappings.ticket import CLASS, PRIORITY, STATUS, Ticket

ORGANIZATION = "organization"
#: facts of ours that are known before a policy is; every mapped input is known beside them
KNOWN_FACTS = (CLASS, CHANNEL, PLAN, ORGANIZATION, PRIORITY, STATUS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A policy as it read from an instant on."""

    policy: Policy
    in_force_from: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A policy for the tickets of which a condition holds."""

    #: the versions that the policy has had, one at least, the newest last
    versions: tuple[Version, ...]
    when: Condition = EVERY_TICKET

    @property
    def newest(self) -> Policy:
        """The policy as it reads today."""
        return self.versions[-1].policy

    @property
    def judging(self) -> tuple[Policy, ...]:
        """The versions that may judge a ticket."""
        if self.newest.judge_by is JudgeBy.LATEST:
            return (self.newest,)
        return tuple(one.policy for one in self.versions)

    def version_for(self, reported_at: datetime) -> Policy:
        """The version for a ticket; the newest one says whether the report decides.

        A ticket that is older than the first version is judged by the first
        (policy-semantics 3.11).
        """
        if self.newest.judge_by is JudgeBy.LATEST:
            return self.newest
        for one in reversed(self.versions):
            if one.in_force_from <= reported_at:
                return one.policy
        return self.versions[0].policy


def policy_for(ticket: Ticket, assignments: Sequence[Assignment], now: datetime) -> Policy:
    """The policy that judges the ticket as it stands at `now`: the first that matches.

    Raises `MappingError` when none does, which a last one without a condition rules out.
    """
    seen = ticket.as_of(now)
    for one in assignments:
        if one.when.holds(Facts(ticket=seen, policy=one.newest, at=now)):
            return one.version_for(ticket.reported_at)
    raise MappingError("no policy is assigned to this ticket; the last one must have no condition")


def version_of(policy: Policy) -> str:
    """A hash of everything that answers under the policy rest on, its contracts included."""
    parts = {
        "policy": policy.version,
        "zone_is_decided": policy.zone_is_decided,
        "contracts": sorted(_contracts(policy), key=lambda one: str(one["id"])),
    }
    text = json.dumps(parts, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _contracts(policy: Policy) -> Iterator[dict[str, Any]]:
    for contract, merged in zip(policy.contracts, policy.overlaid(), strict=True):
        yield {**_terms(contract), "version": merged.version}


def _terms(one: Contract) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "plan": one.plan,
        "organizations": sorted(one.organizations),
        "domains": sorted(one.domains),
        "begins_at": one.begins_at.isoformat() if one.begins_at else None,
        "ends_at": one.ends_at.isoformat() if one.ends_at else None,
        "gaps": list(one.gaps),
        "source": one.source,
    }
