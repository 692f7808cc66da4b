"""Who may call the local Freshdesk, and how often: the API key, credits and sub-limits."""

import base64
import binascii
import uuid
from collections.abc import Mapping

from flask import Response, g, request

from sandbox.core import Core
from sandbox.freshdesk.errors import FreshdeskError, not_signed_in
from sandbox.limits import UNLIMITED, Window
from sandbox.state import Doc

API_KEY = "sandbox"
# Calls per minute: all, create, update, list of tickets, list of contacts.
PLANS: Mapping[str, tuple[int, int, int, int]] = {
    "unlimited": (UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED),
    "trial": (50, 50, 50, 50),
    "growth": (200, 80, 80, 20),
    "pro": (400, 160, 160, 100),
    "enterprise": (700, 280, 280, 200),
    "addon-1000": (1000, 400, 400, 300),
    "addon-2000": (2000, 800, 800, 400),
}
_SUB_LIMITS = {
    ("POST", "/api/v2/tickets"): ("create", 1),
    ("PUT", "/api/v2/tickets/<int:ticket_id>"): ("update", 2),
    ("GET", "/api/v2/tickets"): ("list", 3),
}


def refuse(retry_after: int | None) -> Response:
    """429, without a body."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Response(status=429, headers=headers)


class Door:
    """Signs callers in and counts their credits."""

    def __init__(self, core: Core, api_user: Doc) -> None:
        self._core = core
        self._api_user = api_user

    def enter(self) -> None:
        """Before each call: sets `g.user`. Raises FreshdeskError for 401 and 429."""
        g.window, g.cost = None, self._cost()
        if not self._knows(request.headers.get("Authorization", "")):
            raise not_signed_in()
        g.user = self._api_user
        self._count()

    def leave(self, response: Response) -> Response:
        """After each call: the vendor's headers."""
        response.headers["X-Freshdesk-Api-Version"] = "latest=v2; requested=v2"
        response.headers["X-Request-Id"] = str(uuid.uuid4())
        window: Window | None = g.get("window")
        if window is not None:
            response.headers["X-Ratelimit-Total"] = str(window.limit)
            response.headers["X-Ratelimit-Remaining"] = str(window.remaining)
            response.headers["X-Ratelimit-Used-CurrentRequest"] = str(g.cost)
        return response

    def _knows(self, header: str) -> bool:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return text.partition(":")[0] == API_KEY

    def _count(self) -> None:
        plan = PLANS[self._core.plan]
        rule = request.url_rule.rule if request.url_rule else ""
        sub = _SUB_LIMITS.get((request.method, rule))
        if sub is not None:
            self._take(sub[0], plan[sub[1]], 1)
        g.window = self._take("all", plan[0], g.cost)

    def _take(self, bucket: str, limit: int, cost: int) -> Window:
        window = self._core.limiter.take(bucket, limit, cost=cost)
        if not window.allowed:
            raise FreshdeskError(429, None, headers={"Retry-After": str(window.reset_seconds)})
        return window

    def _cost(self) -> int:
        embedded = len([part for part in request.args.get("include", "").split(",") if part])
        listing = request.url_rule is not None and request.url_rule.rule == "/api/v2/tickets"
        return 1 + embedded * (2 if listing else 1)
