"""Zendesk behaviours that could not be confirmed, each as a switch with its likelier value."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """How the local Zendesk behaves where the real one is not known for certain."""

    # The export withholds what changed within this many seconds.
    withheld_seconds: int = 60
    # What a start_time within the last minute is answered with.
    too_recent_status: Literal[400, 422] = 400
    # Whether export pages repeat tickets: the last one of the page before, and their own first.
    export_duplicates: bool = False
    # Whether after_cursor moves on; stuck, a caller that does not look reads one page for ever.
    export_cursor: Literal["advances", "stuck"] = "advances"
    # An export of tickets with a per_page above this times out with 504; 0 is never.
    export_times_out_above: int = 0
    # Child events hold values under the field's name, or look as in audits.
    ticket_events_shape: Literal["named", "audit"] = "named"
    # Whether an export by time stands still when a page holds nothing but one second.
    pinned_timestamp: bool = False
    # Search finds a ticket this long after its creation (really up to a few minutes).
    search_lag_seconds: int = 0
    # Whether update_many counts in the bucket of PUT /tickets/{id}.
    update_many_bucket: Literal["none", "call", "row"] = "none"
    too_many_jobs_status: Literal[429, 422] = 429
    # What DELETE /tickets/{id}/tags answers: the remaining tags, or nothing.
    tags_delete_status: Literal[200, 204] = 200
    # How event payloads show a missing group, assignee or organization.
    missing_ids: Literal["null", "zero"] = "null"
    # Whether additional_tags and remove_tags work on a single PUT.
    tag_lists_on_single_put: bool = True
    # How a write to a closed ticket is refused: `named` adds an error name, `base` another key.
    closed_shape: Literal["plain", "named", "base"] = "plain"
    # The share of writes that meet another one in Zendesk's database: 409 DatabaseConflict.
    database_conflicts: Share = 0.0
    # Whether a job's own URL answers; `missing`, only the list knows it.
    single_job_status: Literal["answers", "missing"] = "answers"
    # A due date on a ticket that is no task.
    due_at_without_task: Literal["ignored", "kept"] = "ignored"
    # The longest value of a text field, in characters.
    text_limit: int = 65_535
    # How integer and decimal fields are read.
    number_values: Literal["text", "number"] = "text"
    # A value for a field that is not on the ticket's form; a new field is on it or not.
    off_form_fields: Literal["accepted", "ignored"] = "accepted"
    new_fields_on_form: bool = False
    # Whether the account has custom statuses.
    custom_statuses: bool = True
    # Closed tickets are archived after this many days: no list shows them.
    archived_after_days: int = 120
    # Failed webhooks are tried again after 409, and after 429 and 503 that name a short
    # Retry-After; or after every 5xx too.
    webhooks_retry: Literal["few", "5xx"] = "few"
    # Whether a webhook is tried again when no connection came about.
    webhooks_retry_unreachable: bool = True
    # How long nothing is sent once a webhook's circuit broke, in seconds of a full minute.
    circuit_pause_seconds: float = 5.0
    # Whether errors come as JSON or as plain text, apart from those of OAuth.
    error_bodies: Literal["json", "text"] = "json"
    # Whether tags that are options of a drop-down set and clear that field.
    tags_move_fields: bool = True
    # What a client may ask for, separated by spaces; empty is everything but `impersonate`.
    client_scopes: str = ""
    # The narrowest scope that creates and changes ticket fields.
    fields_scope: Literal["write", "tickets:write"] = "write"
    # Whether e-mail address and API token still sign in (none does after 2027-04-30).
    api_tokens: bool = True
    # What the calls of a deactivated user are answered with, and those to a suspended account.
    deactivated_status: Literal[401, 403] = 401
    suspended_status: Literal[403, 404] = 403
    # How a 429 looks; that of one ticket's own limit has a Retry-After only as JSON.
    refusal_body: Literal["json", "text"] = "json"
    ticket_refusal_body: Literal["json", "text"] = "text"
    # Whether the tag endpoints count in the bucket of PUT /tickets/{id}.
    tags_in_update_bucket: bool = False
