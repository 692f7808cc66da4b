"""Zendesk's rate limits: the plans, the limits of single endpoints, and the headers."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response

from sandbox.limits import UNLIMITED, Window

PLANS: Mapping[str, int] = {
    "unlimited": UNLIMITED, "essential": 10, "team": 200, "growth": 400, "professional": 400,
    "enterprise": 700, "enterprise-plus": 2500, "high-volume": 2500, "sandbox": 700, "trial": 200,
}  # fmt: skip
ACCOUNT = "account"
UPDATES, EXPORTS = "tickets-update", "incremental-exports"
JOBS_HEADER = "zendesk-ratelimit-inflight-jobs"
TAG_METHODS = ("PUT", "POST", "DELETE")
#: Updates of one ticket by one user within ten minutes.
PER_TICKET, PER_TICKET_MINUTES = 30, 10
_ONE = "/api/v2/tickets/<int:ticket_id>"
_FIELD = "/api/v2/ticket_fields/<int:field_id>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """A limit within `minutes`; `by_plan` holds what differs on some plans."""

    name: str
    limit: int
    by_plan: Mapping[str, int] | None = None
    minutes: int = 1

    def on(self, plan: str) -> int:
        """The limit on a plan."""
        return (self.by_plan or {}).get(plan, self.limit)


UPDATE_QUOTA = Quota(
    name=UPDATES, limit=100, by_plan={"sandbox": 20, "trial": 20, "high-volume": 300}
)
_EXPORT_QUOTA = Quota(name=EXPORTS, limit=10, by_plan={"high-volume": 30})
_SAMPLE_QUOTA = Quota(name="incremental-sample", limit=10, minutes=20)
_SEARCH_QUOTA = Quota(name="search-index", limit=2500)
_QUOTAS: Mapping[tuple[str, str], Quota] = {
    ("PUT", _ONE): UPDATE_QUOTA,
    ("DELETE", _ONE): Quota(name="tickets-destroy", limit=400),
    ("GET", "/api/v2/tickets"): Quota(
        name="tickets-index", limit=20_000, by_plan={"sandbox": 100, "trial": 100}
    ),
    ("GET", _ONE + "/audits"): Quota(name="ticket-audits", limit=500),
    ("GET", "/api/v2/deleted_tickets"): Quota(name="deleted-tickets-index", limit=10),
    ("GET", "/api/v2/search"): _SEARCH_QUOTA,
    ("GET", "/api/v2/search/count"): _SEARCH_QUOTA,
    ("GET", "/api/v2/search/export"): Quota(name="search-export", limit=100),
    ("GET", "/api/v2/tags"): Quota(
        name="tags-index", limit=2000, by_plan={"sandbox": 100, "trial": 100}
    ),
    ("GET", "/api/v2/ticket_fields"): Quota(
        name="ticket-fields-index",
        limit=300,
        by_plan={"sandbox": 40, "trial": 20, "high-volume": 450},
    ),
    ("PUT", _FIELD): Quota(
        name="ticket-fields-update", limit=75, by_plan={"sandbox": 50, "trial": 25}
    ),
    ("POST", _FIELD + "/options"): Quota(name="ticket-field-options-upsert", limit=100),
}


def quota_of(method: str, rule: str) -> Quota | None:
    """The limit of an endpoint, apart from the account's."""
    if method == "GET" and rule.startswith("/api/v2/incremental/"):
        return _SAMPLE_QUOTA if rule.endswith("/sample") else _EXPORT_QUOTA
    return _QUOTAS.get((method, rule))


def in_words(name: str) -> str:
    """What a refusal says."""
    families = {ACCOUNT: "", EXPORTS: "incremental export ", UPDATES: "ticket update "}
    kind = families.get(name, name.replace("-", " ") + " ")
    return f"Number of allowed {kind}API requests per minute exceeded"


def show(response: Response, name: str, window: Window) -> None:
    """Tell the caller in a response's headers how a limit stands."""
    headers = response.headers
    if name == ACCOUNT:
        headers["x-rate-limit"] = headers["ratelimit-limit"] = str(window.limit)
        headers["x-rate-limit-remaining"] = headers["ratelimit-remaining"] = str(window.remaining)
        headers["ratelimit-reset"] = str(window.reset_seconds)
        return
    prefix = "Zendesk-RateLimit" if name == UPDATES else "zendesk-ratelimit"
    headers[f"{prefix}-{name}"] = endpoint_value(
        window.limit, window.remaining, window.reset_seconds
    )


def endpoint_value(total: int, remaining: int, resets: int) -> str:
    """The header of one endpoint's limit."""
    return f"total={total}; remaining={remaining}; resets={resets}"
