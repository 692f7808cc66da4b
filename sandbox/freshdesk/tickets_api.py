"""Freshdesk's API about tickets: lists, single tickets, conversations, bulk changes, search."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from sandbox.clock import epoch, iso, parse_instant
from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import Flaw, flawed, not_found
from sandbox.freshdesk.render import company, requester, shown_ticket, stats
from sandbox.freshdesk.searching import find
from sandbox.freshdesk.wire import json_body, linked, paging
from sandbox.freshdesk.writer import NOTE, REPLY, Entry
from sandbox.state import Doc

_WINDOW = timedelta(days=30)
_FIRST_CONVERSATIONS = 10
_SORTS = {"created_at": "created", "updated_at": "moved"}
_INCLUDES = {"stats", "requester", "company", "conversations", "description"}
_FILTERS = {"deleted": "deleted", "spam": "spam"}


class TicketsApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._state = account.core.state

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        one = "/api/v2/tickets/<int:ticket_id>"
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
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def index(self) -> Response:
        """A list of tickets; without `updated_since` only those of the last 30 days."""
        page, per_page = paging(most_pages=300)
        rows = self._listed(per_page + 1, (page - 1) * per_page)
        answer = jsonify([self._shown(ticket, single=False) for ticket in rows[:per_page]])
        return linked(answer, page, more=len(rows) > per_page)

    def create(self) -> tuple[Response, int]:
        """Create a ticket."""
        ticket = self._account.create(json_body())
        return jsonify(self._shown(ticket, single=True)), 201

    def show(self, ticket_id: int) -> Response:
        """One ticket, deleted ones included."""
        return jsonify(self._shown(self._account.writer.read(ticket_id), single=True))

    def update(self, ticket_id: int) -> Response:
        """Change a ticket."""
        ticket = self._account.update(ticket_id, json_body())
        return jsonify(self._shown(ticket, single=True))

    def delete(self, ticket_id: int) -> tuple[str, int]:
        """Move a ticket to the bin."""
        self._account.writer.delete(ticket_id)
        return "", 204

    def restore(self, ticket_id: int) -> tuple[str, int]:
        """Take a ticket out of the bin."""
        self._account.writer.restore(ticket_id)
        return "", 204

    def conversations(self, ticket_id: int) -> Response:
        """A ticket's conversations, oldest first."""
        self._account.writer.read(ticket_id)
        page, per_page = paging(most_pages=500)
        docs = self._state.children("conversation", ticket_id)
        start = (page - 1) * per_page
        answer = jsonify(docs[start : start + per_page])
        return linked(answer, page, more=len(docs) > start + per_page)

    def reply(self, ticket_id: int) -> tuple[Response, int]:
        """Reply to the requester as the API key's agent."""
        return self._add(ticket_id, public=True, source=REPLY)

    def note(self, ticket_id: int) -> tuple[Response, int]:
        """Add a note, private unless asked otherwise."""
        public = json_body().get("private", True) is False
        return self._add(ticket_id, public=public, source=NOTE)

    def bulk_update(self) -> tuple[Response, int]:
        """Change many tickets alike."""
        wanted = json_body().get("bulk_action")
        if not isinstance(wanted, dict):
            text = "It should not be blank as this is a mandatory field"
            raise flawed([Flaw(field="bulk_action", message=text, code="missing_field")])
        job = self._account.bulk_update(wanted)
        href = f"{request.host_url}api/v2/jobs/{job['id']}"
        return jsonify({"job_id": job["id"], "href": href}), 202

    def job(self, job_id: str) -> Response:
        """A bulk change's job."""
        job = self._state.get("job", job_id)
        if job is None:
            raise not_found()
        return jsonify({"id": job["id"], "status": job["status"]})

    def search(self) -> Response:
        """Search by query; what changed lately is not found yet."""
        page, _ = paging(most_pages=10)
        lag = timedelta(seconds=self._account.switches.search_lag_seconds)
        known_until = iso(self._account.core.clock.now() - lag)
        found = find(self._state.all("ticket", shelf=""), request.args.get("query", ""))
        indexed = [ticket for ticket in found if ticket["updated_at"] <= known_until]
        rows = indexed[(page - 1) * 30 : page * 30]
        shown = [self._shown(ticket, single=False) for ticket in rows]
        return jsonify({"total": len(indexed), "results": shown})

    def _add(self, ticket_id: int, *, public: bool, source: int) -> tuple[Response, int]:
        body = json_body()
        text = str(body.get("body") or "")
        if not text:
            blank = "It should not be blank as this is a mandatory field"
            raise flawed([Flaw(field="body", message=blank, code="missing_field")])
        incoming = bool(body.get("incoming", False)) and source == NOTE
        user_id = int(body.get("user_id") or g.user["id"])
        entry = Entry(
            user_id=user_id,
            by_agent=not incoming,
            public=public,
            body=text,
            source=source,
            html=text if "<" in text else None,
        )
        return jsonify(self._account.writer.add(ticket_id, entry)), 201

    def _listed(self, limit: int, offset: int) -> list[Doc]:
        order = request.args.get("order_by", "created_at")
        descending = request.args.get("order_type", "desc") != "asc"
        if order not in (*_SORTS, "due_by", "status"):
            text = "It should be one of these values: 'created_at,due_by,updated_at,status'"
            raise flawed([Flaw(field="order_by", message=text)])
        shelf = _FILTERS.get(request.args.get("filter", ""), "")
        since, created = self._since()
        wanted = self._wanted()
        if order in _SORTS and wanted is None:
            return self._state.page(
                "ticket", sort=_SORTS[order], shelf=shelf, descending=descending,
                moved_from=since, created_from=created, limit=limit, offset=offset,
            )  # fmt: skip
        docs = self._state.page(
            "ticket", sort="created", shelf=shelf, moved_from=since, created_from=created,
            limit=10**9,
        )  # fmt: skip
        docs = [doc for doc in docs if wanted is None or wanted(doc)]
        docs.sort(key=lambda doc: (str(doc[order] or ""), doc["id"]), reverse=descending)
        return docs[offset : offset + limit]

    def _since(self) -> tuple[int | None, int | None]:
        text = request.args.get("updated_since")
        if text is None:
            return None, epoch(iso(self._account.core.clock.now() - _WINDOW))
        try:
            since = int(parse_instant(text.replace(" ", "+")).timestamp())
        except ValueError as error:
            wrong = "It should be in the 'combined date and time ISO8601' format"
            raise flawed([Flaw(field="updated_since", message=wrong)]) from error
        return since + (not self._account.switches.updated_since_inclusive), None

    def _wanted(self) -> Callable[[Doc], bool] | None:
        names = [n for n in ("requester_id", "company_id") if n in request.args]
        email = request.args.get("email")
        if not names and email is None:
            return None
        contact = self._account.people.by_email(email) if email else None
        asked = {name: request.args.get(name, type=int) for name in names}
        if email is not None:
            asked["requester_id"] = contact["id"] if contact else -1
        return lambda doc: all(doc[name] == value for name, value in asked.items())

    def _shown(self, ticket: Doc, *, single: bool) -> Doc:
        account = self._account
        wanted = set(filter(None, request.args.get("include", "").split(",")))
        if wanted - _INCLUDES or (not single and "conversations" in wanted):
            values = ",".join(sorted(_INCLUDES))
            text = f"It should be one of these values: '{values}'"
            raise flawed([Flaw(field="include", message=text)])
        answered_put = request.method == "PUT" and account.switches.engine == "new"
        kept = ticket if answered_put else account.writer.settled(ticket)
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
            doc["conversations"] = self._state.children("conversation", ticket["id"])[
                :_FIRST_CONVERSATIONS
            ]
        return doc
