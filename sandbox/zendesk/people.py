"""Zendesk's users, organizations, groups and ticket statuses."""

import re
import threading
import unicodedata
from functools import cache
from typing import Any

from sandbox.clock import Clock
from sandbox.desk import Customer
from sandbox.state import Doc, Row, State

API_USER = "agent@sandbox.test"
FIRST_USER = 900_100_000_001
_FIRST_ORGANIZATION = 900_200_000_001
GROUP_ID = 900_500_000_001
BRAND_ID = 900_600_000_001
FORM_ID = 900_700_000_001
_STATUSES = (
    ("new", "New", True), ("open", "Open", True), ("pending", "Pending", True),
    ("hold", "On-hold", True), ("solved", "Solved", True), ("hold", "Waiting for vendor", False),
)  # fmt: skip
_FIRST_STATUS = 900_400_000_001


class People:
    """Users and organizations of the account, kept at hand for lookups by name and address."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self.users: dict[int, Doc] = {int(u["id"]): u for u in state.all("user")}
        self.organizations: dict[int, Doc] = {int(o["id"]): o for o in state.all("organization")}
        self._by_email = {user["email"]: user for user in self.users.values()}
        self._by_name = {org["name"]: org for org in self.organizations.values()}

    def by_email(self, email: str) -> Doc | None:
        """The user with an address, whatever its case."""
        return self._by_email.get(email.lower())

    @property
    def api_user(self) -> Doc:
        """The user of the credentials that the sandbox is born with."""
        return self._by_email[API_USER]

    @property
    def agents(self) -> list[Doc]:
        """The agents apart from the API's user; it alone when there are none."""
        agents = [u for u in self.users.values() if u["role"] == "agent"]
        return agents or [self.api_user]

    def is_agent(self, user_id: int | None) -> bool:
        """Whether a user is an agent or an admin."""
        return user_id is not None and self.users.get(user_id, {}).get("role") != "end-user"

    def name_of(self, user_id: int | None) -> str:
        """A user's name, or nothing."""
        return str(self.users[user_id]["name"]) if user_id in self.users else ""

    def organization_name(self, organization_id: int | None) -> str:
        """An organization's name, or nothing."""
        found = self.organizations.get(organization_id or 0)
        return str(found["name"]) if found else ""

    def tags_of(self, user_id: int, organization_id: int | None) -> tuple[str, ...]:
        """The tags that a new ticket takes over from its requester and their organization."""
        organization = self.organizations.get(organization_id or 0, {"tags": ()})
        return (*self.users[user_id]["tags"], *organization["tags"])

    def ensure_user(
        self,
        name: str,
        *,
        email: str | None = None,
        role: str = "end-user",
        organization: str | None = None,
        locale: str = "en-GB",
    ) -> Doc:
        """The user with this address (made from the name if need be), created when missing."""
        address = (email or _address(name, organization)).lower()
        with self._lock:
            known = self._by_email.get(address)
            if known is not None:
                return known
            home = self.ensure_organization(organization)["id"] if organization else None
            return self._add_user(name, address, role=role, organization_id=home, locale=locale)

    def ensure_agent(self, name: str) -> Doc:
        """The agent with this name, created when missing."""
        with self._lock:
            known = next((agent for agent in self.agents if agent["name"] == name), None)
            address = _address(name, None).replace("@customers.test", "@sandbox.test")
            return known or self.ensure_user(name, email=address, role="agent")

    def has_organization(self, name: str) -> bool:
        """Whether there is an organization with a name."""
        return name in self._by_name

    def ensure_organization(self, name: str, domains: tuple[str, ...] = ()) -> Doc:
        """The organization with a name, created when missing."""
        with self._lock:
            known = self._by_name.get(name)
            return known if known is not None else self._add_organization(name, domains)

    def suspend(self, user_id: int, suspended: bool) -> None:
        """Take a user's access away, or give it back."""
        with self._lock:
            user = self.users[user_id]
            user["suspended"] = suspended
            self._state.put(Row(kind="user", id=user_id, doc=user))

    def put_organization(self, customer: Customer) -> Doc:
        """Create an organization or change it. A field that is new is one of the account's."""
        with self._lock:
            doc = self.ensure_organization(customer.name)
            if customer.domains is not None:
                doc["domain_names"] = list(customer.domains)
            if customer.tags is not None:
                doc["tags"] = list(customer.tags)
            doc["organization_fields"] = doc["organization_fields"] | dict(customer.fields)
            self._state.put(Row(kind="organization", id=doc["id"], doc=doc))
            return doc

    def _add_user(
        self, name: str, email: str, *, role: str, organization_id: int | None, locale: str
    ) -> Doc:
        at = self._clock.stamp()
        user_id = self._state.next_id("user", start=FIRST_USER)
        doc: Doc = {
            "id": user_id, "name": name, "email": email, "role": role, "active": True,
            "verified": True, "organization_id": organization_id, "locale": locale,
            "locale_id": 1, "time_zone": "London", "iana_time_zone": "Europe/London",
            "created_at": at, "updated_at": at, "last_login_at": at, "phone": None, "alias": "",
            "details": "", "notes": "", "tags": [], "user_fields": {}, "photo": None,
            "shared": False, "shared_agent": False, "suspended": False, "signature": None,
            "default_group_id": GROUP_ID if role != "end-user" else None, "moderator": False,
            "restricted_agent": False, "only_private_comments": False, "external_id": None,
            "ticket_restriction": "requested" if role == "end-user" else None,
            "role_type": None, "custom_role_id": None,
        }  # fmt: skip
        self._state.put(Row(kind="user", id=user_id, doc=doc))
        self.users[user_id] = self._by_email[email] = doc
        return doc

    def _add_organization(self, name: str, domains: tuple[str, ...]) -> Doc:
        at = self._clock.stamp()
        key = self._state.next_id("organization", start=_FIRST_ORGANIZATION)
        doc: Doc = {
            "id": key, "name": name, "domain_names": list(domains), "details": None,
            "notes": None, "group_id": None, "external_id": None, "shared_tickets": False,
            "shared_comments": False, "tags": [], "organization_fields": {},
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        self._state.put(Row(kind="organization", id=key, doc=doc))
        self.organizations[key] = self._by_name[name] = doc
        return doc


def _address(name: str, organization: str | None) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    local = re.sub(r"[^a-z0-9]+", ".", plain.lower()).strip(".")
    domain = re.sub(r"[^a-z0-9]+", "-", (organization or "customers").lower()).strip("-")
    return f"{local or f'user-{abs(sum(map(ord, name)))}'}@{domain or 'customers'}.test"


@cache
def custom_statuses() -> list[Doc]:
    """The account's ticket statuses: one default per category, and one more on hold."""
    return [
        {
            "id": _FIRST_STATUS + index, "status_category": category, "agent_label": label,
            "raw_agent_label": label, "end_user_label": label, "raw_end_user_label": label,
            "description": "", "raw_description": "", "end_user_description": "",
            "raw_end_user_description": "", "active": True, "default": default,
            "created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:00:00Z",
        }
        for index, (category, label, default) in enumerate(_STATUSES)
    ]  # fmt: skip


def category_of(custom_status_id: Any) -> str | None:
    """The status that a custom status belongs to, or None for an unknown id."""
    return next(
        (s["status_category"] for s in custom_statuses() if s["id"] == custom_status_id), None
    )


def default_status_id(status: str) -> int:
    """The id of a category's own status; closed tickets keep that of solved."""
    category = "solved" if status == "closed" else status
    own = (s for s in custom_statuses() if s["default"] and s["status_category"] == category)
    return int(next(own)["id"])
