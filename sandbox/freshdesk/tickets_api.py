"""Freshdesk's API about tickets: lists, single tickets, conversations, bulk changes, search."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from sandbox.clock import iso
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.dues import DUES
from sandbox.freshdesk.errors import BLANK, Flaw, flawed
from sandbox.freshdesk.forms import ticket_body
from sandbox.freshdesk.kinds import (
    ID,
    LIST,
    TEXT,
    TRUTH,
    address_flaws,
    body_flaws,
    is_id,
    no_such,
)
from sandbox.freshdesk.listing import listed
from sandbox.freshdesk.render import company, requester, shown_ticket, stats
from sandbox.freshdesk.searching import find
from sandbox.freshdesk.wire import created, json_body, known, linked, paged, paging
from sandbox.freshdesk.writer import NOTE, REPLY, Entry
from sandbox.state import Doc

_FIRST_CONVERSATIONS = 10
_INCLUDES = {"stats", "requester", "company", "conversations", "description"}
_ONLY_SINGLE = {"conversations"}
_FOUND_PER_PAGE = 30
# What a request may say in a reply and in a note, and of what kind it is.
_REPLY = {"body": TEXT, "user_id": ID, "cc_emails": LIST, "bcc_emails": LIST}
_NOTE = {"body": TEXT, "user_id": ID, "private": TRUTH, "incoming": TRUTH}
_ADDRESSES = ("cc_emails", "bcc_emails")


class TicketsApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._state = account.core.state

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        one = "/api/v2/tickets/<int:ticket_id>"
        archived = "/api/v2/tickets/archived/<int:ticket_id>"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/tickets", self.index),
            ("POST", "/api/v2/tickets", self.create),
            ("POST", "/api/v2/tickets/bulk_update", self.bulk_update),
            ("GET", "/api/v2/jobs/<string:job_id>", self.job),
            ("GET", "/api/v2/search/tickets", self.search),
            ("GET", one, self.show),
            ("PUT", one, self.update),
            ("DELETE", one, self.delete),
            ("PUT", one + "/restore", self.restore),
            ("GET", one + "/conversations", self.conversations),
            ("POST", one + "/reply", self.reply),
            ("POST", one + "/notes", self.note),
            ("PUT", "/api/v2/conversations/<int:key>", self.edit_conversation),
            ("DELETE", "/api/v2/conversations/<int:key>", self.delete_conversation),
            ("GET", archived, self.show_archived),
            ("GET", archived + "/conversations", self.archived_conversations),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def index(self) -> Response:
        """A list of tickets; without `updated_since` only those of the last 30 days."""
        self._account.writer.catch_up()
        page, per_page = paging(most_pages=300)
        rows = listed(self._account, per_page + 1, (page - 1) * per_page)
        answer = jsonify([self._shown(ticket, single=False) for ticket in rows[:per_page]])
        return linked(answer, page, more=len(rows) > per_page)

    def create(self) -> tuple[Response, int]:
        """Create a ticket; the answer shows no due dates but those that were sent."""
        body = ticket_body(self._account.fields)
        ticket = self._account.create(body, by=g.user["id"])
        return created(self._shown(ticket, single=True, settled=False))

    def show(self, ticket_id: int) -> Response:
        """One ticket, deleted ones included."""
        self._account.writer.catch_up()
        return jsonify(self._shown(self._account.writer.read(ticket_id), single=True))

    def update(self, ticket_id: int) -> Response:
        """Change a ticket; the answer may show the due dates from before."""
        account = self._account
        is_new = account.switches.engine == "new"
        with self._state.writing():
            before = account.writer.read(ticket_id)
            ticket = account.update(ticket_id, ticket_body(account.fields), by=g.user["id"])
        shown = self._shown(ticket, single=True, settled=not is_new)
        if is_new and account.switches.put_shows == "before":
            shown |= {name: before[name] for name in DUES}
        return jsonify(shown)

    def delete(self, ticket_id: int) -> tuple[str, int]:
        """Move a ticket to the bin."""
        self._account.writer.delete(ticket_id, by=g.user["id"])
        return "", 204

    def restore(self, ticket_id: int) -> tuple[str, int]:
        """Take a ticket out of the bin."""
        self._account.writer.restore(ticket_id)
        return "", 204

    def conversations(self, ticket_id: int) -> Response:
        """A ticket's conversations, oldest first."""
        self._account.writer.read(ticket_id)
        return paged(self._state.children("conversation", ticket_id))

    def show_archived(self, ticket_id: int) -> Response:
        """One ticket of the archive."""
        self._account.writer.catch_up()
        return jsonify(self._shown(self._account.writer.archived(ticket_id), single=True))

    def archived_conversations(self, ticket_id: int) -> Response:
        """The conversations of a ticket of the archive."""
        self._account.writer.archived(ticket_id)
        return paged(self._state.children("conversation", ticket_id))

    def reply(self, ticket_id: int) -> tuple[Response, int]:
        """Reply to the requester as the API key's agent."""
        body = self._said(_REPLY)
        return self._add(ticket_id, body, by_agent=True, public=True, source=REPLY)

    def note(self, ticket_id: int) -> tuple[Response, int]:
        """Add a note, private unless asked otherwise."""
        body = self._said(_NOTE)
        public = body.get("private", True) is False
        by_agent = not body.get("incoming")
        return self._add(ticket_id, body, by_agent=by_agent, public=public, source=NOTE)

    def edit_conversation(self, key: int) -> Response:
        """Change what a note says."""
        text = str(self._said({"body": TEXT})["body"])
        html = text if "<" in text else None
        return jsonify(self._account.writer.edit_entry(key, text, html=html, by=g.user["id"]))

    def delete_conversation(self, key: int) -> tuple[str, int]:
        """Delete a conversation."""
        self._account.writer.remove_entry(key)
        return "", 204

    def bulk_update(self) -> tuple[Response, int]:
        """Change many tickets alike."""
        wanted = json_body().get("bulk_action")
        if not isinstance(wanted, dict):
            raise flawed([Flaw(field="bulk_action", message=BLANK, code="missing_field")])
        job = self._account.bulk_update(wanted, by=g.user["id"])
        href = f"{request.host_url}api/v2/jobs/{job['id']}"
        answer = jsonify({"job_id": job["id"], "href": href})
        return answer, self._account.switches.bulk_status

    def job(self, job_id: str) -> Response:
        """A bulk change's job."""
        job = known(self._state.get("job", job_id))
        return jsonify({"id": job["id"], "status": job["status"]})

    def search(self) -> Response:
        """Search by query; what changed lately is not found yet."""
        account = self._account
        account.writer.catch_up()
        page, _ = paging(most_pages=10)
        lag = timedelta(seconds=account.switches.search_lag_seconds)
        known_until = iso(account.core.clock.now() - lag)
        query, names = request.args.get("query", ""), account.fields.names()
        found = find(self._state.all("ticket", shelf=""), query, names)
        indexed = [ticket for ticket in found if ticket["updated_at"] <= known_until]
        rows = indexed[(page - 1) * _FOUND_PER_PAGE : page * _FOUND_PER_PAGE]
        shown = [self._shown(ticket, single=False) for ticket in rows]
        return jsonify({"total": len(indexed), "results": shown})

    def _said(self, kinds: Mapping[str, str]) -> Doc:
        """The request's message. Raises FreshdeskError 400 for a wrong one."""
        body, people = json_body(), self._account.people
        flaws = body_flaws(body, kinds)
        if not body.get("body"):
            flaws.append(Flaw(field="body", message=BLANK, code="missing_field"))
        flaws += [flaw for name in _ADDRESSES for flaw in address_flaws(body, name)]
        user = body.get("user_id")
        if is_id(user) and user not in people.agents and user not in people.contacts:
            flaws.append(no_such("user_id", "user"))
        if flaws:
            raise flawed(flaws)
        return body

    def _add(
        self, ticket_id: int, body: Doc, *, by_agent: bool, public: bool, source: int
    ) -> tuple[Response, int]:
        text = str(body["body"])
        entry = Entry(
            user_id=int(body.get("user_id") or g.user["id"]),
            by_agent=by_agent,
            public=public,
            body=text,
            source=source,
            html=text if "<" in text else None,
            cc_emails=tuple(body.get("cc_emails") or ()),
            bcc_emails=tuple(body.get("bcc_emails") or ()),
        )
        return jsonify(self._account.writer.add(ticket_id, entry)), 201

    def _shown(self, ticket: Doc, *, single: bool, settled: bool = True) -> Doc:
        account = self._account
        wanted = _wanted_includes(single=single)
        kept = account.writer.settled(ticket) if settled else ticket
        now = account.core.clock.now()
        doc = shown_ticket(
            kept, account.fields, now, single=single, described="description" in wanted
        )
        if "stats" in wanted:
            doc["stats"] = stats(ticket)
        if "requester" in wanted:
            doc["requester"] = requester(ticket, account.people)
        if "company" in wanted:
            doc["company"] = company(ticket, account.people)
        if "conversations" in wanted:
            entries = self._state.children("conversation", ticket["id"])
            doc["conversations"] = entries[:_FIRST_CONVERSATIONS]
        return doc


def _wanted_includes(*, single: bool) -> set[str]:
    possible = _INCLUDES if single else _INCLUDES - _ONLY_SINGLE
    wanted = set(filter(None, request.args.get("include", "").split(",")))
    if wanted - possible:
        text = f"It should be one of these values: '{','.join(sorted(possible))}'"
        raise flawed([Flaw(field="include", message=text)])
    return wanted
