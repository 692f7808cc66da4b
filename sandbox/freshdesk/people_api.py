"""Freshdesk's API about people: agents, roles, groups, contacts and companies."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import BLANK, Flaw, flawed, not_allowed
from sandbox.freshdesk.groups import GROUP
from sandbox.freshdesk.kinds import address_flaws, body_flaws, no_such
from sandbox.freshdesk.people import AGENT, COMPANY, CONTACT
from sandbox.freshdesk.wire import created, instant_argument, json_body, known, paged
from sandbox.state import Doc

_WAYS_TO_REACH = ("email", "phone", "mobile", "twitter_id", "unique_external_id")


class PeopleApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._people = account.people
        self._groups = account.groups
        self._hours = account.policies.hours

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        agent = "/api/v2/agents/<int:key>"
        contact = "/api/v2/contacts/<int:key>"
        company = "/api/v2/companies/<int:key>"
        group = "/api/v2/groups/<int:key>"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/agents/me", self.me),
            ("GET", "/api/v2/agents", self.agents),
            ("GET", agent, self.agent),
            ("PUT", agent, self.update_agent),
            ("DELETE", agent, self.delete_agent),
            ("GET", "/api/v2/roles", self.roles),
            ("GET", "/api/v2/roles/<int:key>", self.role),
            ("GET", "/api/v2/groups", self.groups),
            ("POST", "/api/v2/groups", self.create_group),
            ("GET", group, self.group),
            ("PUT", group, self.update_group),
            ("DELETE", group, self.delete_group),
            ("GET", "/api/v2/contacts", self.contacts),
            ("POST", "/api/v2/contacts", self.create_contact),
            ("GET", contact, self.contact),
            ("PUT", contact, self.update_contact),
            ("DELETE", contact, self.delete_contact),
            ("DELETE", contact + "/hard_delete", self.forget_contact),
            ("PUT", contact + "/restore", self.restore_contact),
            ("GET", "/api/v2/companies", self.companies),
            ("POST", "/api/v2/companies", self.create_company),
            ("GET", company, self.company),
            ("PUT", company, self.update_company),
            ("DELETE", company, self.delete_company),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def me(self) -> Response:
        """The agent whose key is used."""
        return jsonify(g.user)

    def agents(self) -> Response:
        """All agents, or the one with an address."""
        email = request.args.get("email")
        docs = self._people.agents.values()
        return paged([doc for doc in docs if email in (None, doc["contact"]["email"])])

    def agent(self, key: int) -> Response:
        """One agent."""
        return jsonify(known(self._people.agents.get(key)))

    def update_agent(self, key: int) -> Response:
        """Change an agent."""
        known(self._people.agents.get(key))
        return jsonify(self._people.change_agent(key, _body(AGENT)))

    def delete_agent(self, key: int) -> tuple[str, int]:
        """Make an agent a contact."""
        known(self._people.agents.get(key))
        self._people.remove_agent(key)
        return "", 204

    def roles(self) -> Response:
        """All roles."""
        return jsonify(list(self._groups.roles.values()))

    def role(self, key: int) -> Response:
        """One role."""
        return jsonify(known(self._groups.roles.get(key)))

    def groups(self) -> Response:
        """All groups."""
        return paged(list(self._groups.all.values()))

    def create_group(self) -> tuple[Response, int]:
        """Create a group."""
        return created(self._groups.create(self._group_body()))

    def group(self, key: int) -> Response:
        """One group."""
        return jsonify(known(self._groups.all.get(key)))

    def update_group(self, key: int) -> Response:
        """Change a group."""
        known(self._groups.all.get(key))
        return jsonify(self._groups.update(key, self._group_body("name")))

    def delete_group(self, key: int) -> tuple[str, int]:
        """Delete a group."""
        known(self._groups.all.get(key))
        self._groups.remove(key)
        return "", 204

    def contacts(self) -> Response:
        """Contacts; deleted ones only when asked for."""
        since = instant_argument("_updated_since")
        wants_deleted = request.args.get("state") == "deleted"
        docs = [
            doc
            for doc in list(self._people.contacts.values())
            if bool(doc.get("deleted")) is wants_deleted and doc["updated_at"] >= since
        ]
        return paged(_asked(docs, "email", "phone", "mobile", "company_id"))

    def create_contact(self) -> tuple[Response, int]:
        """Create a contact."""
        body = self._contact_body()
        if not body.get("name"):
            raise flawed([Flaw(field="name", message=BLANK, code="missing_field")])
        if not any(body.get(name) for name in _WAYS_TO_REACH):
            text = f"Please fill at least 1 of {', '.join(_WAYS_TO_REACH)} fields"
            raise flawed([Flaw(field="email", message=text, code="missing_field")])
        return created(self._people.create_contact(body))

    def contact(self, key: int) -> Response:
        """One contact, a deleted one too."""
        return jsonify(known(self._people.contacts.get(key)))

    def update_contact(self, key: int) -> Response:
        """Change a contact."""
        self._live_contact(key)
        return jsonify(self._people.change_contact(key, self._contact_body("name")))

    def delete_contact(self, key: int) -> tuple[str, int]:
        """Delete a contact softly."""
        self._live_contact(key)
        self._people.set_deleted(key, True)
        return "", 204

    def forget_contact(self, key: int) -> tuple[str, int]:
        """Delete a contact for good; one that is not deleted yet needs `force=true`."""
        doc = known(self._people.contacts.get(key))
        if not doc.get("deleted") and request.args.get("force", "").lower() != "true":
            raise not_allowed("DELETE", "GET")
        self._people.forget_contact(key)
        return "", 204

    def restore_contact(self, key: int) -> tuple[str, int]:
        """Restore a deleted contact."""
        doc = self._people.contacts.get(key)
        known(doc if doc and doc.get("deleted") else None)
        self._people.set_deleted(key, False)
        return "", 204

    def companies(self) -> Response:
        """All companies, or those updated since an instant."""
        since = instant_argument("updated_since")
        docs = list(self._people.companies.values())
        return paged([doc for doc in docs if doc["updated_at"] >= since])

    def create_company(self) -> tuple[Response, int]:
        """Create a company."""
        body = _body(COMPANY)
        if not body.get("name"):
            raise flawed([Flaw(field="name", message=BLANK, code="missing_field")])
        return created(self._people.create_company(body))

    def company(self, key: int) -> Response:
        """One company."""
        return jsonify(known(self._people.companies.get(key)))

    def update_company(self, key: int) -> Response:
        """Change a company."""
        known(self._people.companies.get(key))
        return jsonify(self._people.change_company(key, _body(COMPANY, "name")))

    def delete_company(self, key: int) -> tuple[str, int]:
        """Delete a company."""
        known(self._people.companies.get(key))
        self._people.remove_company(key)
        return "", 204

    def _contact_body(self, *filled: str) -> Doc:
        body = _body(CONTACT, *filled)
        if (body.get("company_id") or 0) not in {0, *self._people.companies}:
            raise flawed([no_such("company_id", "company")])
        return body

    def _group_body(self, *filled: str) -> Doc:
        body = _body(GROUP, *filled)
        if body.get("business_hour_id") not in (None, int(self._hours["id"])):
            raise flawed([no_such("business_hour_id", "business hour")])
        return body

    def _live_contact(self, key: int) -> None:
        if known(self._people.contacts.get(key)).get("deleted"):
            raise not_allowed(request.method, "GET")


def _body(kinds: Mapping[str, str], *filled: str) -> Doc:
    """The request's object. Raises FreshdeskError 400 for a key that is none of `kinds`.

    Also for a value of another kind, and for what is given of `filled` and holds nothing.
    """
    body = json_body()
    flaws = [*body_flaws(body, kinds, filled=filled), *address_flaws(body)]
    if flaws:
        raise flawed(flaws)
    return body


def _asked(docs: list[Doc], *names: str) -> list[Doc]:
    """The objects that have what the query string asks for."""
    asked = {name: request.args[name] for name in names if name in request.args}
    return [doc for doc in docs if all(str(doc[name]) == value for name, value in asked.items())]
