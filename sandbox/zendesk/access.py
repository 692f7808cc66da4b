"""Which scope and which role each of Zendesk's endpoints needs."""

import re

_ADMINS_WRITE = (
    "ticket_fields", "ticket_forms", "custom_statuses", "webhooks", "business_hours",
)  # fmt: skip
_ADMINS_READ = ("incremental", "deleted_tickets", "webhooks", "slas")
_RESOURCE = re.compile(r"/api/v2/(\w+)")
_SCOPED = {
    "tickets": "tickets", "users": "users", "organizations": "organizations",
    "webhooks": "webhooks", "deleted_tickets": "tickets", "job_statuses": "tickets",
}  # fmt: skip
_GLOBAL_ONLY = re.compile(r"/api/v2/tickets/\d+/audits")
_ONE_SCHEDULE = re.compile(r"/api/v2/business_hours/schedules/\d+$")
#: Paths that any token may call, and that answer without one.
OPEN = ("/api/v2/oauth/tokens/current",)


def scopes_for(method: str, path: str, *, fields_scope: str) -> frozenset[str]:
    """The scopes of which a token needs one; among them the broad one, `read` or `write`."""
    way = "read" if method in ("GET", "HEAD") else "write"
    resource = _resource(path)
    if resource == "incremental" and path.startswith("/api/v2/incremental/ticket"):
        return frozenset({way, f"tickets:{way}"})
    if resource == "ticket_fields" and way == "write":
        return frozenset({way, fields_scope})
    if resource not in _SCOPED or _GLOBAL_ONLY.match(path):
        return frozenset({way})
    return frozenset({way, f"{_SCOPED[resource]}:{way}"})


def role_may(role: str, method: str, path: str) -> bool:
    """Whether a user with this role may make the call at all."""
    if role == "admin" or path.startswith("/api/v2/users/me"):
        return True
    if role == "end-user":
        return False
    resource = _resource(path)
    reading = method in ("GET", "HEAD")
    if resource == "business_hours" and reading:
        return _ONE_SCHEDULE.match(path) is not None
    return resource not in (_ADMINS_READ if reading else _ADMINS_WRITE)


def _resource(path: str) -> str:
    found = _RESOURCE.match(path)
    return found[1] if found else ""
