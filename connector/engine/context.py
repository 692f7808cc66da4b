"""What the engine knows of an account while it runs."""

import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connector.helpdesks.base import Helpdesk
from mappings.assignment import Assignment


@dataclass(slots=True)
class Clocks:
    """The database's clock beside our own, which never steps, to know when one was set."""

    #: by how many seconds they may drift apart between two looks
    TOLERANCE: ClassVar[float] = 2.0

    _ahead: float | None = None

    def stepped(self, database: float, monotonic: float) -> bool:
        """Whether the database's clock was set since the last call (or our machine slept)."""
        before, self._ahead = self._ahead, database - monotonic
        return before is not None and abs(self._ahead - before) > self.TOLERANCE


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
    #: (cause, metric) of which a private note is written into the ticket, see engine/notes
    notes: frozenset[tuple[str, str]] = frozenset()
    #: seconds between two looks at what changed there
    sync_seconds: float = 60.0
    #: hours after which an open ticket is looked at though nothing told of it; 0: never
    reconcile_hours: float = 24.0
    #: ticket -> conflicts in a row, of this process
    conflicts: dict[str, int] = field(default_factory=dict, compare=False)
    #: something was refused: the account's fields are to be read anew
    recheck: threading.Event = field(default_factory=threading.Event, compare=False)
    #: feed -> the page that this process has read and not yet done
    pages: dict[str, Any] = field(default_factory=dict, compare=False)
    clocks: Clocks = field(default_factory=Clocks, compare=False)
    #: claims that could not be given back while the database was away, of this process
    owed: list[Any] = field(default_factory=list, compare=False)

    @property
    def writes(self) -> bool:
        """Whether anything may be written."""
        return self.mode != "shadow"

    @property
    def needs_past(self) -> bool:
        """Whether any of its policies rests on more of a ticket's past than figures tell."""
        return any(policy.needs_past for one in self.assignments for policy in one.judging)
