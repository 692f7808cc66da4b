"""Checks what requests about Freshdesk tickets ask for, one flaw per wrong field."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sandbox.freshdesk.changes import CLOSED, OUTBOUND, RESOLVED, clean_tags
from sandbox.freshdesk.dues import DUES, DueChecker
from sandbox.freshdesk.errors import BLANK, Flaw, denied, flawed
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, FieldBook
from sandbox.freshdesk.forms import Attachment
from sandbox.freshdesk.givens import MAILBOX_ID, PRODUCT_ID
from sandbox.freshdesk.groups import Groups
from sandbox.freshdesk.kinds import (
    ID,
    LIST,
    PAIRS,
    TEXT,
    UNKNOWN,
    address_flaws,
    blank_flaws,
    is_id,
    kind_flaws,
    mismatch,
    no_such,
)
from sandbox.freshdesk.people import People
from sandbox.freshdesk.requesters import KEYS, requester_flaws
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc

_IDS = ("responder_id", "group_id", "product_id", "company_id", "email_config_id", "requester_id")
_INTERNAL = ("internal_agent_id", "internal_group_id")
_PLAIN = ("status", "priority", "source", *_IDS, *_INTERNAL, "subject", "type")
_ON_UPDATE = {*_PLAIN, *DUES, *KEYS, "description", "custom_fields", "tags", "attachments"}
_ON_CREATION = {*_ON_UPDATE, "cc_emails"}
# Keys of a feature that is not part of the account's plan.
_FEATURES = {"parent_id": "Parent child tickets", "related_ticket_ids": "Linked tickets"}
_KINDS = {
    **dict.fromkeys((*_IDS, *_INTERNAL), ID), "subject": TEXT, "description": TEXT,
    "cc_emails": LIST,
}  # fmt: skip
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
        for name, feature in _FEATURES.items():
            if name in body:
                text = f"The {feature} feature is not supported in your plan."
                raise denied("require_feature", text)
        accepted = _ON_CREATION if new else _ON_UPDATE
        flaws = [
            Flaw(field=name, message=UNKNOWN, code="invalid_field")
            for name in body
            if name not in accepted
        ]
        flaws += requester_flaws(body, self._people, new=new)
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
        if "cc_emails" in body:
            copied = list(body["cc_emails"] or ())
            values |= {"cc_emails": copied, "ticket_cc_emails": list(copied)}
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
            flaws.append(mismatch("custom_fields", PAIRS))
        else:
            flaws += self._fields.flaws_of(custom, switches)
        flaws += [*kind_flaws(body, _KINDS), *blank_flaws(body, ("subject", "description"))]
        files = body.get("attachments") or []
        if not isinstance(files, list) or not all(isinstance(one, Attachment) for one in files):
            flaws.append(mismatch("attachments", "Array of files"))
        return [*flaws, *address_flaws(body, "cc_emails"), *self._stranger_flaws(body)]

    def _stranger_flaws(self, body: Mapping[str, Any]) -> list[Flaw]:
        """A flaw per id that nothing has."""
        agents, groups = ("agent", self._people.agents), ("group", self._groups.all)
        known: dict[str, tuple[str, Collection[int]]] = {
            "responder_id": agents, "internal_agent_id": agents,
            "group_id": groups, "internal_group_id": groups,
            "requester_id": ("contact", self._people.contacts),
            "company_id": ("company", self._people.companies),
            "product_id": ("product", (PRODUCT_ID,)),
            "email_config_id": ("mailbox", (MAILBOX_ID,)),
        }  # fmt: skip
        return [
            no_such(name, what)
            for name, (what, ids) in known.items()
            if is_id(body.get(name)) and body[name] not in ids
        ]

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


def _tag_flaws(tags: Any, longest: int) -> list[Flaw]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return [mismatch("tags", "Array")]
    if any(len(tag) > longest for tag in tags):
        text = f"It should not contain elements of more than {longest} characters"
        return [Flaw(field="tags", message=text)]
    return []


def _number(body: Mapping[str, Any], name: str, known: Mapping[int, str]) -> list[Flaw]:
    if name not in body:
        return []
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        return [mismatch(name, "Integer")]
    return [] if value in known else [_one_of(name, [str(number) for number in known])]


def _one_of(name: str, known: Sequence[str]) -> Flaw:
    return Flaw(field=name, message=f"It should be one of these values: '{','.join(known)}'")
