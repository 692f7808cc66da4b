"""One local Zendesk account: its parts, put together, and the operations behind several calls."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.bodies import object_id
from sandbox.clock import parse_instant
from sandbox.core import Core
from sandbox.seed import agents
from sandbox.state import Doc
from sandbox.zendesk.chance import Chance
from sandbox.zendesk.changes import Update
from sandbox.zendesk.errors import ZendeskError, database_conflict, invalid, update_conflict
from sandbox.zendesk.fields import FieldBook
from sandbox.zendesk.forms import Form
from sandbox.zendesk.gate import Door
from sandbox.zendesk.hooks import Webhooks
from sandbox.zendesk.jobs import Jobs
from sandbox.zendesk.manners import ZendeskManners
from sandbox.zendesk.oauth import OAuth
from sandbox.zendesk.parsing import check_stamp, read_update
from sandbox.zendesk.payloads import Book
from sandbox.zendesk.people import API_USER, People
from sandbox.zendesk.switches import Switches
from sandbox.zendesk.writer import Draft, Writer, Written

_SWITCHES = TypeAdapter(Switches)


class Account:
    """Everything that the API, the page and the controls of a local Zendesk work on."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.fields = FieldBook(core.state, core.clock)
        self.people = People(core.state, core.clock)
        switches = _SWITCHES.validate_python(core.state.setting("switches") or {})
        self.form = Form(core.state, self.fields)
        self.book = Book(self.fields, self.form, self.people, switches)
        self._collisions = Chance()
        self.hooks = Webhooks(core.state, core.clock)
        self.writer = Writer(core, self.book, self.hooks)
        self.oauth = OAuth(core.state)
        self.door = Door(core, self.people, self.oauth, lambda: self.book.switches)
        core.sender.manners = ZendeskManners(
            lambda: core.limiter.minute_seconds, lambda: self.book.switches
        )
        self.jobs = Jobs(core, self.run_job, lambda: self.book.switches)

    @staticmethod
    def prepare(core: Core) -> None:
        """Give a new account its fields and its API user."""
        FieldBook(core.state, core.clock).make_standard()
        people = People(core.state, core.clock)
        people.ensure_user("Sandbox Connector", email=API_USER, role="admin")
        for name, email in agents():
            people.ensure_user(name, email=email, role="agent")

    def set_switches(self, changes: Mapping[str, Any]) -> None:
        """Set some switches. Raises ValueError for an unknown one or an impossible value."""
        current = asdict(self.book.switches)
        unknown = set(changes) - set(current)
        if unknown:
            message = f"unknown switches {sorted(unknown)}; there are {sorted(current)}"
            raise ValueError(message)
        try:
            self.book.switches = _SWITCHES.validate_python(current | dict(changes))
        except ValidationError as error:
            raise ValueError(str(error)) from error
        self.core.state.remember("switches", asdict(self.book.switches))

    def create(self, body: Doc, *, author: Doc, channel: str) -> Written:
        """Create a ticket as `POST /tickets` does. Raises ZendeskError for an unusable body."""
        requester = self._requester(body, author)
        text = body.get("comment") or body.get("description")
        wanted = {**body, "comment": text} if text else body
        submitter = self._user(body.get("submitter_id")) or requester
        update = read_update(wanted, author=submitter, people=self.people)
        if update.comment is None:
            raise invalid("description", "Description: cannot be blank", error="BlankValue")
        named = {"requester_id", "external_id", "subject"}
        rest = {name: value for name, value in update.values.items() if name not in named}
        draft = Draft(
            subject=str(body.get("subject") or body.get("raw_subject") or ""),
            requester_id=requester["id"],
            submitter_id=submitter["id"],
            organization_id=requester["organization_id"],
            channel=channel,
            comment=update.comment,
            external_id=_text(body.get("external_id")),
            recipient=_text(body.get("recipient")),
        )
        first = Update(
            values=rest, tags=update.tags, custom=update.custom, metadata=update.metadata
        )
        return self.writer.create(draft, first, actor=author["id"])

    def update(self, ticket_id: int, body: Doc, *, author: Doc, channel: str) -> Written:
        """Update a ticket as `PUT /tickets/{id}` does."""
        with self.core.state.writing():
            ticket = self.writer.require(ticket_id)
            check_stamp(body, ticket["updated_at"])
            self.maybe_collide()
            update = read_update(
                body,
                author=author,
                people=self.people,
                tag_lists=self.book.switches.tag_lists_on_single_put,
            )
            return self.writer.change(ticket_id, update, actor=author["id"], channel=channel)

    def maybe_collide(self) -> None:
        """Raise ZendeskError 409 for the share of writes that a switch says."""
        if self._collisions.takes(self.book.switches.database_conflicts):
            raise database_conflict()

    def archived(self, ticket: Doc) -> bool:
        """Whether a ticket was closed so long ago that no list shows it any more."""
        if ticket["status"] != "closed":
            return False
        days = 3 if self.core.plan == "sandbox" else self.book.switches.archived_after_days
        age = self.core.clock.now() - parse_instant(ticket["updated_at"])
        return age.total_seconds() > days * 86_400

    def run_job(self, job: Doc) -> list[Doc]:
        """Carry out a queued job; one result per row, failed rows included."""
        work = job["_work"]
        author = self.people.users[work["author_id"]]
        if work["kind"] == "merge":
            return [self._merge_row(work, source, author) for source in work["sources"]]
        if work["kind"] == "create":
            return [self._create_row(index, row, author) for index, row in enumerate(work["rows"])]
        if work["kind"] == "delete":
            return [self._delete_row(ticket_id, author) for ticket_id in work["ids"]]
        return [self._update_row(row, job, author) for row in work["rows"]]

    def _create_row(self, index: int, row: Doc, author: Doc) -> Doc:
        try:
            ticket = self.create(row, author=author, channel="api").ticket
        except ZendeskError as error:
            told = {"error": error.name, "details": error.description}
            return {"index": index, "success": False, **told}
        return {"index": index, "id": ticket["id"], "success": True}

    def _delete_row(self, ticket_id: int, author: Doc) -> Doc:
        done = {"id": ticket_id, "action": "delete"}
        try:
            self.writer.delete(ticket_id, actor=author["id"])
        except ZendeskError as error:
            return {**done, "success": False, "error": error.name, "details": error.description}
        return {**done, "status": "Deleted", "success": True}

    def _update_row(self, row: Doc, job: Doc, author: Doc) -> Doc:
        ticket_id = _id_of(row)
        done = {"id": ticket_id, "action": "update"}
        try:
            self._update_in_job(ticket_id, row, job["_queued_at"], author)
        except ZendeskError as error:
            return {**done, "success": False, "error": error.name, "details": error.description}
        return {**done, "status": "Updated", "success": True}

    def _update_in_job(self, ticket_id: int, row: Doc, queued_at: str, author: Doc) -> None:
        with self.core.state.writing():
            ticket = self.writer.require(ticket_id)
            if "safe_update" in row:
                check_stamp(row, ticket["updated_at"])
            elif ticket["updated_at"] > queued_at:
                raise update_conflict()
            self.maybe_collide()
            update = read_update(row, author=author, people=self.people)
            self.writer.change(
                ticket_id, update, actor=author["id"], channel="api", tags_if_closed=True
            )

    def _merge_row(self, work: Doc, source: int, author: Doc) -> Doc:
        done = {"id": source, "action": "update"}
        target = int(work["target"])
        comments = {
            "source": work["source_comment"] or f"This request was merged into #{target}.",
            "target": work["target_comment"] or f"Request #{source} was merged into this one.",
        }
        try:
            self.writer.merge(target, source, comments, actor=author["id"])
        except ZendeskError as error:
            return {**done, "success": False, "error": error.name, "details": error.description}
        return {**done, "status": "Updated", "success": True}

    def _requester(self, body: Doc, author: Doc) -> Doc:
        wanted = body.get("requester")
        if isinstance(wanted, dict) and wanted.get("email"):
            name = str(wanted.get("name") or str(wanted["email"]).split("@")[0])
            return self.people.ensure_user(name, email=str(wanted["email"]))
        return self._user(body.get("requester_id")) or author

    def _user(self, user_id: Any) -> Doc | None:
        if user_id is None:
            return None
        user = self.people.users.get(object_id(user_id) or 0)
        if user is None:
            raise invalid("requester", "Requester: is invalid", error="InvalidValue")
        return user


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _id_of(row: Doc) -> int:
    return object_id(row["id"]) or 0
