"""Request bodies about Zendesk tickets, read into updates."""

from collections.abc import Mapping
from typing import Any

from sandbox.bodies import object_id
from sandbox.clock import parse_instant
from sandbox.state import Doc
from sandbox.zendesk.changes import NewComment, Update, tag_words
from sandbox.zendesk.errors import ZendeskError, bad_request, invalid, update_conflict
from sandbox.zendesk.people import People

_VALUES = (
    "subject", "type", "priority", "status", "custom_status_id", "assignee_id", "group_id",
    "requester_id", "organization_id", "external_id", "problem_id", "due_at",
)  # fmt: skip
_UNDERSTOOD = {
    *_VALUES, "tags", "additional_tags", "remove_tags", "custom_fields", "fields", "comment",
    "metadata", "safe_update", "updated_stamp", "raw_subject", "description", "requester",
    "submitter_id", "recipient", "id", "via", "assignee_email", "brand_id", "ticket_form_id",
    "collaborators", "collaborator_ids", "follower_ids", "followers", "email_ccs", "macro_ids",
    "is_public", "via_followup_source_id", "organization", "author_id",
}  # fmt: skip


def envelope(document: Any, key: str) -> Doc:
    """The object under `key` of a request body.

    Raises ZendeskError for anything else.
    """
    inner = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(inner, dict):
        raise bad_request("InvalidValue", f"The request body needs an object named {key}")
    return inner


def restricted_keys(body: Mapping[str, Any]) -> list[str]:
    """Keys that Zendesk drops without an error."""
    return sorted(set(body) - _UNDERSTOOD)


def read_update(
    body: Mapping[str, Any], *, author: Doc, people: People, tag_lists: bool = True
) -> Update:
    """An update as a request's `ticket` object asks for it."""
    values = {name: body[name] for name in _VALUES if name in body}
    if "raw_subject" in body:
        values["subject"] = body["raw_subject"]
    if "assignee_email" in body:
        values["assignee_id"] = _assignee(str(body["assignee_email"]), people)
    requester = values.get("requester_id")
    if requester is None:
        values.pop("requester_id", None)
    elif object_id(requester) not in people.users:
        raise invalid("requester", "Requester: is invalid", error="InvalidValue")
    return Update(
        values=values,
        tags=body.get("tags"),
        add_tags=tag_words(body.get("additional_tags") or ()) if tag_lists else (),
        remove_tags=tag_words(body.get("remove_tags") or ()) if tag_lists else (),
        custom=_custom(body.get("custom_fields", body.get("fields"))),
        comment=_comment(body.get("comment"), author=author, people=people),
        metadata=_metadata(body.get("metadata")),
    )


def check_stamp(body: Mapping[str, Any], updated_at: str) -> None:
    """Refuse a safe update of a ticket that changed since `updated_stamp`."""
    if "safe_update" not in body:
        return
    if not body.get("updated_stamp"):
        raise invalid("updated_stamp", "updated_stamp is required with safe_update")
    try:
        stamp = parse_instant(str(body["updated_stamp"]))
    except ValueError as error:
        raise invalid("updated_stamp", str(error)) from error
    if stamp != parse_instant(updated_at):
        raise update_conflict()


def _metadata(wanted: Any) -> Doc:
    if wanted is not None and not isinstance(wanted, dict):
        raise bad_request("InvalidValue", "metadata: an object is needed")
    return wanted or {}


def _custom(wanted: Any) -> dict[int, Any]:
    pairs = wanted.items() if isinstance(wanted, Mapping) else _pairs(wanted or [])
    try:
        return {int(key): value for key, value in pairs}
    except (TypeError, ValueError) as error:
        raise invalid("custom_fields", "Custom fields: an id is not a number") from error


def _pairs(wanted: Any) -> list[tuple[Any, Any]]:
    try:
        return [(entry["id"], entry.get("value")) for entry in wanted]
    except (TypeError, KeyError, AttributeError) as error:
        raise invalid("custom_fields", "Custom fields: a list of id and value is needed") from error


def _comment(wanted: Any, *, author: Doc, people: People) -> NewComment | None:
    if wanted is None:
        return None
    if isinstance(wanted, str):
        wanted = {"body": wanted}
    if not isinstance(wanted, Mapping):
        raise invalid("comment", "Comment: is invalid")
    body = str(wanted.get("body") or wanted.get("html_body") or "")
    if not body:
        return None
    author_id = object_id(wanted.get("author_id") or author["id"])
    if author_id is None or author_id not in people.users:
        raise invalid("author_id", "Author: is invalid")
    by_agent = people.is_agent(author_id)
    return NewComment(
        body=body,
        html_body=str(wanted["html_body"]) if wanted.get("html_body") else None,
        public=bool(wanted.get("public", True)) or not by_agent,
        author_id=author_id,
        by_agent=by_agent,
        voice=wanted.get("type") == "VoiceComment",
    )


def _assignee(email: str, people: People) -> int:
    user = people.by_email(email)
    if user is None or user["role"] == "end-user":
        raise ZendeskError(422, invalid("assignee", "Assignee: is invalid").body)
    return int(user["id"])
