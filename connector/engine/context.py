"""What the engine knows of an account while it runs."""

from dataclasses import dataclass, field

from connector.helpdesks.base import Helpdesk
from mappings.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One configured account, wired to its helpdesk and its policy."""

    name: str
    kind: str
    helpdesk: Helpdesk
    policy: Policy
    #: shadow (write nothing), own_fields or native
    mode: str
    #: every tag that is ours to set and to remove there
    own_tags: frozenset[str]
    #: ticket -> conflicts in a row, of this process
    conflicts: dict[str, int] = field(default_factory=dict, compare=False)

    @property
    def writes(self) -> bool:
        """Whether anything may be written."""
        return self.mode != "shadow"
