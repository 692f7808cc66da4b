"""The rows of Zendesk's ticket event export, made of audits."""

from typing import Any, Literal

from sandbox.clock import epoch
from sandbox.state import Doc

Shape = Literal["named", "audit"]
_LABELS = {
    "api": "Web service", "web": "Web form", "email": "Mail", "chat": "Chat",
    "voice": "Phone call (inbound)", "rule": "Rule", "native_messaging": "Messaging",
}  # fmt: skip
_COMMENTS = ("Comment", "VoiceComment")


def event_row(audit: Doc, shape: Shape, *, with_comments: bool) -> Doc:
    """One update of a ticket and, as `child_events`, what it did.

    In the shape `named` a child holds the new value under the field's name and `via` is a label;
    in the shape `audit` both stand as in an audit. Comments are left out but for two marks,
    unless `with_comments`.
    """
    children = [
        _comment(event, audit, shape, whole=with_comments)
        if event["type"] in _COMMENTS
        else _change(event, audit, shape)
        for event in audit["events"]
    ]
    return {
        "id": audit["id"],
        "ticket_id": audit["ticket_id"],
        "timestamp": epoch(audit["created_at"]),
        "created_at": audit["created_at"],
        "updater_id": audit["author_id"],
        "via": _via(audit, shape),
        "via_reference_id": None,
        "system": audit["metadata"]["system"],
        "metadata": audit["metadata"]["custom"],
        "event_type": "Audit",
        "child_events": children,
    }


def _comment(event: Doc, audit: Doc, shape: Shape, *, whole: bool) -> Doc:
    if not whole:
        marks = {"comment_present": True, "comment_public": event["public"]}
        return {**_head(event, audit, shape), **marks, "event_type": event["type"]}
    about = {
        "via": audit["via"],
        "via_reference_id": None,
        "created_at": audit["created_at"],
        "event_type": event["type"],
    }
    return {**event, **about}


def _change(event: Doc, audit: Doc, shape: Shape) -> Doc:
    head = _head(event, audit, shape)
    if shape == "audit":
        return {**head, **event, "event_type": event["type"]}
    return {**head, **_named(event), "event_type": event["type"]}


def _named(event: Doc) -> Doc:
    name, value = event["field_name"], event["value"]
    before: dict[str, Any] = {}
    if event["type"] == "Change":
        before["previous_value"] = event["previous_value"]
    if name.isdigit():
        return {"custom_ticket_fields": {name: value}, **before}
    if name == "tags":
        old, new = set(before.get("previous_value") or ()), set(value or ())
        return {"tags": value, "added_tags": sorted(new - old), "removed_tags": sorted(old - new)}
    return {name: value, **before}


def _head(event: Doc, audit: Doc, shape: Shape) -> Doc:
    return {"id": event["id"], "via": _via(audit, shape), "via_reference_id": None}


def _via(audit: Doc, shape: Shape) -> Any:
    channel = audit["via"]["channel"]
    return audit["via"] if shape == "audit" else _LABELS.get(channel, channel.capitalize())
