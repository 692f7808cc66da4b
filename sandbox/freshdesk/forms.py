"""Tickets as forms: `multipart/form-data`, which Freshdesk takes together with attachments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from sandbox.freshdesk.errors import FreshdeskError
from sandbox.freshdesk.fields import FieldBook
from sandbox.freshdesk.wire import json_body
from sandbox.state import Doc

_NUMBERS = {
    "status", "priority", "source", "responder_id", "group_id", "product_id", "company_id",
    "email_config_id", "requester_id", "internal_agent_id", "internal_group_id", "parent_id",
}  # fmt: skip
_TRUTHS = {"true": True, "false": False}
_CUSTOM = re.compile(r"custom_fields\[(\w+)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file of a request: its name, its length in bytes, and its media type."""

    name: str
    size: int
    content_type: str


def ticket_body(fields: FieldBook) -> Doc:
    """The request's ticket, from JSON or a form. Raises FreshdeskError 415 or 400."""
    if request.mimetype != "multipart/form-data":
        return json_body()
    attachments = [
        Attachment(
            name=file.filename or "",
            size=len(file.read()),
            content_type=file.mimetype,
        )
        for file in request.files.getlist("attachments[]")
    ]
    if not attachments:
        text = "multipart/form-data is for requests with attachments[] alone"
        raise FreshdeskError(415, {"code": "invalid_content_type", "message": text})
    return _values(request.form.to_dict(flat=False), fields) | {"attachments": attachments}


def _values(form: Mapping[str, list[str]], fields: FieldBook) -> Doc:
    kinds = {field["name"]: field["type"] for field in fields.custom()}
    body: Doc = {}
    for key, texts in form.items():
        custom = _CUSTOM.fullmatch(key)
        if custom:
            value = _custom(texts[-1], kinds.get(custom[1], ""))
            body.setdefault("custom_fields", {})[custom[1]] = value
        elif key.endswith("[]"):
            body[key.removesuffix("[]")] = texts
        else:
            body[key] = _whole(texts[-1]) if key in _NUMBERS else texts[-1]
    return body


def _custom(text: str, kind: str) -> Any:
    """A custom field's value; what does not fit stays text, and is refused as such."""
    match kind:
        case "custom_number":
            return _whole(text)
        case "custom_decimal":
            return float(text) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text) else text
        case "custom_checkbox":
            return _TRUTHS.get(text.lower(), text)
    return text


def _whole(text: str) -> Any:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
