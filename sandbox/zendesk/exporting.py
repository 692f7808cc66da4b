"""Zendesk's incremental exports: tickets by cursor and by time, ticket events by time."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import epoch
from sandbox.state import Doc
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import ZendeskError, bad_request
from sandbox.zendesk.event_rows import event_row
from sandbox.zendesk.wire import base_url, included, shown_tickets, sideloads

_PAGE, _SAMPLE = 1000, 50
_NEVER_IN_EXPORTS = {"last_audits"}
_NO_KEY = -1
_FARTHEST = 2**63 - 1
_GATEWAY_TIMEOUT = (
    "<html>\n<head><title>504 Gateway Time-out</title></head>\n<body>\n"
    "<center><h1>504 Gateway Time-out</h1></center>\n</body>\n</html>\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place in the ticket export: after this ticket among those that moved at `moved`."""

    moved: int
    ticket_id: int

    def cursor(self) -> str:
        """The place as the opaque text that callers keep."""
        return base64.b64encode(f"{self.moved}.0||{self.ticket_id}".encode()).decode()


def read_cursor(cursor: str) -> Place:
    """The place that a cursor marks. Raises ZendeskError for a made-up one."""
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        moved, _, ticket_id = text.partition("||")
        return Place(moved=_whole(moved), ticket_id=_whole(ticket_id))
    except (ValueError, OverflowError) as error:
        raise bad_request("InvalidCursor", "cursor is not valid") from error


class ExportApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._state = account.core.state

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        routes: tuple[tuple[str, Any], ...] = (
            ("/api/v2/incremental/tickets/cursor", self.tickets),
            ("/api/v2/incremental/tickets", self.tickets_by_time),
            ("/api/v2/incremental/tickets/sample", self.sample),
            ("/api/v2/incremental/ticket_events", self.ticket_events),
        )
        for rule, view in routes:
            api.add_url_rule(rule, f"export {view.__name__}", view, methods=["GET"])

    def tickets(self) -> Response:
        """Tickets in the order in which they moved; the newest minute is withheld."""
        start, size = self._start(), _page_size()
        switches = self._account.book.switches
        if switches.export_times_out_above and size > switches.export_times_out_above:
            return Response(_GATEWAY_TIMEOUT, status=504, content_type="text/html")
        rows = self._after("ticket", start.moved, start.ticket_id, limit=size + 1)
        page, ended = [ticket for _, ticket in rows[:size]], len(rows) <= size
        place = Place(moved=rows[len(page) - 1][0], ticket_id=page[-1]["id"]) if page else start
        if switches.export_duplicates:
            page = self._with_doubles(page, start)
        if request.args.get("exclude_deleted") == "true":
            page = [ticket for ticket in page if ticket["status"] != "deleted"]
        stuck = switches.export_cursor == "stuck" and not ended
        wanted = included() - _NEVER_IN_EXPORTS
        beside = sideloads(self._account, page, wanted)
        shown = shown_tickets(self._account, page, wanted)
        bookmark = _bookmark(start if stuck else place, ended=ended)
        return jsonify({"tickets": shown, **beside, **bookmark})

    def tickets_by_time(self) -> Response:
        """Tickets from `start_time` on; pages overlap by their last second."""
        return self._by_time("tickets", _page_size())

    def sample(self) -> Response:
        """The same, at most fifty."""
        return self._by_time("tickets/sample", min(_SAMPLE, _page_size()))

    def _by_time(self, name: str, size: int) -> Response:
        start = self._start_time()
        rows = self._rows("ticket", start, size)
        page, wanted = [ticket for _, ticket in rows], included() - _NEVER_IN_EXPORTS
        beside = sideloads(self._account, page, wanted)
        shown = shown_tickets(self._account, page, wanted)
        place = self._time_bookmark("ticket", name, start, rows)
        return jsonify({"tickets": shown, **beside, **place})

    def ticket_events(self) -> Response:
        """One row per update of a ticket, from `start_time` on; the newest minute is withheld."""
        start, size = self._start_time(), _page_size()
        rows = self._rows("audit", start, size)
        shape = self._account.book.switches.ticket_events_shape
        with_comments = "comment_events" in included()
        events = [event_row(audit, shape, with_comments=with_comments) for _, audit in rows]
        place = self._time_bookmark("audit", "ticket_events", start, rows)
        return jsonify({"ticket_events": events, **place})

    def _time_bookmark(self, kind: str, name: str, start: int, rows: list[tuple[int, Doc]]) -> Doc:
        end, last = (rows[-1][0], rows[-1][1]["id"]) if rows else (start, _NO_KEY)
        path = f"{base_url()}/api/v2/incremental/{name}.json"
        return {
            "next_page": f"{path}?start_time={end}{_further()}",
            "count": len(rows),
            "end_of_stream": not self._after(kind, end, last, limit=1),
            "end_time": end,
        }

    def _rows(self, kind: str, start: int, size: int) -> list[tuple[int, Doc]]:
        rows = self._after(kind, start, _NO_KEY, limit=size)
        pinned = self._account.book.switches.pinned_timestamp
        # The next page begins at the last second of this one, so a page must end in a later one.
        while len(rows) >= size and rows[-1][0] == start and not pinned:
            more = self._after(kind, start, rows[-1][1]["id"], limit=size)
            rows += more
            if not more:
                break
        return rows

    def _after(self, kind: str, moved: int, key: int, *, limit: int) -> list[tuple[int, Doc]]:
        return self._state.moved_after(
            kind, moved=moved, key=key, before=self._before(), limit=limit
        )

    def _with_doubles(self, page: list[Doc], start: Place) -> list[Doc]:
        known = self._state.get("ticket", start.ticket_id)
        return [*([known] if known else []), *page, *page[:1]]

    def _start(self) -> Place:
        cursor = request.args.get("cursor")
        if cursor is not None:
            return read_cursor(cursor)
        return Place(moved=self._start_time(), ticket_id=_NO_KEY)

    def _start_time(self) -> int:
        text = request.args.get("start_time")
        if text is None:
            raise bad_request("InvalidValue", "start_time or cursor is required")
        try:
            start = _whole(text)
        except (ValueError, OverflowError) as error:
            raise bad_request("InvalidValue", "start_time must be a Unix time") from error
        if start > epoch(self._account.core.clock.stamp()) - 60:
            text = "Too recent start_time. Use a start_time older than 60 seconds"
            body = {"error": "StartTimeTooRecent", "description": text}
            raise ZendeskError(self._account.book.switches.too_recent_status, body)
        return start

    def _before(self) -> int:
        withheld = self._account.book.switches.withheld_seconds
        return epoch(self._account.core.clock.stamp()) - withheld


def _page_size() -> int:
    return max(1, min(_PAGE, request.args.get("per_page", _PAGE, type=int)))


def _whole(text: str) -> int:
    """Whole seconds; callers write fractions too. Raises ValueError and OverflowError."""
    number = int(text) if text.removeprefix("-").isdigit() else int(float(text))
    return max(-_FARTHEST, min(_FARTHEST, number))


def _further() -> str:
    kept = [
        pair for pair in request.args.items(multi=True) if pair[0] not in ("cursor", "start_time")
    ]
    return f"&{urlencode(kept)}" if kept else ""


def _bookmark(place: Place, *, ended: bool) -> Doc:
    cursor = place.cursor()
    path = f"{base_url()}/api/v2/incremental/tickets/cursor.json"
    return {
        "after_url": f"{path}?cursor={cursor}{_further()}",
        "after_cursor": cursor,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": ended,
    }
