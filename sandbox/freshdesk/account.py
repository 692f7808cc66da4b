"""One local Freshdesk account: its parts, put together, and the operations behind several calls."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.core import Core
from sandbox.freshdesk.changes import blank_ticket
from sandbox.freshdesk.checking import Checker
from sandbox.freshdesk.errors import BLANK, Flaw, FreshdeskError, flawed
from sandbox.freshdesk.fields import FieldBook
from sandbox.freshdesk.gate import Door, Meter
from sandbox.freshdesk.groups import Groups
from sandbox.freshdesk.hooks import Webhooks
from sandbox.freshdesk.jobs import Jobs
from sandbox.freshdesk.kinds import PAIRS, TEXT, is_id, kind_flaws
from sandbox.freshdesk.native import Native
from sandbox.freshdesk.outgoing import Outgoing
from sandbox.freshdesk.people import API_USER, People
from sandbox.freshdesk.policies import Policies
from sandbox.freshdesk.requesters import WAYS, requester_of
from sandbox.freshdesk.switches import Switches
from sandbox.freshdesk.writer import Entry, Writer
from sandbox.seed import agents
from sandbox.state import Doc

_SWITCHES = TypeAdapter(Switches)
_FIRST_ATTACHMENT = 43_000_400_001
_NEEDS_STATUS = ("internal_agent_id", "internal_group_id")


class Account:
    """Everything that the API, the page and the controls of a local Freshdesk work on."""

    def __init__(self, core: Core) -> None:
        self.core = core
        state, clock = core.state, core.clock
        current = self._current
        self.fields = FieldBook(state, clock)
        self.people = People(state, clock)
        self.groups = Groups(state, clock)
        self.policies = Policies(state, clock)
        self.hooks = Webhooks(core, self.people, self.groups, self.fields, current)
        self.native = Native(self.policies, current)
        meter = Meter(core)
        self.outgoing = Outgoing(core, meter, current)
        self.writer = Writer(core, self.hooks, self.native, self.outgoing)
        self.writer.switches = _SWITCHES.validate_python(state.setting("switches") or {})
        self.door = Door(meter, self.people.api_user, current)
        self._checker = Checker(self.fields, self.people, self.groups)
        self.jobs = Jobs(core, self._bulk, current)

    def close(self) -> None:
        """Stop background work."""
        self.jobs.close()
        self.outgoing.close()

    @staticmethod
    def prepare(core: Core) -> None:
        """Give a new account its fields and its agents."""
        FieldBook(core.state, core.clock).make_standard()
        people = People(core.state, core.clock)
        people.ensure_agent("Sandbox Connector", API_USER)
        for name, email in agents():
            people.ensure_agent(name, email)

    @property
    def switches(self) -> Switches:
        """The unconfirmed behaviours."""
        return self.writer.switches

    def _current(self) -> Switches:
        return self.writer.switches

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Set some switches. Raises ValueError for an unknown one or an impossible value."""
        current = asdict(self.switches)
        unknown = set(changes) - set(current)
        if unknown:
            message = f"unknown switches {sorted(unknown)}; there are {sorted(current)}"
            raise ValueError(message)
        try:
            self.writer.switches = _SWITCHES.validate_python(current | dict(changes))
        except ValidationError as error:
            raise ValueError(str(error)) from error
        self.core.state.remember("switches", asdict(self.switches))

    def create(self, body: Mapping[str, Any], by: int | None = None) -> Doc:
        """Create a ticket as `POST /tickets` does. Raises FreshdeskError for an unusable body."""
        now = self.core.clock.now()
        flaws = _creation_flaws(body)
        if flaws:
            raise flawed(flaws)
        blank = blank_ticket(0, self.core.clock.stamp())
        values = self._checker.values(body, blank, now=now, new=True, switches=self.switches)
        values |= self._files(body, blank)
        contact = requester_of(body, self.people)
        if contact is not None:
            values["requester_id"] = contact["id"]
            values.setdefault("company_id", contact["company_id"])
        text = str(body["description"])
        by = values["requester_id"] if by is None else by
        return self.writer.create(values, text, rich=text if "<" in text else None, by=by)

    def update(self, ticket_id: int, body: Mapping[str, Any], by: int | None = None) -> Doc:
        """Update a ticket as `PUT /tickets/{id}` does."""
        with self.core.state.writing():
            ticket = self.writer.live(ticket_id, "PUT")
            if not body:
                raise flawed([Flaw(field="base", message=BLANK, code="missing_field")])
            now = self.core.clock.now()
            values = self._checker.values(body, ticket, now=now, new=False, switches=self.switches)
            values |= self._files(body, ticket)
            contact = requester_of(body, self.people)
            if contact is not None:
                values["requester_id"] = contact["id"]
            text = str(body["description"]) if "description" in body else None
            return self.writer.change(ticket_id, values, text=text, by=by)

    def bulk_update(self, wanted: Mapping[str, Any], by: int) -> Doc:
        """Queue a change of many tickets alike, a reply to each, or both; returns the job."""
        ids, most = wanted.get("ids"), self.switches.bulk_most_ids
        if not isinstance(ids, list) or not 0 < len(ids) <= most:
            text = f"It should be a list of 1 to {most} ticket ids"
            raise flawed([Flaw(field="ids", message=text)])
        if not all(is_id(one) for one in ids):
            text = "It should contain elements of type Positive Integer only"
            raise flawed([Flaw(field="ids", message=text, code="datatype_mismatch")])
        flaws = kind_flaws(wanted, {"properties": PAIRS, "reply": PAIRS})
        if flaws or (flaws := kind_flaws(wanted.get("reply") or {}, {"body": TEXT}, "reply.")):
            raise flawed(flaws)
        properties = wanted.get("properties") or {}
        reply = (wanted.get("reply") or {}).get("body")
        if not properties and not reply:
            raise flawed([Flaw(field="properties", message=BLANK, code="missing_field")])
        if any(name in properties for name in _NEEDS_STATUS) and "status" not in properties:
            raise flawed([Flaw(field="status", message=BLANK, code="missing_field")])
        work = {"ids": ids, "properties": properties, "reply": reply, "by": by}
        return self.jobs.queue(work)

    def _bulk(self, work: Mapping[str, Any]) -> list[int]:
        """Carry out a bulk change; the tickets that it failed on."""
        return [key for key in work["ids"] if not self._bulk_one(key, work)]

    def _bulk_one(self, ticket_id: int, work: Mapping[str, Any]) -> bool:
        try:
            if work["properties"]:
                self.update(ticket_id, work["properties"], by=work["by"])
            if work["reply"]:
                text = str(work["reply"])
                entry = Entry(user_id=work["by"], by_agent=True, public=True, body=text)
                self.writer.add(ticket_id, entry)
        except FreshdeskError:
            return False
        return True

    def forget_values(self, name: str) -> None:
        """Take the values of a custom field out of all tickets."""
        state, moved, key = self.core.state, -(2**62), -1
        while rows := state.moved_after("ticket", moved=moved, key=key, before=2**62, limit=1000):
            held = [doc for _, doc in rows if name in doc["custom_fields"]]
            for doc in held:
                del doc["custom_fields"][name]
            state.put_all(self.writer.ticket_row(doc) for doc in held)
            moved, key = rows[-1][0], rows[-1][1]["id"]

    def _files(self, body: Mapping[str, Any], ticket: Doc) -> Doc:
        """The ticket's attachments with those of the request, if it has any."""
        at = self.core.clock.stamp()
        new = [
            {
                "id": self.core.state.next_id("attachment", start=_FIRST_ATTACHMENT),
                "name": file.name, "size": file.size, "content_type": file.content_type,
                "created_at": at, "updated_at": at,
            }
            for file in body.get("attachments") or ()
        ]  # fmt: skip
        return {"attachments": [*ticket["attachments"], *new]} if new else {}


def _creation_flaws(body: Mapping[str, Any]) -> list[Flaw]:
    flaws = [
        Flaw(field=name, message=BLANK, code="missing_field")
        for name in ("subject", "description", "status", "priority")
        if body.get(name) in (None, "")
    ]
    if not any(body.get(name) for name in ("requester_id", *WAYS)):
        flaws.append(Flaw(field="requester_id", message=BLANK, code="missing_field"))
    return flaws
