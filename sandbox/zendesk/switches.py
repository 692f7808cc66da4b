"""Zendesk behaviours that could not be confirmed, each as a switch with its likelier value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """How the local Zendesk behaves where the real one is not known for certain."""

    # The export withholds what changed within this many seconds.
    withheld_seconds: int = 60
    # Whether update_many counts in the bucket of PUT /tickets/{id}.
    update_many_bucket: Literal["none", "call", "row"] = "none"
    too_many_jobs_status: Literal[429, 422] = 429
    # What DELETE /tickets/{id}/tags answers: the remaining tags, or nothing.
    tags_delete_status: Literal[200, 204] = 200
    # How event payloads show a missing group, assignee or organization.
    missing_ids: Literal["null", "zero"] = "null"
    # Whether additional_tags and remove_tags work on a single PUT.
    tag_lists_on_single_put: bool = True
    # Whether tags that are options of a drop-down set and clear that field.
    tags_move_fields: bool = True
