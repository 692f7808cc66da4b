"""Who may call the local Zendesk, and how often: sign-in, access tokens, rate limits."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Response, g, request

from sandbox.clock import wall_seconds
from sandbox.core import Core
from sandbox.limits import UNLIMITED, Window
from sandbox.state import Doc, Row
from sandbox.zendesk.errors import ZendeskError, bad_request
from sandbox.zendesk.people import People

API_TOKEN = "sandbox"  # noqa: S105 - public, guards nothing
CLIENT = ("sandbox", "sandbox")
PLANS: Mapping[str, int] = {
    "unlimited": UNLIMITED, "team": 200, "growth": 400, "professional": 400, "enterprise": 700,
    "enterprise-plus": 2500, "sandbox": 700, "trial": 200,
}  # fmt: skip
_LIMITS: Mapping[tuple[str, str], tuple[str, int]] = {
    ("PUT", "/api/v2/tickets/<int:ticket_id>"): ("tickets-update", 100),
    ("GET", "/api/v2/incremental/tickets/cursor"): ("incremental-exports", 10),
    ("GET", "/api/v2/tickets/<int:ticket_id>/audits"): ("ticket-audits", 500),
    ("GET", "/api/v2/ticket_fields"): ("ticket-fields-index", 300),
    ("DELETE", "/api/v2/tickets/<int:ticket_id>"): ("tickets-destroy", 400),
}
_SMALL = {"sandbox": 20, "trial": 20}
_PUBLIC = ("/api/v2/users/me", "/oauth/tokens")
_SHORTEST, _USUAL, _LONGEST = 300, 1800, 172_800


def refuse(retry_after: int | None) -> Response:
    """429 as an injected fault shows it: JSON with a Retry-After, plain text without one."""
    text = "Number of allowed API requests per minute exceeded"
    if retry_after is None:
        return Response(text, status=429, content_type="text/plain")
    body = json.dumps({"error": "APIRateLimitExceeded", "description": text})
    headers = {"Retry-After": str(retry_after)}
    return Response(body, status=429, content_type="application/json", headers=headers)


class Door:
    """Signs callers in, issues access tokens, and counts calls against the plan."""

    def __init__(self, core: Core, people: People) -> None:
        self._core = core
        self._people = people

    def enter(self) -> None:
        """Before each call: sets `g.user`. Raises ZendeskError for 401 and 429."""
        g.windows = []
        g.user = None
        if request.path in _PUBLIC and "Authorization" not in request.headers:
            return
        if request.path != "/oauth/tokens":
            g.user = self._signed_in(request.headers.get("Authorization", ""))
        self._count()

    def leave(self, response: Response) -> Response:
        """After each call: the vendor's rate-limit headers."""
        for name, window in g.get("windows", []):
            _show(response, name, window)
        return response

    def count(self, bucket: str, limit: int, *, cost: int = 1, minutes: int = 1) -> None:
        """Count against a bucket. Raises ZendeskError 429 when it is used up."""
        window = self._core.limiter.take(bucket, limit, cost=cost, minutes=minutes)
        g.windows.append((bucket.partition(":")[0], window))
        if not window.allowed:
            text = f"Number of allowed {bucket} API requests per minute exceeded"
            body = {"error": "APIRateLimitExceeded", "description": text}
            raise ZendeskError(429, body, headers={"Retry-After": str(window.reset_seconds)})

    @property
    def limited(self) -> bool:
        """Whether the plan has limits."""
        return self._core.plan != "unlimited"

    def issue_token(self, wanted: Mapping[str, Any]) -> Doc:
        """An access token for client credentials. Raises ZendeskError when they are wrong."""
        if wanted.get("grant_type") != "client_credentials":
            raise bad_request("unsupported_grant_type", "Only client_credentials is offered here")
        if (wanted.get("client_id"), wanted.get("client_secret")) != CLIENT:
            text = "Client authentication failed: unknown client or wrong secret"
            raise ZendeskError(401, {"error": "invalid_client", "error_description": text})
        lifetime = int(wanted.get("expires_in") or _USUAL)
        if not _SHORTEST <= lifetime <= _LONGEST:
            raise bad_request("invalid_request", f"expires_in: {_SHORTEST} to {_LONGEST} seconds")
        return self._new_token(str(wanted.get("scope") or "read write"), lifetime)

    def revoke_tokens(self) -> None:
        """Let all access tokens be expired."""
        for token in self._core.state.all("token"):
            self._core.state.remove("token", token["access_token"])

    def _new_token(self, scope: str, lifetime: int) -> Doc:
        doc = {
            "access_token": secrets.token_hex(32),
            "token_type": "bearer",
            "scope": scope,
            "expires_in": lifetime,
        }
        kept = {**doc, "expires_at": wall_seconds() + lifetime}
        self._core.state.put(Row(kind="token", id=str(doc["access_token"]), doc=kept))
        return doc

    def _signed_in(self, header: str) -> Doc:
        scheme, _, credentials = header.partition(" ")
        match scheme.lower():
            case "basic":
                return self._by_api_token(credentials)
            case "bearer":
                return self._by_access_token(credentials)
        raise _unknown()

    def _by_api_token(self, credentials: str) -> Doc:
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _unknown() from error
        name, _, secret = text.partition(":")
        user = self._people.by_email(name.removesuffix("/token"))
        if not name.endswith("/token") or secret != API_TOKEN or user is None:
            raise _unknown()
        return user

    def _by_access_token(self, token: str) -> Doc:
        known = self._core.state.get("token", token)
        if known is None or known["expires_at"] < wall_seconds():
            text = (
                "The access token provided is expired, revoked, malformed or invalid"
                " for other reasons."
            )
            raise ZendeskError(401, {"error": "invalid_token", "error_description": text})
        return self._people.api_user

    def _count(self) -> None:
        self.count("account", PLANS[self._core.plan])
        rule = request.url_rule.rule if request.url_rule else ""
        limited = _LIMITS.get((request.method, rule))
        if limited is None or not self.limited:
            return
        name, limit = limited
        if name == "tickets-update":
            limit = _SMALL.get(self._core.plan, limit)
            ticket = (request.view_args or {}).get("ticket_id")
            self.count(f"tickets-update-per-user:{ticket}:{g.user['id']}", 30, minutes=10)
        self.count(name, limit)


def _unknown() -> ZendeskError:
    return ZendeskError(401, {"error": "Couldn't authenticate you"})


def _show(response: Response, name: str, window: Window) -> None:
    if name == "account":
        response.headers["x-rate-limit"] = response.headers["ratelimit-limit"] = str(window.limit)
        left = str(window.remaining)
        response.headers["x-rate-limit-remaining"] = response.headers["ratelimit-remaining"] = left
        response.headers["ratelimit-reset"] = str(window.reset_seconds)
        return
    value = f"total={window.limit}; remaining={window.remaining}; resets={window.reset_seconds}"
    response.headers[f"Zendesk-RateLimit-{name}"] = value
