"""One local Freshdesk account: its parts, put together, and the operations behind several calls."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.core import Core
from sandbox.freshdesk.changes import blank_ticket
from sandbox.freshdesk.checking import Checker
from sandbox.freshdesk.errors import Flaw, FreshdeskError, flawed
from sandbox.freshdesk.fields import FieldBook
from sandbox.freshdesk.gate import Door
from sandbox.freshdesk.hooks import Webhooks
from sandbox.freshdesk.people import API_USER, People
from sandbox.freshdesk.switches import Switches
from sandbox.freshdesk.writer import Writer
from sandbox.seed import agents
from sandbox.state import Doc, Row

_SWITCHES = TypeAdapter(Switches)
_MOST_AT_ONCE = 100
_BLANK = "It should not be blank as this is a mandatory field"


class Account:
    """Everything that the API, the page and the controls of a local Freshdesk work on."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.fields = FieldBook(core.state, core.clock)
        self.people = People(core.state, core.clock)
        self.hooks = Webhooks(core.state, core.clock, self.people)
        self.writer = Writer(core, self.hooks)
        self.writer.switches = _SWITCHES.validate_python(core.state.setting("switches") or {})
        self.door = Door(core, self.people.api_user)
        self._checker = Checker(self.fields, self.people)

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

    def create(self, body: Mapping[str, Any]) -> Doc:
        """Create a ticket as `POST /tickets` does. Raises FreshdeskError for an unusable body."""
        now = self.core.clock.now()
        flaws = _creation_flaws(body)
        if flaws:
            raise flawed(flaws)
        blank = blank_ticket(0, self.core.clock.stamp())
        values = self._checker.values(body, blank, now=now, new=True, switches=self.switches)
        contact = self._requester(body)
        values["requester_id"] = contact["id"]
        values.setdefault("company_id", contact["company_id"])
        text = str(body["description"])
        return self.writer.create(values, text, rich=text if "<" in text else None)

    def update(self, ticket_id: int, body: Mapping[str, Any]) -> Doc:
        """Update a ticket as `PUT /tickets/{id}` does."""
        with self.core.state.writing():
            ticket = self.writer.live(ticket_id, "PUT")
            if not body:
                raise flawed([Flaw(field="base", message=_BLANK, code="missing_field")])
            now = self.core.clock.now()
            values = self._checker.values(body, ticket, now=now, new=False, switches=self.switches)
            text = str(body["description"]) if "description" in body else None
            return self.writer.change(ticket_id, values, text=text)

    def bulk_update(self, wanted: Mapping[str, Any]) -> Doc:
        """Change many tickets alike; what cannot be changed is left out of the job's success."""
        ids = wanted.get("ids")
        if not isinstance(ids, list) or not ids or len(ids) > _MOST_AT_ONCE:
            text = f"It should be a list of 1 to {_MOST_AT_ONCE} ticket ids"
            raise flawed([Flaw(field="ids", message=text)])
        failed = [key for key in ids if not self._updates(int(key), wanted.get("properties") or {})]
        job = {
            "id": secrets.token_hex(16),
            "status": "FAILED" if len(failed) == len(ids) else "COMPLETED",
            "_failed": failed,
        }
        self.core.state.put(Row(kind="job", id=str(job["id"]), doc=job))
        return job

    def _updates(self, ticket_id: int, properties: Mapping[str, Any]) -> bool:
        try:
            self.update(ticket_id, properties)
        except FreshdeskError:
            return False
        return True

    def _requester(self, body: Mapping[str, Any]) -> Doc:
        if body.get("requester_id") is not None:
            found = self.people.contacts.get(int(body["requester_id"]))
            if found is None:
                text = "There is no contact matching the given requester_id"
                raise flawed([Flaw(field="requester_id", message=text)])
            return found
        email = body.get("email")
        name = str(body.get("name") or str(email or body.get("phone")).split("@")[0])
        return self.people.ensure_contact(name, email=str(email) if email else None)


def _creation_flaws(body: Mapping[str, Any]) -> list[Flaw]:
    flaws = [
        Flaw(field=name, message=_BLANK, code="missing_field")
        for name in ("subject", "description", "status", "priority")
        if body.get(name) in (None, "")
    ]
    if not any(body.get(n) for n in ("email", "requester_id", "phone", "unique_external_id")):
        flaws.append(Flaw(field="requester_id", message=_BLANK, code="missing_field"))
    return flaws
