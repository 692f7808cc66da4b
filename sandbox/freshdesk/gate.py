"""Who may call the local Freshdesk, and how often: the API key, credits and sub-limits."""

import base64
import binascii
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, g, request

from sandbox.core import Core
from sandbox.freshdesk.errors import FreshdeskError, denied, not_signed_in, refused
from sandbox.freshdesk.switches import Switches
from sandbox.limits import UNLIMITED, Window
from sandbox.state import Doc

API_KEY = "sandbox"
_HOUR = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Credits per `minutes` of the account, and the calls of some endpoints."""

    total: int
    create: int = UNLIMITED
    update: int = UNLIMITED
    tickets: int = UNLIMITED
    contacts: int = UNLIMITED
    minutes: int = 1


PLANS: Mapping[str, Plan] = {
    "unlimited": Plan(total=UNLIMITED),
    "free": Plan(total=0),
    "trial": Plan(total=50),
    "growth": Plan(total=200, create=80, update=80, tickets=20, contacts=20),
    "pro": Plan(total=400, create=160, update=160, tickets=100, contacts=100),
    "enterprise": Plan(total=700, create=280, update=280, tickets=200, contacts=200),
    "addon-1000": Plan(total=1000, create=400, update=400, tickets=300, contacts=300),
    "addon-2000": Plan(total=2000, create=800, update=800, tickets=400, contacts=400),
    # of long standing, by the minute and by the hour; without limits per endpoint
    "blossom": Plan(total=100),
    "garden": Plan(total=200),
    "estate": Plan(total=400),
    "forest": Plan(total=700),
    "hourly-3000": Plan(total=3000, minutes=_HOUR),
    "hourly-5000": Plan(total=5000, minutes=_HOUR),
}
_LIST = "/api/v2/tickets"
_SUB_LIMITS: Mapping[tuple[str, str], tuple[str, Callable[[Plan], int]]] = {
    ("POST", _LIST): ("create", lambda plan: plan.create),
    ("PUT", _LIST + "/<int:ticket_id>"): ("update", lambda plan: plan.update),
    ("GET", _LIST): ("list", lambda plan: plan.tickets),
    ("GET", "/api/v2/contacts"): ("contacts", lambda plan: plan.contacts),
}
_ADMIN = (
    "agents",
    "business_hours",
    "sla_policies",
    "email_configs",
    "email",
    "admin",
    "automations",
)
_LOGIN_LOCKED = "Maximum number of failed login attempts has been reached."
_SUSPENDED = "Your account has been suspended."


def refuse(retry_after: int | None) -> Response:
    """429, without a body."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Response(status=429, headers=headers)


class Meter:
    """The account's credits, for calls and for webhooks."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.plan = PLANS[core.plan]

    def take(self, cost: int) -> Window:
        """Count credits of the account; 0 only looks."""
        return self.take_from("all", self.plan.total, cost, minutes=self.plan.minutes)

    def take_from(self, bucket: str, limit: int, cost: int, *, minutes: int = 1) -> Window:
        """Count calls of one endpoint."""
        return self._core.limiter.take(bucket, limit, cost=cost, minutes=minutes)


class Door:
    """Signs callers in and counts their credits."""

    def __init__(self, meter: Meter, api_user: Doc, switches: Callable[[], Switches]) -> None:
        self._meter = meter
        self._api_user = api_user
        self._switches = switches
        self._wrong_logins = 0
        self._draw = random.Random(1)  # noqa: S311

    def enter(self) -> None:
        """Before each call: sets `g.user`. Raises FreshdeskError for 401, 403, 406 and 429."""
        g.window, g.cost, switches = None, self._cost(), self._switches()
        g.link = switches.link
        if switches.suspended:
            raise denied("account_suspended", _SUSPENDED)
        self._sign_in(switches)
        self._count(switches)
        if "Accept" in request.headers and not request.accept_mimetypes.accept_json:
            raise FreshdeskError(406, None)
        self._authorize(switches)

    def enter_nowhere(self) -> None:
        """Before each request: a call that the API does not have is signed in and counted too."""
        if _is_nowhere():
            self.enter()

    def leave_nowhere(self, response: Response) -> Response:
        """After each request: the vendor's headers for a call that the API does not have."""
        return self.leave(response) if _is_nowhere() else response

    def leave(self, response: Response) -> Response:
        """After each call: the vendor's headers."""
        response.headers["X-Freshdesk-Api-Version"] = "latest=v2; requested=v2"
        response.headers["X-Request-Id"] = str(uuid.uuid4())
        window: Window | None = g.get("window")
        style = self._switches().rate_headers
        if window is not None and style != "none":
            shown = float if style == "floats" else int
            response.headers["X-Ratelimit-Total"] = str(shown(window.limit))
            response.headers["X-Ratelimit-Remaining"] = str(shown(window.remaining))
            response.headers["X-Ratelimit-Used-CurrentRequest"] = str(shown(g.cost))
        return response

    def _sign_in(self, switches: Switches) -> None:
        if not _knows(request.headers.get("Authorization", "")):
            self._wrong_logins += 1
            if self._wrong_logins > switches.lockout_after:
                raise denied("password_lockout", _LOGIN_LOCKED)
            raise not_signed_in()
        self._wrong_logins = 0
        user = self._api_user
        if user["deactivated"] or not user["api_key_enabled"]:
            raise not_signed_in() if switches.disabled_key_status == 401 else denied()
        g.user = user

    def _authorize(self, switches: Switches) -> None:
        parts = request.path.removeprefix("/api/v2/").split("/")
        is_own = parts[:2] == ["agents", "me"]
        if switches.key_role == "agent" and parts[0] in _ADMIN and not is_own:
            raise denied()
        if _is_list() and self._draw.random() < switches.list_403_share:
            raise denied()

    def _count(self, switches: Switches) -> None:
        meter = self._meter
        g.window = meter.take(0)
        rule = request.url_rule.rule if request.url_rule else ""
        sub = _SUB_LIMITS.get((request.method, rule))
        if sub is not None:
            cost = g.cost if switches.sub_limits_count == "credits" else 1
            _admit(meter.take_from(sub[0], sub[1](meter.plan), cost), switches)
        g.window = meter.take(g.cost)
        _admit(g.window, switches)

    def _cost(self) -> int:
        embedded = len([part for part in request.args.get("include", "").split(",") if part])
        return 1 + embedded * (2 if _is_list() else 1)


def _admit(window: Window, switches: Switches) -> None:
    if not window.allowed:
        wait = window.reset_seconds if switches.retry_after else None
        raise refused(wait, has_body=switches.refusal_body == "json")


def _is_nowhere() -> bool:
    return request.routing_exception is not None and request.path.startswith("/api/")


def _is_list() -> bool:
    rule = request.url_rule.rule if request.url_rule else ""
    return request.method == "GET" and rule == _LIST


def _knows(header: str) -> bool:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        text = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return text.partition(":")[0] == API_KEY
