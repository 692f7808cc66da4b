"""Freshdesk's API about everything but tickets: agents, contacts, companies, fields."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import FreshdeskError, not_found
from sandbox.freshdesk.wire import json_body, linked, paging
from sandbox.state import Doc


class AccountApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._people = account.people

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        field = "/api/v2/admin/ticket_fields/<int:field_id>"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/account", self.account),
            ("GET", "/api/v2/agents/me", self.me),
            ("GET", "/api/v2/agents", self.agents),
            ("GET", "/api/v2/agents/<int:agent_id>", self.agent),
            ("GET", "/api/v2/contacts", self.contacts),
            ("GET", "/api/v2/contacts/<int:contact_id>", self.contact),
            ("GET", "/api/v2/companies", self.companies),
            ("GET", "/api/v2/companies/<int:company_id>", self.company),
            ("GET", "/api/v2/ticket_fields", self.fields),
            ("GET", "/api/v2/admin/ticket_fields", self.admin_fields),
            ("POST", "/api/v2/admin/ticket_fields", self.create_field),
            ("GET", field, self.field),
            ("PUT", field, self.update_field),
            ("DELETE", field, self.delete_field),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def account(self) -> Response:
        """The account."""
        return jsonify(
            {
                "organisation_id": 43_000_000_001,
                "organisation_name": "Sandbox",
                "account_id": 43_000_001,
                "account_name": "Sandbox",
                "account_domain": request.host,
                "timezone": "London",
                "data_center": "eu-central-1",
                "tier_type": "paid",
                "bundle_id": None,
                "total_agents": {"full_time": len(self._people.agents), "occasional": 0},
            }
        )

    def me(self) -> Response:
        """The agent whose key is used."""
        return jsonify(g.user)

    def agents(self) -> Response:
        """All agents."""
        return _list(list(self._people.agents.values()))

    def agent(self, agent_id: int) -> Response:
        """One agent."""
        return jsonify(_known(self._people.agents.get(agent_id)))

    def contacts(self) -> Response:
        """All contacts."""
        return _list(list(self._people.contacts.values()))

    def contact(self, contact_id: int) -> Response:
        """One contact."""
        return jsonify(_known(self._people.contacts.get(contact_id)))

    def companies(self) -> Response:
        """All companies."""
        return _list(list(self._people.companies.values()))

    def company(self, company_id: int) -> Response:
        """One company."""
        return jsonify(_known(self._people.companies.get(company_id)))

    def fields(self) -> Response:
        """All ticket fields, or those of one type."""
        wanted = request.args.get("type")
        fields = self._account.fields.all.values()
        return jsonify([field for field in fields if wanted in (None, field["type"])])

    def admin_fields(self) -> Response:
        """All ticket fields, as administrators see them."""
        return jsonify([_admin(field) for field in self._account.fields.all.values()])

    def create_field(self) -> tuple[Response, int]:
        """Create a custom field; its name is generated."""
        return jsonify(_admin(self._account.fields.create(json_body()))), 201

    def field(self, field_id: int) -> Response:
        """One ticket field."""
        return jsonify(_admin(_known(self._account.fields.all.get(field_id))))

    def update_field(self, field_id: int) -> Response:
        """Change a field's label or choices."""
        _known(self._account.fields.all.get(field_id))
        return jsonify(_admin(self._account.fields.update(field_id, json_body())))

    def delete_field(self, field_id: int) -> tuple[str, int]:
        """Delete a custom field. Raises FreshdeskError for a default one."""
        if _known(self._account.fields.all.get(field_id))["default"]:
            text = "Default fields cannot be deleted"
            raise FreshdeskError(403, {"code": "access_denied", "message": text})
        self._account.fields.remove(field_id)
        return "", 204


def _admin(field: Doc) -> Doc:
    choices = field.get("choices")
    if field["default"] or not isinstance(choices, list):
        return field
    listed = [
        {"id": field["id"] * 100 + place, "value": value, "position": place}
        for place, value in enumerate(choices, start=1)
    ]
    return field | {"choices": listed}


def _list(docs: Sequence[Doc]) -> Response:
    page, per_page = paging(most_pages=500)
    start = (page - 1) * per_page
    answer = jsonify(list(docs[start : start + per_page]))
    return linked(answer, page, more=len(docs) > start + per_page)


def _known(doc: Doc | None) -> Doc:
    if doc is None:
        raise not_found()
    return doc
