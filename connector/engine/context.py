"""What the engine knows of an account while it runs."""

from dataclasses import dataclass, field

from connector.helpdesks.base import Helpdesk
from mappings.assignment import Assignment


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One configured account, wired to its helpdesk and its policies."""

    name: str
    kind: str
    helpdesk: Helpdesk
    #: the policies that judge its tickets; the first whose condition holds, the last has none
    assignments: tuple[Assignment, ...]
    #: shadow (write nothing), own_fields or native
    mode: str
    #: every tag that is ours to set and to remove there
    own_tags: frozenset[str]
    #: with which our tags and the options of our fields begin
    prefix: str = "sla_"
    #: somebody is told of steps of escalation ladders
    notifies: bool = False
    #: ticket -> conflicts in a row, of this process
    conflicts: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def writes(self) -> bool:
        """Whether anything may be written."""
        return self.mode != "shadow"
