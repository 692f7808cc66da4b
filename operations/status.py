"""The page that shows how deskclock stands, and the same facts as JSON. It shows no ticket's text.

It asks for no sign-in, so it is there only for who sits at this machine.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, abort, jsonify, render_template, request

from connector.errors import StoreError
from connector.store.database import Database
from mappings.explain import utc
from operations import standing
from operations.attention import attention, feed_name, grouped, span, words, worker_is_silent
from operations.standing import Feed, Served

RENEW_SECONDS = 10
# a proxy on this machine would make everybody look local; one that says so is believed
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
MODES = {
    "shadow": "shadow: computes, writes nothing",
    "own_fields": "writes its own fields",
    "native": "writes the helpdesk's own due dates",
}

_log = structlog.get_logger("status")


def blueprint(database: Database, served: Sequence[Served]) -> Blueprint:
    """The routes `/status` and `/status.json`; 503 while the database refuses."""
    made = Blueprint(
        "status",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/status/static",
    )

    @made.before_request
    def only_from_here() -> None:
        if not _is_local():
            abort(404)

    @made.after_request
    def guarded(answer: Response) -> Response:
        answer.headers.update(HEADERS)
        return answer

    @made.errorhandler(StoreError)
    def refused(error: StoreError) -> tuple[str, int]:
        _log.warning("no status", reason=str(error))
        return render_template("refused.html", renew=RENEW_SECONDS), 503

    @made.get("/status")
    def page() -> str:
        now = standing.read(database, served)
        return render_template(
            "status.html",
            now=now,
            items=attention(now),
            worker_is_silent=worker_is_silent(now),
            renew=RENEW_SECONDS,
            modes=MODES,
            words=words,
            span=span,
            feed_name=feed_name,
            progress=progress,
            day=_day,
            grouped=grouped,
            utc=utc,
        )

    @made.get("/status.json")
    def facts() -> Response:
        now = standing.read(database, served)
        attend = [asdict(one) for one in attention(now)]
        return jsonify(_plain(asdict(now)) | {"attention": attend})

    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a reading with a known end has come."""

    tickets: int
    #: about how many there are
    total: int
    per_second: float | None
    #: seconds to the end at this pace
    left_seconds: float | None


def progress(feed: Feed, at: datetime) -> Progress | None:
    """How far a feed has come at an instant since its start; None where its end is not known."""
    total, tickets = int(feed.figures.get("total", 0)), int(feed.figures.get("tickets", 0))
    if total <= 0:
        return None
    seconds = (at - feed.started_at).total_seconds()
    rate = tickets / seconds if seconds > 0 and tickets else None
    left = max(0, total - tickets) / rate if rate else None
    return Progress(tickets=tickets, total=total, per_second=rate, left_seconds=left)


def _is_local() -> bool:
    """Whether the request comes from this machine, by no proxy and for a name of this machine.

    The name matters: a foreign page may point a name of its own at this machine.
    """
    if any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        asked = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return _is_loopback(request.remote_addr) and (asked == "localhost" or _is_loopback(asked))


def _is_loopback(address: str | None) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _day(at: datetime, now: datetime) -> str:
    """An instant for people, in UTC; with its year where that is another."""
    return at.strftime("%a %d %b %H:%M:%S" if at.year == now.year else "%a %d %b %Y %H:%M:%S")


def _plain(value: Any) -> Any:
    """The same as JSON: instants as text."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
