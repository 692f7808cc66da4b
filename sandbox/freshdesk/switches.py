"""Freshdesk behaviours that could not be confirmed, each as a switch with its likelier value."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """How the local Freshdesk behaves where the real one is not known for certain."""

    # --- due dates
    # "new": native due dates are computed again after every update. "classic": only when something
    # changes that a policy asks for, or the clock stops or runs on.
    engine: Literal["classic", "new"] = "classic"
    # Whether the native engine replaces due dates that were written through the API.
    native_overwrites: bool = False
    # Real seconds until the native engine has set the due dates.
    native_seconds: float = 2.0
    native_bumps_updated_at: bool = False
    # Which due dates the answer to an update shows on the new engine: those from before, or those
    # that were written. The classic engine always shows the written ones.
    put_shows: Literal["before", "written"] = "before"
    # Statuses that stop the native clock.
    timer_off_statuses: tuple[int, ...] = (3, 4, 5, 6, 7)
    # What a due date of null does.
    due_null: Literal["ignore", "clear", "refuse"] = "refuse"
    # What due dates do on a ticket that is resolved or closed, and on one whose clock stands.
    due_when_resolved: Literal["accept", "ignore", "refuse"] = "accept"
    due_when_paused: Literal["accept", "ignore", "refuse"] = "accept"
    # Whether an update may write an instant that is past, if it lies after the creation.
    due_in_past: Literal["accept", "refuse"] = "accept"
    # Whether an update needs both due dates or neither.
    dues_together: bool = False

    # --- lists and searches
    # Whether updated_since takes in the instant itself.
    updated_since_inclusive: bool = True
    # The search shows what changed at least this many seconds ago.
    search_lag_seconds: int = 60
    # Days without a change until a closed ticket is archived; 0 is never. The real one: about 120.
    archive_days: float = 0
    # What GET /tickets/{id} does for an archived ticket.
    archived_get: Literal["missing", "shown"] = "missing"
    # How the next page is written: with the blank of the documentation, or without.
    link: Literal["documented", "plain"] = "documented"

    # --- what an update may hold
    # Whether a missing type refuses an update of anything else.
    type_required_on_update: bool = False
    # Whether any blank field that agents must fill does.
    mandatory_on_update: bool = False
    # How errors name custom fields.
    custom_field_errors: Literal["dotted", "bare"] = "dotted"
    # The most characters of a tag; a longer one is refused.
    tag_longest: int = 32
    tags_lower_case: bool = False
    # How a new custom field is named: cf_label, label (accounts of long standing), cf_label_297457.
    field_names: Literal["cf", "bare", "suffix"] = "cf"

    # --- bulk changes
    bulk_status: Literal[200, 202] = 202
    bulk_most_ids: int = 100
    job_running: str = "IN PROGRESS"
    job_done: str = "COMPLETED"
    job_failed: str = "FAILED"

    # --- limits and access
    # What an endpoint's own limit counts.
    sub_limits_count: Literal["calls", "credits"] = "calls"
    retry_after: bool = True
    refusal_body: Literal["empty", "json"] = "empty"
    # How the X-RateLimit headers are written.
    rate_headers: Literal["integers", "floats", "none"] = "integers"
    # What role the API key's agent has.
    key_role: Literal["admin", "agent"] = "admin"
    # What a disabled key, or that of a deactivated agent, is answered.
    disabled_key_status: Literal[401, 403] = 401
    suspended: bool = False
    # Wrong logins in a row until they are answered 403 password_lockout.
    lockout_after: int = 20
    # The share of ticket lists that are answered 403 for no reason.
    list_403_share: Share = 0.0

    # --- automation rules and webhooks
    # The answer to GET /automations/{type}/rules.
    rules_list: Literal["array", "object"] = "array"
    # Whether webhooks count against the account's limit, and wait when it is used up.
    webhooks_count: bool = True
    # Whether a template's values are escaped as in JSON text.
    templates_escape: bool = False
    # How {{ticket.due_by_time}} is written.
    due_by_time: Literal["human", "iso"] = "human"
    # Minutes that a webhook waits then, and how often it waits until it is dropped.
    postponed_minutes: float = 60
    postponed_times: int = 24
