"""Checks what requests about Freshdesk tickets ask for, one flaw per wrong field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sandbox.clock import iso, parse_instant
from sandbox.freshdesk.changes import CLOSED, RESOLVED, clean_tags
from sandbox.freshdesk.errors import Flaw, flawed
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, STATUSES, TYPES, FieldBook
from sandbox.freshdesk.people import People
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc

_NUMBERS = {"status": STATUSES, "priority": PRIORITIES, "source": SOURCES}
_IDS = ("responder_id", "group_id", "product_id", "company_id", "email_config_id", "requester_id")
_DUES = ("due_by", "fr_due_by")
_REQUESTER = ("email", "name", "phone", "unique_external_id")
_ACCEPTED = {
    *_NUMBERS, *_IDS, *_DUES, *_REQUESTER, "subject", "type", "description", "custom_fields",
    "tags", "cc_emails", "parent_id", "internal_agent_id", "internal_group_id", "attachments",
    "related_ticket_ids", "lookup_parameter",
}  # fmt: skip
_UNKNOWN = "Unexpected/invalid field in request"


class Checker:
    """Turns a request body into values to store; raises FreshdeskError 400 for wrong ones."""

    def __init__(self, fields: FieldBook, people: People) -> None:
        self._fields = fields
        self._people = people

    def values(
        self, body: Mapping[str, Any], ticket: Doc, *, now: datetime, new: bool, switches: Switches
    ) -> Doc:
        """The values that `body` sets on `ticket`."""
        flaws = [
            Flaw(field=name, message=_UNKNOWN, code="invalid_field")
            for name in body
            if name not in _ACCEPTED
        ]
        flaws += [f for name, known in _NUMBERS.items() for f in _number(body, name, known)]
        flaws += self._other_flaws(body)
        if switches.type_required_on_update and not (new or ticket["type"] or body.get("type")):
            flaws.append(Flaw(field="type", message="It should not be blank"))
        values = {
            name: body[name] for name in (*_NUMBERS, *_IDS, "subject", "type") if name in body
        }
        dues = self._dues(body, ticket, now=now, new=new, switches=switches, flaws=flaws)
        if flaws:
            raise flawed(flaws)
        if "tags" in body:
            values["tags"] = clean_tags(body["tags"])
        if "custom_fields" in body:
            values["custom_fields"] = body["custom_fields"]
        return values | dues

    def _other_flaws(self, body: Mapping[str, Any]) -> list[Flaw]:
        flaws: list[Flaw] = []
        kind = body.get("type")
        if kind is not None and kind not in TYPES:
            text = f"It should be one of these values: '{','.join(TYPES)}'"
            flaws.append(Flaw(field="type", message=text))
        if "tags" in body and not isinstance(body["tags"], list):
            flaws.append(_mismatch("tags", "Array"))
        custom = body.get("custom_fields", {})
        if not isinstance(custom, dict):
            flaws.append(_mismatch("custom_fields", "key/value pair"))
        else:
            flaws += self._fields.flaws_of(custom)
        agent = body.get("responder_id")
        if agent is not None and agent not in self._people.agents:
            text = "There is no agent matching the given responder_id"
            flaws.append(Flaw(field="responder_id", message=text))
        return flaws

    def _dues(
        self,
        body: Mapping[str, Any],
        ticket: Doc,
        *,
        now: datetime,
        new: bool,
        switches: Switches,
        flaws: list[Flaw],
    ) -> Doc:
        given = {name: body[name] for name in _DUES if name in body}
        if not given:
            return {}
        done = ticket["status"] in (RESOLVED, CLOSED)
        if done and switches.due_when_resolved != "accept":
            if switches.due_when_resolved == "refuse":
                text = "It cannot be updated due to the current state of the ticket"
                flaws += [Flaw(field=n, message=text, code="incompatible_field") for n in given]
            return {}
        dues: Doc = {}
        for name, value in given.items():
            _read_due(name, value, dues, flaws, switches)
        flaws += _order_flaws(ticket, dues, now=now, new=new)
        return dues


def _read_due(name: str, value: Any, dues: Doc, flaws: list[Flaw], switches: Switches) -> None:
    if value is None:
        if switches.due_null == "clear":
            dues[name] = None
        elif switches.due_null == "refuse":
            flaws.append(_mismatch(name, "DateTime"))
        return
    try:
        dues[name] = iso(parse_instant(value))
    except ValueError:
        text = "It should be in the 'combined date and time ISO8601' format"
        flaws.append(Flaw(field=name, message=text))


def _order_flaws(ticket: Doc, dues: Mapping[str, Any], *, now: datetime, new: bool) -> list[Flaw]:
    flaws = []
    least = iso(now) if new else ticket["created_at"]
    for name, value in dues.items():
        if value is not None and value < least:
            text = "It should not be before the ticket's creation"
            flaws.append(Flaw(field=name, message=text))
    resolve = dues.get("due_by", ticket["due_by"])
    respond = dues.get("fr_due_by", ticket["fr_due_by"])
    if resolve and respond and resolve <= respond:
        field = "due_by" if "due_by" in dues else "fr_due_by"
        text = "The resolution due date must be later than the first response due date"
        flaws.append(Flaw(field=field, message=text))
    return flaws


def _number(body: Mapping[str, Any], name: str, known: Mapping[int, str]) -> list[Flaw]:
    if name not in body:
        return []
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        return [_mismatch(name, "Integer")]
    if value not in known:
        values = ",".join(map(str, known))
        return [Flaw(field=name, message=f"It should be one of these values: '{values}'")]
    return []


def _mismatch(name: str, wanted: str) -> Flaw:
    return Flaw(field=name, message=f"It should be a/an {wanted}", code="datatype_mismatch")
