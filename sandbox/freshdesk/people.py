"""Freshdesk's agents, contacts and companies."""

import re
import threading
import unicodedata

from sandbox.clock import Clock
from sandbox.desk import Customer
from sandbox.state import Doc, Row, State

API_USER = "agent@sandbox.test"
_FIRST_USER = 43_000_088_001
_FIRST_COMPANY = 43_000_099_001


class People:
    """Agents, contacts and companies, kept at hand for lookups by name and address."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.agents: dict[int, Doc] = {int(d["id"]): d for d in state.all("agent")}
        self.contacts: dict[int, Doc] = {int(d["id"]): d for d in state.all("contact")}
        self.companies: dict[int, Doc] = {int(d["id"]): d for d in state.all("company")}
        self._contact_by_email = {doc["email"]: doc for doc in self.contacts.values()}
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

    def _add_agent(self, name: str, email: str) -> Doc:
        at, key = self._clock.stamp(), self._state.next_id("user", start=_FIRST_USER)
        doc: Doc = {
            "available": True, "occasional": False, "id": key, "ticket_scope": 1,
            "created_at": at, "updated_at": at, "last_active_at": at, "available_since": at,
            "type": "support_agent", "signature": None, "group_ids": [], "role_ids": [],
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

    def _add_contact(self, name: str, email: str, company_id: int | None, language: str) -> Doc:
        at, key = self._clock.stamp(), self._state.next_id("user", start=_FIRST_USER)
        doc: Doc = {
            "active": True, "address": None, "company_id": company_id, "description": None,
            "email": email, "id": key, "job_title": None, "language": language, "mobile": None,
            "name": name, "phone": None, "time_zone": "London", "twitter_id": None,
            "custom_fields": {}, "tags": [], "other_emails": [], "facebook_id": None,
            "unique_external_id": None, "view_all_tickets": False, "other_companies": [],
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        self._state.put(Row(kind="contact", id=key, doc=doc))
        self.contacts[key] = self._contact_by_email[email] = doc
        return doc

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


def _address(name: str, place: str | None) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    local = re.sub(r"[^a-z0-9]+", ".", plain.lower()).strip(".")
    domain = re.sub(r"[^a-z0-9]+", "-", (place or "customers").lower()).strip("-")
    return f"{local or f'user-{sum(map(ord, name))}'}@{domain or 'customers'}.test"
