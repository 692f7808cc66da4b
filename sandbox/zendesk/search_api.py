"""Zendesk's API that finds and counts tickets."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import iso
from sandbox.state import Doc
from sandbox.zendesk.account import Account
from sandbox.zendesk.changes import STATUSES
from sandbox.zendesk.errors import bad_page, bad_request
from sandbox.zendesk.render import by_cursor, read_mark, write_mark
from sandbox.zendesk.searching import MOST_RESULTS, Query, Search, invalid_search, too_deep
from sandbox.zendesk.wire import included, page_link, shown_tickets, sideloads

_SURE = 100_000
_MOST_EXPORTED = 1000


class SearchApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._search = Search(account.core.state, account.people)

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        routes: tuple[tuple[str, Any], ...] = (
            ("/api/v2/search", self.search),
            ("/api/v2/search/export", self.export),
            ("/api/v2/search/count", self.count),
            ("/api/v2/tickets/count", self.count_tickets),
        )
        for rule, view in routes:
            api.add_url_rule(rule, f"search {view.__name__}", view, methods=["GET"])

    def search(self) -> Response:
        """Tickets that match `query`: at most a thousand, by pages of at most a hundred."""
        size = max(1, min(100, request.args.get("per_page", 100, type=int)))
        number = max(1, request.args.get("page", 1, type=int))
        if number * size > MOST_RESULTS:
            raise too_deep()
        found = self._search.find(self._query(), number * size)
        page = found.tickets[(number - 1) * size : number * size]
        more = number * size < found.count
        shown = shown_tickets(self._account, page, included())
        results = [{**doc, "result_type": "ticket"} for doc in shown]
        beside = sideloads(self._account, page, included())
        links: Doc = {
            "next_page": _link(number + 1, size) if more else None,
            "previous_page": _link(number - 1, size) if number > 1 else None,
        }
        return jsonify(
            {"results": results, **beside, "facets": None, **links, "count": found.count}
        )

    def export(self) -> Response:
        """All tickets that match `query`, by cursor, the oldest first."""
        if request.args.get("filter[type]") != "ticket":
            raise invalid_search("filter[type] is needed, and only tickets can be searched here")
        size = max(1, min(_MOST_EXPORTED, request.args.get("page[size]", 100, type=int)))
        try:
            start, _ = read_mark(request.args.get("page[after]"))
        except ValueError as error:
            raise bad_page("InvalidPaginationParameter", str(error)) from error
        found = self._search.find(self._query("created_at", "asc"), start + size)
        page = found.tickets[start : start + size]
        shown = shown_tickets(self._account, page, included())
        mark = write_mark(start + len(page), 0) if page else None
        rest = by_cursor(page_link, size, mark, more=start + size < found.count)
        results = [{**doc, "result_type": "ticket"} for doc in shown]
        return jsonify({"results": results, "facets": None, **rest})

    def count(self) -> Response:
        """How many tickets match `query`."""
        return jsonify({"count": self._search.count(self._query())})

    def count_tickets(self) -> Response:
        """How many tickets there are; a large number is up to a day old."""
        state, clock = self._account.core.state, self._account.core.clock
        total = sum(state.count_children("ticket", status) for status in STATUSES)
        # Above a hundred thousand Zendesk counts once a day; what it counted here is exact.
        counted = clock.now() - (timedelta(hours=1) if total > _SURE else timedelta())
        return jsonify({"count": {"value": total, "refreshed_at": iso(counted)}})

    def _query(self, sort_by: str | None = None, sort_order: str | None = None) -> Query:
        text = request.args.get("query", "")
        if not text.strip():
            raise bad_request("invalid", "query is required")
        return self._search.read(
            text,
            now=self._account.core.clock.now(),
            lag=self._account.book.switches.search_lag_seconds,
            sort_by=sort_by or request.args.get("sort_by"),
            sort_order=sort_order or request.args.get("sort_order"),
        )


def _link(number: int, size: int) -> str:
    return page_link({"page": number, "per_page": size})
