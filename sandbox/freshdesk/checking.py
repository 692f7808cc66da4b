"""Checks what requests about Freshdesk tickets ask for, one flaw per wrong field."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sandbox.freshdesk.changes import CLOSED, OUTBOUND, RESOLVED, clean_tags
from sandbox.freshdesk.dues import DUES, DueChecker
from sandbox.freshdesk.errors import BLANK, Flaw, flawed
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, FieldBook
from sandbox.freshdesk.groups import Groups
from sandbox.freshdesk.people import People
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc

_IDS = ("responder_id", "group_id", "product_id", "company_id", "email_config_id", "requester_id")
_INTERNAL = ("internal_agent_id", "internal_group_id")
_REQUESTER = ("email", "name", "phone", "unique_external_id")
_PLAIN = ("status", "priority", "source", *_IDS, *_INTERNAL, "subject", "type")
_ACCEPTED = {
    *_PLAIN, *DUES, *_REQUESTER, "description", "custom_fields", "tags", "cc_emails", "parent_id",
    "attachments", "related_ticket_ids", "lookup_parameter", "facebook_id", "twitter_id",
}  # fmt: skip
_UNKNOWN = "Unexpected/invalid field in request"
_FIXED = "It cannot be updated due to the current state of the ticket"


class Checker:
    """Turns a request body into values to store; raises FreshdeskError 400 for wrong ones."""

    def __init__(self, fields: FieldBook, people: People, groups: Groups) -> None:
        self._fields = fields
        self._people = people
        self._groups = groups

    def values(
        self, body: Mapping[str, Any], ticket: Doc, *, now: datetime, new: bool, switches: Switches
    ) -> Doc:
        """The values that `body` sets on `ticket`."""
        flaws = [
            Flaw(field=name, message=_UNKNOWN, code="invalid_field")
            for name in body
            if name not in _ACCEPTED
        ]
        flaws += self._number_flaws(body)
        flaws += self._other_flaws(body, switches)
        if ticket["source"] == OUTBOUND and not new:
            fixed = [name for name in ("subject", "description") if name in body]
            flaws += [Flaw(field=n, message=_FIXED, code="incompatible_field") for n in fixed]
        checker = DueChecker(now=now, new=new, switches=switches)
        dues = checker.values(body, ticket, flaws)
        if flaws:
            raise flawed(flaws)
        values = {name: body[name] for name in _PLAIN if name in body}
        if "tags" in body:
            values["tags"] = clean_tags(body["tags"], lower_case=switches.tags_lower_case)
        if "custom_fields" in body:
            values["custom_fields"] = body["custom_fields"]
        missing = self._missing(ticket, values, new=new, switches=switches)
        if missing:
            raise flawed(missing)
        return values | dues

    def _number_flaws(self, body: Mapping[str, Any]) -> list[Flaw]:
        numbers = {"status": self._fields.statuses(), "priority": PRIORITIES, "source": SOURCES}
        return [flaw for name, known in numbers.items() for flaw in _number(body, name, known)]

    def _other_flaws(self, body: Mapping[str, Any], switches: Switches) -> list[Flaw]:
        flaws: list[Flaw] = []
        kind, types = body.get("type"), self._fields.types()
        if kind is not None and kind not in types:
            flaws.append(_one_of("type", types))
        flaws += _tag_flaws(body.get("tags", []), switches.tag_longest)
        custom = body.get("custom_fields", {})
        if not isinstance(custom, dict):
            flaws.append(_mismatch("custom_fields", "key/value pair"))
        else:
            flaws += self._fields.flaws_of(custom, switches)
        wrong = [name for name in (*_IDS, *_INTERNAL) if not _is_id(body.get(name))]
        flaws += [_mismatch(name, "Positive Integer") for name in wrong]
        if not isinstance(body.get("subject", ""), str):
            flaws.append(_mismatch("subject", "String"))
        for name, known in (("responder_id", self._people.agents), ("group_id", self._groups.all)):
            if name not in wrong and body.get(name) is not None and body[name] not in known:
                what = "agent" if name == "responder_id" else "group"
                text = f"There is no {what} matching the given {name}"
                flaws.append(Flaw(field=name, message=text))
        return flaws

    def _missing(
        self, ticket: Doc, values: Mapping[str, Any], *, new: bool, switches: Switches
    ) -> list[Flaw]:
        """The form's demands: fields that agents must fill, and those needed for closing."""
        custom = ticket["custom_fields"] | (values.get("custom_fields") or {})
        after = ticket | dict(values) | {"custom_fields": custom}
        flaws: list[Flaw] = []
        if new or switches.mandatory_on_update:
            flaws += self._fields.blanks(after, "required_for_agents")
        elif switches.type_required_on_update and not after["type"]:
            flaws.append(Flaw(field="type", message=BLANK))
        closes = (RESOLVED, CLOSED)
        if after["status"] in closes and (new or ticket["status"] not in closes):
            flaws += self._fields.blanks(after, "required_for_closure")
        return flaws


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _tag_flaws(tags: Any, longest: int) -> list[Flaw]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return [_mismatch("tags", "Array")]
    if any(len(tag) > longest for tag in tags):
        text = f"It should not contain elements of more than {longest} characters"
        return [Flaw(field="tags", message=text)]
    return []


def _number(body: Mapping[str, Any], name: str, known: Mapping[int, str]) -> list[Flaw]:
    if name not in body:
        return []
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        return [_mismatch(name, "Integer")]
    return [] if value in known else [_one_of(name, [str(number) for number in known])]


def _one_of(name: str, known: Sequence[str]) -> Flaw:
    return Flaw(field=name, message=f"It should be one of these values: '{','.join(known)}'")


def _mismatch(name: str, wanted: str) -> Flaw:
    return Flaw(field=name, message=f"It should be a/an {wanted}", code="datatype_mismatch")
