"""Zendesk's API about users and organizations."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from sandbox.bodies import object_id
from sandbox.desk import Customer
from sandbox.state import Doc
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import bad_request, forbidden, invalid, not_found
from sandbox.zendesk.parsing import envelope
from sandbox.zendesk.render import ANONYMOUS, shown_organization, shown_user
from sandbox.zendesk.time_zones import time_zones
from sandbox.zendesk.wire import base_url, ids_asked, json_body, paged, signed_in

_ROLES = ("end-user", "agent", "admin")
_SEARCHED = ("name", "email", "role", "notes", "external_id")
Created = tuple[Response, int, dict[str, str]]


class PeopleApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._people = account.people

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", "/api/v2/users/me", self.me),
            ("GET", "/api/v2/users", self.all_users),
            ("POST", "/api/v2/users", self.create_user),
            ("GET", "/api/v2/users/search", self.search_users),
            ("GET", "/api/v2/users/show_many", self.users),
            ("GET", "/api/v2/users/<int:user_id>", self.user),
            ("GET", "/api/v2/user_fields", self.user_fields),
            ("GET", "/api/v2/organizations", self.all_organizations),
            ("POST", "/api/v2/organizations", self.create_organization),
            ("GET", "/api/v2/organizations/show_many", self.organizations),
            ("GET", "/api/v2/organizations/<int:organization_id>", self.organization),
            ("GET", "/api/v2/time_zones", self.zones),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"{method} {view.__name__}", view, methods=[method])

    def me(self) -> Response:
        """The caller, or the anonymous user."""
        user = ANONYMOUS if g.user is None else shown_user(g.user, base_url())
        return jsonify({"user": user})

    def all_users(self) -> Response:
        """All users, or those with some roles."""
        roles = {*request.args.getlist("role"), *request.args.getlist("role[]")}
        users = self._people.users.values()
        return _users(user for user in users if not roles or user["role"] in roles)

    def create_user(self) -> Created:
        """Create a user; one without an address is given one."""
        wanted = envelope(json_body(), "user")
        name, email = _name(wanted), _email(wanted.get("email"))
        role = str(wanted.get("role") or "end-user")
        if role not in _ROLES:
            raise invalid("role", "Role: is invalid")
        if role != "end-user" and signed_in()["role"] != "admin":
            raise forbidden("Only admins create agents")
        if email is not None and self._people.by_email(email) is not None:
            text = f"Email: {email} is already being used by another user"
            raise invalid("email", text, error="DuplicateValue")
        home = self._people.organization_name(object_id(wanted.get("organization_id")))
        if wanted.get("organization_id") is not None and not home:
            raise invalid("organization", "Organization: is invalid")
        user = self._people.ensure_user(name, email=email, role=role, organization=home or None)
        doc = shown_user(user, base_url())
        return jsonify({"user": doc}), 201, {"Location": doc["url"]}

    def search_users(self) -> Response:
        """Users that hold each word of `query`, or have the `external_id`."""
        query, external_id = request.args.get("query", ""), request.args.get("external_id")
        if not query.strip() and external_id is None:
            raise bad_request("MissingParameter", "query or external_id is required")
        terms = [_term(word) for word in _words(query)]
        if external_id is not None:
            terms.append((("external_id",), external_id.lower()))
        users = self._people.users.values()
        return _users(user for user in users if all(_holds(user, *term) for term in terms))

    def users(self) -> Response:
        """Users by id."""
        known = self._people.users
        found = [shown_user(known[i], base_url()) for i in ids_asked() if i in known]
        return jsonify({"users": found, "count": len(found), "next_page": None})

    def user(self, user_id: int) -> Response:
        """One user."""
        return jsonify({"user": shown_user(_known(self._people.users.get(user_id)), base_url())})

    def user_fields(self) -> Response:
        """The account's own fields of users: it has none."""
        page, rest = paged("user_fields", [])
        return jsonify({"user_fields": page, **rest})

    def all_organizations(self) -> Response:
        """All organizations."""
        docs = [shown_organization(o, base_url()) for o in self._people.organizations.values()]
        page, rest = paged("organizations", docs)
        return jsonify({"organizations": page, **rest})

    def create_organization(self) -> Created:
        """Create an organization; its name must be new."""
        wanted = envelope(json_body(), "organization")
        name = _name(wanted)
        if self._people.has_organization(name):
            text = f"Name: {name} has already been taken"
            raise invalid("name", text, error="DuplicateValue")
        fields = wanted.get("organization_fields") or {}
        if not isinstance(fields, Mapping):
            raise invalid("organization_fields", "Organization fields: are invalid")
        domains, tags = _texts(wanted, "domain_names"), _texts(wanted, "tags")
        customer = Customer(name=name, domains=domains, tags=tags, fields=fields)
        doc = shown_organization(self._people.put_organization(customer), base_url())
        return jsonify({"organization": doc}), 201, {"Location": doc["url"]}

    def organizations(self) -> Response:
        """Organizations by id."""
        known = self._people.organizations
        found = [shown_organization(known[i], base_url()) for i in ids_asked() if i in known]
        return jsonify({"organizations": found, "count": len(found), "next_page": None})

    def organization(self, organization_id: int) -> Response:
        """One organization."""
        found = _known(self._people.organizations.get(organization_id))
        return jsonify({"organization": shown_organization(found, base_url())})

    def zones(self) -> Response:
        """The time zones, by the names that Rails gives them."""
        return jsonify({"time_zones": time_zones()})


def _users(found: Any) -> Response:
    page, rest = paged("users", [shown_user(user, base_url()) for user in found])
    return jsonify({"users": page, **rest})


def _words(query: str) -> Sequence[str]:
    try:
        return shlex.split(query)
    except ValueError:
        return query.split()


def _term(word: str) -> tuple[Sequence[str], str]:
    name, colon, value = word.partition(":")
    if colon and name.lower() in (*_SEARCHED, "type"):
        return (name.lower(),), value.lower()
    return _SEARCHED, word.lower()


def _holds(user: Doc, names: Sequence[str], wanted: str) -> bool:
    known = {**user, "type": "user"}
    return any(wanted in str(known[name] or "").lower() for name in names)


def _name(wanted: Doc) -> str:
    name = wanted.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("name", "Name: cannot be blank", error="BlankValue")
    return name.strip()


def _email(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.partition("@")[2]:
        raise invalid("email", f"Email: {value} is not properly formatted", error="InvalidValue")
    return value


def _texts(wanted: Doc, name: str) -> list[str] | None:
    value = wanted.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid(name, f"{name}: a list is needed")
    return value


def _known(doc: Doc | None) -> Doc:
    if doc is None:
        raise not_found()
    return doc
