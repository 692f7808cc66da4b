"""Freshdesk's agents, contacts and companies."""

import re
import threading
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from sandbox.clock import Clock
from sandbox.desk import Customer
from sandbox.freshdesk.errors import duplicate
from sandbox.freshdesk.groups import ADMINISTRATOR
from sandbox.freshdesk.kinds import ID, LIST, PAIRS, TEXT, TRUTH
from sandbox.state import Doc, Row, State

API_USER = "agent@sandbox.test"
_FIRST_USER = 43_000_088_001
_FIRST_COMPANY = 43_000_099_001
# What a request may set on a contact, a company and an agent, and of what kind it is.
CONTACT = {
    "name": TEXT, "email": TEXT, "phone": TEXT, "mobile": TEXT, "twitter_id": TEXT,
    "unique_external_id": TEXT, "other_emails": LIST, "company_id": ID, "view_all_tickets": TRUTH,
    "address": TEXT, "description": TEXT, "job_title": TEXT, "language": TEXT, "tags": LIST,
    "time_zone": TEXT, "custom_fields": PAIRS, "other_companies": LIST, "facebook_id": TEXT,
}  # fmt: skip
COMPANY = {
    "name": TEXT, "domains": LIST, "description": TEXT, "note": TEXT, "health_score": TEXT,
    "account_tier": TEXT, "renewal_date": TEXT, "industry": TEXT, "custom_fields": PAIRS,
}  # fmt: skip
AGENT = {
    "occasional": TRUTH, "signature": TEXT, "ticket_scope": ID, "group_ids": LIST,
    "role_ids": LIST, "skill_ids": LIST,
}  # fmt: skip


class People:
    """Agents, contacts and companies, kept at hand for lookups by name and address."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.agents: dict[int, Doc] = {int(d["id"]): d for d in state.all("agent")}
        self.contacts: dict[int, Doc] = {int(d["id"]): d for d in state.all("contact")}
        self.companies: dict[int, Doc] = {int(d["id"]): d for d in state.all("company")}
        self._contact_by_email = {d["email"]: d for d in self.contacts.values() if d["email"]}
        self._company_by_name = {doc["name"]: doc for doc in self.companies.values()}

    @property
    def api_user(self) -> Doc:
        """The agent whose API key the sandbox is born with."""
        return next(a for a in self.agents.values() if a["contact"]["email"] == API_USER)

    @property
    def human_agents(self) -> list[Doc]:
        """The agents apart from the API's; it alone when there are none."""
        people = [a for a in self.agents.values() if a["contact"]["email"] != API_USER]
        return people or [self.api_user]

    def name_of(self, user_id: int | None) -> str:
        """An agent's or contact's name, or nothing."""
        if user_id in self.agents:
            return str(self.agents[user_id]["contact"]["name"])
        return str(self.contacts[user_id]["name"]) if user_id in self.contacts else ""

    def company_name(self, company_id: int | None) -> str:
        """A company's name, or nothing."""
        found = self.companies.get(company_id or 0)
        return str(found["name"]) if found else ""

    def by_email(self, email: str) -> Doc | None:
        """The contact with an address."""
        return self._contact_by_email.get(email.lower())

    def found(self, way: str, value: str) -> Doc | None:
        """The contact that has a value, of which it is the only one to have it."""
        if way == "email":
            return self.by_email(value)
        return next((doc for doc in list(self.contacts.values()) if doc[way] == value), None)

    def ensure_agent(self, name: str, email: str | None = None) -> Doc:
        """The agent with this name, created when missing."""
        with self._lock:
            for agent in self.agents.values():
                if agent["contact"]["name"] == name:
                    return agent
            return self._add_agent(name, email or _address(name, "sandbox"))

    def ensure_contact(
        self,
        name: str,
        *,
        email: str | None = None,
        company: str | None = None,
        language: str = "en",
    ) -> Doc:
        """The contact with this address (made from the name if need be), created when missing."""
        address = (email or _address(name, company)).lower()
        with self._lock:
            known = self._contact_by_email.get(address)
            if known is not None:
                return known
            home = self.ensure_company(company)["id"] if company else None
            return self._add_contact(name, address, home, language)

    def ensure_company(self, name: str) -> Doc:
        """The company with a name, created when missing."""
        with self._lock:
            known = self._company_by_name.get(name)
            return known if known is not None else self._add_company(name)

    def put_company(self, customer: Customer) -> Doc:
        """Create a company or change it; companies have no tags. A new field is the account's."""
        with self._lock:
            doc = self.ensure_company(customer.name)
            if customer.domains is not None:
                doc["domains"] = list(customer.domains)
            doc["custom_fields"] = doc["custom_fields"] | dict(customer.fields)
            self._state.put(Row(kind="company", id=doc["id"], doc=doc))
            return doc

    def create_contact(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a contact as the API does. Raises FreshdeskError 409 for an address in use."""
        with self._lock:
            self._refuse_taken(wanted.get("email"), None)
            email = wanted.get("email")
            address = str(email).lower() if email else None
            blank = self._add_contact(str(wanted["name"]), address, None, "en")
            return self.change_contact(blank["id"], wanted)

    def change_contact(self, contact_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a contact. Raises FreshdeskError 409 for an address in use."""
        with self._lock:
            doc = self.contacts[contact_id]
            self._refuse_taken(wanted.get("email"), contact_id)
            self._contact_by_email.pop(doc["email"], None)
            return self._put_contact(_changed(doc, wanted, CONTACT, self._clock.stamp()))

    def set_deleted(self, contact_id: int, deleted: bool) -> None:
        """Delete a contact softly, or restore it."""
        with self._lock:
            doc = self.contacts[contact_id] | {"updated_at": self._clock.stamp()}
            doc.pop("deleted", None)
            self._put_contact(doc | ({"deleted": True} if deleted else {}))

    def forget_contact(self, contact_id: int) -> None:
        """Delete a contact for good."""
        with self._lock:
            doc = self.contacts.pop(contact_id)
            self._contact_by_email.pop(doc["email"], None)
            self._state.remove("contact", contact_id)

    def create_company(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a company. Raises FreshdeskError 409 for a name in use."""
        with self._lock:
            if wanted["name"] in self._company_by_name:
                raise duplicate("name")
            return self.change_company(self._add_company(str(wanted["name"]))["id"], wanted)

    def change_company(self, company_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a company. Raises FreshdeskError 409 for a name in use."""
        with self._lock:
            doc = self.companies[company_id]
            other = self._company_by_name.get(wanted.get("name", doc["name"]))
            if other is not None and other["id"] != company_id:
                raise duplicate("name")
            del self._company_by_name[doc["name"]]
            changed = _changed(doc, wanted, COMPANY, self._clock.stamp())
            self._state.put(Row(kind="company", id=company_id, doc=changed))
            self.companies[company_id] = self._company_by_name[changed["name"]] = changed
            return changed

    def remove_company(self, company_id: int) -> None:
        """Delete a company."""
        with self._lock:
            doc = self.companies.pop(company_id)
            self._company_by_name.pop(doc["name"], None)
            self._state.remove("company", company_id)

    def change_agent(self, agent_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change an agent; the one behind the API key too, which is kept as the same object."""
        with self._lock:
            doc = self.agents[agent_id]
            doc |= _changed(doc, wanted, AGENT, self._clock.stamp())
            self._state.put(Row(kind="agent", id=agent_id, doc=doc))
            return doc

    def deactivate(self, agent_id: int, deactivated: bool) -> None:
        """Take an agent's access away, or give it back."""
        with self._lock:
            doc = self.agents[agent_id]
            doc["deactivated"] = deactivated
            self._state.put(Row(kind="agent", id=agent_id, doc=doc))

    def remove_agent(self, agent_id: int) -> None:
        """Let an agent be one no more."""
        with self._lock:
            self.agents.pop(agent_id)
            self._state.remove("agent", agent_id)

    def _refuse_taken(self, email: Any, own_id: int | None) -> None:
        known = self.by_email(str(email)) if email else None
        if known is not None and known["id"] != own_id:
            raise duplicate("email", user_id=known["id"])

    def _put_contact(self, doc: Doc) -> Doc:
        self._state.put(Row(kind="contact", id=doc["id"], doc=doc))
        self.contacts[doc["id"]] = doc
        if doc["email"]:
            self._contact_by_email[doc["email"].lower()] = doc
        return doc

    def _add_agent(self, name: str, email: str) -> Doc:
        at, key = self._clock.stamp(), self._state.next_id("user", start=_FIRST_USER)
        doc: Doc = {
            "available": True, "occasional": False, "id": key, "ticket_scope": 1,
            "created_at": at, "updated_at": at, "last_active_at": at, "available_since": at,
            "type": "support_agent", "signature": None, "group_ids": [],
            "role_ids": [ADMINISTRATOR] if email == API_USER else [ADMINISTRATOR + 1],
            "skill_ids": [], "focus_mode": True, "deactivated": False, "api_key_enabled": True,
            "contact": {
                "active": True, "email": email, "job_title": None, "language": "en",
                "mobile": None, "name": name, "phone": None, "time_zone": "London",
                "last_login_at": at, "created_at": at, "updated_at": at,
            },
        }  # fmt: skip
        self._state.put(Row(kind="agent", id=key, doc=doc))
        self.agents[key] = doc
        return doc

    def _add_contact(
        self, name: str, email: str | None, company_id: int | None, language: str
    ) -> Doc:
        at, key = self._clock.stamp(), self._state.next_id("user", start=_FIRST_USER)
        doc: Doc = {
            "active": True, "address": None, "company_id": company_id, "description": None,
            "email": email, "id": key, "job_title": None, "language": language, "mobile": None,
            "name": name, "phone": None, "time_zone": "London", "twitter_id": None,
            "custom_fields": {}, "tags": [], "other_emails": [], "facebook_id": None,
            "unique_external_id": None, "view_all_tickets": False, "other_companies": [],
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        return self._put_contact(doc)

    def _add_company(self, name: str) -> Doc:
        at, key = self._clock.stamp(), self._state.next_id("company", start=_FIRST_COMPANY)
        doc: Doc = {
            "id": key, "name": name, "description": None, "note": None, "domains": [],
            "health_score": None, "account_tier": None, "renewal_date": None, "industry": None,
            "custom_fields": {}, "created_at": at, "updated_at": at,
        }  # fmt: skip
        self._state.put(Row(kind="company", id=key, doc=doc))
        self.companies[key] = self._company_by_name[name] = doc
        return doc


def _changed(doc: Doc, wanted: Mapping[str, Any], names: Collection[str], at: str) -> Doc:
    given = {name: wanted[name] for name in names if name in wanted}
    if "custom_fields" in given:
        given["custom_fields"] = doc["custom_fields"] | (given["custom_fields"] or {})
    return doc | given | {"updated_at": at}


def _address(name: str, place: str | None) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    local = re.sub(r"[^a-z0-9]+", ".", plain.lower()).strip(".")
    domain = re.sub(r"[^a-z0-9]+", "-", (place or "customers").lower()).strip("-")
    return f"{local or f'user-{sum(map(ord, name))}'}@{domain or 'customers'}.test"
