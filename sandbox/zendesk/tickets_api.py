"""Zendesk's API about tickets: read, create, update, tags, comments, audits, the export."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import epoch
from sandbox.state import Doc
from sandbox.zendesk.account import Account
from sandbox.zendesk.changes import Update
from sandbox.zendesk.errors import bad_request, closed
from sandbox.zendesk.metrics import metric_row
from sandbox.zendesk.native import policy_metrics
from sandbox.zendesk.parsing import check_stamp, envelope, restricted_keys
from sandbox.zendesk.render import export_cursor, read_export_cursor, shown_ticket
from sandbox.zendesk.wire import (
    authors_beside,
    base_url,
    ids_asked,
    included,
    json_body,
    paged,
    sideloads,
    signed_in,
)

_EXPORT_PAGE = 1000


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
            ("GET", "/api/v2/incremental/tickets/cursor", self.export),
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
        """List tickets, newest last."""
        tickets, rest = paged("tickets", self._state.all("ticket", shelf=""))
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
        """Create a ticket."""
        body = envelope(json_body(), "ticket")
        written = self._account.create(body, author=signed_in(), channel="api")
        doc = self._shown([written.ticket])[0]
        return jsonify({"ticket": doc, "audit": written.audit}), 201, {"Location": doc["url"]}

    def update(self, ticket_id: int) -> Response:
        """Change a ticket."""
        body = envelope(json_body(), "ticket")
        written = self._account.update(ticket_id, body, author=signed_in(), channel="api")
        answer = jsonify({"ticket": self._shown([written.ticket])[0], "audit": written.audit})
        dropped = restricted_keys(body)
        if dropped:
            answer.headers["X-Zendesk-API-Warn"] = (
                f"Removed restricted keys {dropped} from parameters according to whitelist"
            )
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
        """The ticket's audit trail, oldest first unless asked otherwise."""
        self._account.writer.require(ticket_id)
        page, rest = paged("audits", self._children("audit", ticket_id))
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

    def export(self) -> Response:
        """The incremental export by cursor; the newest minute is withheld."""
        moved, after = self._export_start()
        per_page = max(1, min(_EXPORT_PAGE, request.args.get("per_page", _EXPORT_PAGE, type=int)))
        withheld = self._account.book.switches.withheld_seconds
        before = epoch(self._account.core.clock.stamp()) - withheld
        rows = self._state.moved_after(
            "ticket", moved=moved, key=after, before=before, limit=per_page + 1
        )
        page = [ticket for _, ticket in rows[:per_page]]
        if rows:
            moved, after = rows[min(per_page, len(rows)) - 1][0], page[-1]["id"]
        if request.args.get("exclude_deleted") == "true":
            page = [ticket for ticket in page if ticket["status"] != "deleted"]
        beside = sideloads(self._account, page, included())
        ended = len(rows) <= per_page
        return jsonify(
            {"tickets": self._shown(page), **beside, **_bookmark(moved, after, ended=ended)}
        )

    def _export_start(self) -> tuple[int, int]:
        cursor, start = request.args.get("cursor"), request.args.get("start_time", type=int)
        if cursor is not None:
            try:
                return read_export_cursor(cursor)
            except ValueError as error:
                raise bad_request("InvalidCursor", "cursor is not valid") from error
        if start is None:
            raise bad_request("InvalidValue", "start_time or cursor is required")
        if start > epoch(self._account.core.clock.stamp()) - 60:
            raise bad_request("InvalidValue", "Too recent start_time. Use a start_time older")
        return start, -1

    def _set_tags(self, ticket_id: int, how: str) -> list[str]:
        body = request.get_json(silent=True) or {}
        tags = body.get("tags") or request.args.get("tags", "").split(",")
        account, user = self._account, signed_in()
        with self._state.writing():
            ticket = account.writer.require(ticket_id)
            if ticket["status"] == "closed":
                raise closed()
            check_stamp(body, ticket["updated_at"])
            wanted: dict[str, Any] = {how: tags}
            update = Update(**wanted)
            written = account.writer.change(
                ticket_id, update, actor=user["id"], channel="api", tags_if_closed=False
            )
        return list(written.ticket["tags"])

    def _children(self, kind: str, ticket_id: int) -> list[Doc]:
        docs = self._state.children(kind, ticket_id)
        newest_first = "desc" in (request.args.get("sort_order"), request.args.get("sort"))
        if newest_first or request.args.get("sort", "").startswith("-"):
            docs.reverse()
        return docs

    def _shown(self, tickets: list[Doc]) -> list[Doc]:
        counted = "comment_count" in included()
        shown = [shown_ticket(t, base_url(), self._account.fields) for t in tickets]
        if "slas" in included():
            for doc, ticket in zip(shown, tickets, strict=True):
                doc["slas"] = {"policy_metrics": policy_metrics(ticket)}
        if counted:
            for doc in shown:
                doc["comment_count"] = self._state.count_children("comment", doc["id"])
        return shown


def _bookmark(moved: int, after: int, *, ended: bool) -> Doc:
    cursor = export_cursor(moved, after)
    return {
        "after_url": f"{request.base_url}?cursor={cursor}",
        "after_cursor": cursor,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": ended,
    }
