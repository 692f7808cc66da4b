"""Zendesk's API about tickets: read, create, update, tags, comments, audits."""

import hashlib
import json
from collections import Counter
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import epoch, wall_seconds
from sandbox.state import Doc, Row
from sandbox.zendesk.account import Account
from sandbox.zendesk.changes import STATUSES, Update
from sandbox.zendesk.errors import bad_request, closed
from sandbox.zendesk.metrics import metric_row
from sandbox.zendesk.parsing import check_stamp, envelope, restricted_keys
from sandbox.zendesk.wire import (
    authors_beside,
    base_url,
    ids_asked,
    included,
    json_body,
    json_body_if_any,
    paged,
    shown_tickets,
    sideloads,
    signed_in,
    stored_page,
    whole,
)

_IDEMPOTENT_SECONDS = 7200
_TAG_SECONDS = 60 * 86_400
_MOST_TAGS = 20_000


class TicketsApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._state = account.core.state

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        one = "/api/v2/tickets/<int:ticket_id>"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/api/v2/tickets", self.index),
            ("POST", "/api/v2/tickets", self.create),
            ("GET", "/api/v2/tickets/show_many", self.show_many),
            ("GET", "/api/v2/deleted_tickets", self.deleted),
            ("PUT", "/api/v2/deleted_tickets/<int:ticket_id>/restore", self.restore),
            ("GET", "/api/v2/tags", self.all_tags),
            ("GET", one, self.show),
            ("PUT", one, self.update),
            ("DELETE", one, self.delete),
            ("GET", one + "/comments", self.comments),
            ("GET", one + "/audits", self.audits),
            ("GET", one + "/metrics", self.metrics),
            ("GET", one + "/tags", self.tags),
            ("PUT", one + "/tags", self.add_tags),
            ("POST", one + "/tags", self.replace_tags),
            ("DELETE", one + "/tags", self.remove_tags),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def index(self) -> Response:
        """List tickets, newest last; archived ones are not shown, so a page can be shorter."""
        found, rest = stored_page(self._state, "ticket")
        tickets = [ticket for ticket in found if not self._account.archived(ticket)]
        if "next_page" in rest:
            rest["count"] = sum(self._state.count_children("ticket", one) for one in STATUSES)
        beside = sideloads(self._account, tickets, included())
        return jsonify({"tickets": self._shown(tickets), **beside, **rest})

    def show_many(self) -> Response:
        """Up to 100 tickets by id; those that are gone are left out."""
        found = self._state.get_many("ticket", ids_asked())
        tickets = [ticket for ticket in found.values() if ticket["status"] != "deleted"]
        beside = sideloads(self._account, tickets, included())
        rest = {"next_page": None, "previous_page": None, "count": len(tickets)}
        return jsonify({"tickets": self._shown(tickets), **beside, **rest})

    def show(self, ticket_id: int) -> Response:
        """One ticket."""
        ticket = self._account.writer.require(ticket_id)
        beside = sideloads(self._account, [ticket], included() - {"metric_sets"})
        doc = self._shown([ticket])[0]
        if "metric_sets" in included():
            doc["metric_set"] = metric_row(ticket, base_url())
        return jsonify({"ticket": doc, **beside})

    def create(self) -> tuple[Response, int, dict[str, str]]:
        """Create a ticket; with the same `Idempotency-Key` again, answer as the first time."""
        body = envelope(json_body(), "ticket")
        key = request.headers.get("Idempotency-Key")
        with self._state.writing():
            known = self._same_request(key, body)
            if known is None:
                written = self._account.create(body, author=signed_in(), channel="api")
                known = {"ticket_id": written.ticket["id"], "audit": written.audit}
                self._remember_request(key, body, known)
                hit = False
            else:
                hit = True
        doc = self._shown([self._account.writer.require(known["ticket_id"])])[0]
        headers = {"Location": doc["url"], **_warning(body)}
        if key is not None:
            headers["x-idempotency-lookup"] = "hit" if hit else "miss"
        return jsonify({"ticket": doc, "audit": known["audit"]}), 201, headers

    def deleted(self) -> Response:
        """Tickets that were deleted and can be restored."""
        people = self._account.people
        docs = [
            {
                "id": ticket["id"],
                "subject": ticket["subject"],
                "description": ticket["description"],
                "actor": {
                    "id": ticket.get("_deleted_by"),
                    "name": people.name_of(ticket.get("_deleted_by")),
                },
                "deleted_at": ticket["updated_at"],
                "previous_state": ticket.get("_status_before", "open"),
            }
            for ticket in self._state.children("ticket", "deleted")
        ]
        page, rest = paged("deleted_tickets", docs)
        return jsonify({"deleted_tickets": page, **rest})

    def restore(self, ticket_id: int) -> Response:
        """Bring a deleted ticket back."""
        self._account.writer.restore(ticket_id, actor=signed_in()["id"])
        return jsonify({})

    def all_tags(self) -> Response:
        """The tags of tickets that changed within 60 days, the most used first."""
        docs = [{"name": name, "count": number} for name, number in self._tag_counts()]
        page, rest = paged("tags", docs)
        return jsonify({"tags": page, **rest})

    def update(self, ticket_id: int) -> Response:
        """Change a ticket."""
        body = envelope(json_body(), "ticket")
        written = self._account.update(ticket_id, body, author=signed_in(), channel="api")
        answer = jsonify({"ticket": self._shown([written.ticket])[0], "audit": written.audit})
        answer.headers.update(_warning(body))
        return answer

    def delete(self, ticket_id: int) -> tuple[str, int]:
        """Delete a ticket softly."""
        self._account.writer.delete(ticket_id, actor=signed_in()["id"])
        return "", 204

    def comments(self, ticket_id: int) -> Response:
        """The ticket's comments, oldest first unless asked otherwise."""
        self._account.writer.require(ticket_id)
        page, rest = paged("comments", self._children("comment", ticket_id))
        return jsonify({"comments": page, **authors_beside(self._account, page), **rest})

    def audits(self, ticket_id: int) -> Response:
        """The ticket's audit trail, oldest first unless asked otherwise; an archived one whole."""
        audits = self._children("audit", ticket_id)
        archived = self._account.archived(self._account.writer.require(ticket_id))
        page, rest = (audits, whole(audits)) if archived else paged("audits", audits)
        return jsonify({"audits": page, **authors_beside(self._account, page), **rest})

    def metrics(self, ticket_id: int) -> Response:
        """The ticket's metrics."""
        ticket = self._account.writer.require(ticket_id)
        return jsonify({"ticket_metric": metric_row(ticket, base_url())})

    def tags(self, ticket_id: int) -> Response:
        """The ticket's tags."""
        return jsonify({"tags": self._account.writer.require(ticket_id)["tags"]})

    def add_tags(self, ticket_id: int) -> Response:
        """Add tags."""
        return jsonify({"tags": self._set_tags(ticket_id, "add_tags")})

    def replace_tags(self, ticket_id: int) -> tuple[Response, int]:
        """Replace all tags."""
        return jsonify({"tags": self._set_tags(ticket_id, "tags")}), 201

    def remove_tags(self, ticket_id: int) -> tuple[Response | str, int]:
        """Remove tags."""
        left = self._set_tags(ticket_id, "remove_tags")
        status = self._account.book.switches.tags_delete_status
        return (jsonify({"tags": left}) if status == 200 else ""), status

    def _set_tags(self, ticket_id: int, how: str) -> list[str]:
        body = json_body_if_any()
        tags = body.get("tags") or request.args.get("tags", "").split(",")
        account, user = self._account, signed_in()
        with self._state.writing():
            ticket = account.writer.require(ticket_id)
            if ticket["status"] == "closed":
                raise closed(account.book.switches.closed_shape)
            check_stamp(body, ticket["updated_at"])
            account.maybe_collide()
            wanted: dict[str, Any] = {how: tags}
            update = Update(**wanted)
            written = account.writer.change(
                ticket_id, update, actor=user["id"], channel="api", tags_if_closed=False
            )
        return list(written.ticket["tags"])

    def _same_request(self, key: str | None, body: Doc) -> Doc | None:
        known = self._state.get("idempotency", key) if key is not None else None
        if known is None or known["until"] < wall_seconds():
            return None
        if known["body"] != _digest(body):
            text = "The Idempotency-Key was used with another request body"
            raise bad_request("IdempotentRequestError", text)
        return known

    def _remember_request(self, key: str | None, body: Doc, answer: Doc) -> None:
        if key is not None:
            until = wall_seconds() + _IDEMPOTENT_SECONDS
            doc = {**answer, "body": _digest(body), "until": until}
            self._state.put(Row(kind="idempotency", id=key, doc=doc))

    def _tag_counts(self) -> list[tuple[str, int]]:
        now, counts = epoch(self._account.core.clock.stamp()), Counter[str]()
        moved, key = now - _TAG_SECONDS, -1
        while rows := self._state.moved_after(
            "ticket", moved=moved, key=key, before=now + 1, limit=1000
        ):
            for _, ticket in rows:
                counts.update(ticket["tags"] if ticket["status"] != "deleted" else ())
            moved, key = rows[-1][0], rows[-1][1]["id"]
        return counts.most_common(_MOST_TAGS)

    def _children(self, kind: str, ticket_id: int) -> list[Doc]:
        docs = self._state.children(kind, ticket_id)
        newest_first = "desc" in (request.args.get("sort_order"), request.args.get("sort"))
        if newest_first or request.args.get("sort", "").startswith("-"):
            docs.reverse()
        return docs

    def _shown(self, tickets: list[Doc]) -> list[Doc]:
        return shown_tickets(self._account, tickets, included())


def _warning(body: Doc) -> dict[str, str]:
    """The header that tells which keys were dropped."""
    dropped = restricted_keys(body)
    # keys are anything, headers are one line of ASCII
    text = f"Removed restricted keys {dropped!a} from parameters according to whitelist"
    return {"X-Zendesk-API-Warn": text[:2000]} if dropped else {}


def _digest(body: Doc) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
