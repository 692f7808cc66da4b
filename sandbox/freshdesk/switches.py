"""Freshdesk behaviours that could not be confirmed, each as a switch with its likelier value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """How the local Freshdesk behaves where the real one is not known for certain."""

    # "new": native due dates are computed again after every update, and the answer to a PUT shows
    # the dates from before it. "classic": only when priority, type or status change.
    engine: Literal["classic", "new"] = "classic"
    # Whether the native engine replaces due dates that were written through the API.
    native_overwrites: bool = False
    # Real seconds until the native engine has set the due dates.
    native_seconds: float = 2.0
    native_bumps_updated_at: bool = False
    # What a due date of null does.
    due_null: Literal["ignore", "clear", "refuse"] = "refuse"
    # What due dates do on a ticket that is resolved or closed.
    due_when_resolved: Literal["accept", "ignore", "refuse"] = "accept"
    # Whether updated_since takes in the instant itself.
    updated_since_inclusive: bool = True
    # The search shows what changed at least this many seconds ago.
    search_lag_seconds: int = 60
    # Whether a missing type refuses an update of anything else.
    type_required_on_update: bool = False
