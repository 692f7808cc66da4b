"""Freshdesk's API about what lies beside tickets: times, ratings, products, general settings."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.givens import PRODUCT_ID, product
from sandbox.freshdesk.wire import instant_argument, known, paged


class BesideApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._product = product(account.policies.hours["created_at"])

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        ticket = "/api/v2/tickets/<int:ticket_id>"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/time_entries", self.time_entries),
            ("GET", ticket + "/time_entries", self.times_of_ticket),
            ("GET", "/api/v2/surveys/satisfaction_ratings", self.ratings),
            ("GET", ticket + "/satisfaction_ratings", self.ratings_of_ticket),
            ("GET", "/api/v2/products", self.products),
            ("GET", "/api/v2/products/<int:key>", self.product),
            ("GET", "/api/v2/settings/helpdesk", self.settings),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def time_entries(self) -> Response:
        """The times that agents noted down; nobody does so here."""
        for name in ("executed_after", "executed_before"):
            instant_argument(name)
        return paged([])

    def times_of_ticket(self, ticket_id: int) -> Response:
        """A ticket's times."""
        return self._none_of(ticket_id)

    def ratings(self) -> Response:
        """What customers say about answers; nobody is asked here."""
        instant_argument("created_since")
        return paged([])

    def ratings_of_ticket(self, ticket_id: int) -> Response:
        """What the customer says about a ticket's answers."""
        return self._none_of(ticket_id)

    def products(self) -> Response:
        """The account's product."""
        return paged([self._product])

    def product(self, key: int) -> Response:
        """One product."""
        return jsonify(known(self._product if key == PRODUCT_ID else None))

    def settings(self) -> Response:
        """The languages of the account."""
        return jsonify(
            {"primary_language": "en", "supported_languages": [], "portal_languages": []}
        )

    def _none_of(self, ticket_id: int) -> Response:
        self._account.writer.read(ticket_id)
        return paged([])
