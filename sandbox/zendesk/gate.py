"""Who may call the local Zendesk, and how often: sign-in, scopes, roles, rate limits."""

import base64
import binascii
import json
from collections.abc import Callable

from flask import Response, g, request

from sandbox.core import Core
from sandbox.state import Doc
from sandbox.zendesk import quotas
from sandbox.zendesk.access import OPEN, role_may, scopes_for
from sandbox.zendesk.errors import ZendeskError, forbidden, invalid_endpoint
from sandbox.zendesk.oauth import OAuth, missing_scope
from sandbox.zendesk.people import People
from sandbox.zendesk.quotas import PLANS, quota_of
from sandbox.zendesk.switches import Switches

__all__ = ["PLANS", "Door", "refuse"]

API_TOKEN = "sandbox"  # noqa: S105 - public, guards nothing
_ANONYMOUS = ("/api/v2/users/me",)
_SIGN_IN = "/oauth/"


def refuse(retry_after: int | None) -> Response:
    """429 as an injected fault shows it: JSON with a Retry-After, plain text without one."""
    text = quotas.in_words(quotas.ACCOUNT)
    if retry_after is None:
        return Response(text, status=429, content_type="text/plain")
    body = json.dumps({"error": "APIRateLimitExceeded", "description": text})
    headers = {"Retry-After": str(retry_after)}
    return Response(body, status=429, content_type="application/json", headers=headers)


class Door:
    """Signs callers in, checks what they may do, and counts calls against the plan."""

    def __init__(
        self, core: Core, people: People, oauth: OAuth, switches: Callable[[], Switches]
    ) -> None:
        self._core = core
        self._people = people
        self._oauth = oauth
        self._switches = switches

    def enter(self) -> None:
        """Before each call: sets `g.user` and `g.token`. Raises ZendeskError 401, 403 and 429."""
        g.windows = []
        g.user = g.token = None
        if self._core.state.setting("suspended"):
            raise _suspended(self._switches().suspended_status)
        if request.path.startswith(_SIGN_IN):
            self.count(quotas.ACCOUNT, PLANS[self._core.plan])
            return
        if request.path in _ANONYMOUS and not _signs_in():
            return
        g.user = self._signed_in(request.headers.get("Authorization", ""))
        self._count()
        self._check_rights()

    def leave(self, response: Response) -> Response:
        """After each call: the vendor's rate-limit headers."""
        for name, window in g.get("windows", []):
            quotas.show(response, name, window)
        return response

    def count(self, bucket: str, limit: int, *, cost: int = 1, minutes: int = 1) -> None:
        """Count against a bucket. Raises ZendeskError 429 when it is used up."""
        window = self._core.limiter.take(bucket, limit, cost=cost, minutes=minutes)
        g.windows.append((bucket, window))
        if window.allowed:
            return
        text = quotas.in_words(bucket)
        body = {"error": "APIRateLimitExceeded", "description": text}
        plain = self._switches().refusal_body == "text"
        headers = {"Retry-After": str(window.reset_seconds)}
        raise ZendeskError(429, body, headers=headers, text=text if plain else None)

    def count_updates(self, cost: int = 1) -> None:
        """Count updates of tickets in the bucket that agents share."""
        if self.limited:
            self.count(quotas.UPDATES, quotas.UPDATE_QUOTA.on(self._core.plan), cost=cost)

    @property
    def limited(self) -> bool:
        """Whether the plan has limits."""
        return self._core.plan != "unlimited"

    def _signed_in(self, header: str) -> Doc:
        scheme, _, credentials = header.partition(" ")
        match scheme.lower():
            case "basic":
                user = self._by_api_token(credentials)
            case "bearer":
                user = self._by_access_token(credentials)
            case _:
                raise _unknown()
        if user["suspended"]:
            status = self._switches().deactivated_status
            raise _unknown() if status == 401 else forbidden("User is suspended")
        return user

    def _by_api_token(self, credentials: str) -> Doc:
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _unknown() from error
        name, _, secret = text.partition(":")
        user = self._people.by_email(name.removesuffix("/token"))
        if not name.endswith("/token") or secret != API_TOKEN or user is None:
            raise _unknown()
        if not self._switches().api_tokens:
            raise _unknown()
        return user

    def _by_access_token(self, credentials: str) -> Doc:
        g.token = self._oauth.token(credentials)
        if g.token is None:
            text = (
                "The access token provided is expired, revoked, malformed or invalid"
                " for other reasons."
            )
            raise ZendeskError(401, {"error": "invalid_token", "error_description": text})
        return self._people.users[g.token["user_id"]]

    def _check_rights(self) -> None:
        method, path = request.method, request.path
        if g.token is not None and path not in OPEN:
            needed = scopes_for(method, path, fields_scope=self._switches().fields_scope)
            missing = missing_scope(g.token["scope"], needed)
            if missing is not None:
                text = f"You are missing the following required scopes: {missing}"
                raise ZendeskError(403, {"error": "Forbidden", "description": text})
        if not role_may(g.user["role"], method, path):
            raise forbidden(
                "You do not have access to this page. Please contact the account owner of this"
                " help desk for further help."
            )

    def _count(self) -> None:
        self.count(quotas.ACCOUNT, PLANS[self._core.plan])
        rule = request.url_rule.rule if request.url_rule else ""
        if not self.limited:
            return
        quota = quota_of(request.method, rule)
        tags = rule.endswith("<int:ticket_id>/tags") and request.method in quotas.TAG_METHODS
        if tags and self._switches().tags_in_update_bucket:
            quota = quotas.UPDATE_QUOTA
        if quota is None:
            return
        if quota.name == quotas.UPDATES:
            self._count_for_ticket((request.view_args or {})["ticket_id"])
        self.count(quota.name, quota.on(self._core.plan), minutes=quota.minutes)

    def _count_for_ticket(self, ticket_id: int) -> None:
        bucket = f"update:{ticket_id}:{g.user['id']}"
        window = self._core.limiter.take(
            bucket, quotas.PER_TICKET, minutes=quotas.PER_TICKET_MINUTES
        )
        if window.allowed:
            return
        text = "You have exceeded the rate limit for updating a single unique ticket by one user."
        body = {"error": "APIRateLimitExceeded", "description": text}
        if self._switches().ticket_refusal_body == "text":
            raise ZendeskError(429, body, text=text)
        headers = {"Retry-After": str(window.reset_seconds)}
        raise ZendeskError(429, body, headers=headers)


def _signs_in() -> bool:
    """Whether a token is shown: without one, and with any password, a caller is anonymous."""
    given = request.authorization
    if given is not None and given.type == "basic":
        return (given.username or "").endswith("/token")
    return "Authorization" in request.headers


def _unknown() -> ZendeskError:
    return ZendeskError(401, {"error": "Couldn't authenticate you"})


def _suspended(status: int) -> ZendeskError:
    if status == 404:
        return invalid_endpoint()
    return forbidden("This account has been suspended")
