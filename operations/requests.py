"""Every log line of a request says which one, and so does its answer; a span where that is on.

Around the application and not in its hooks: this is passed by every webhook.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any

from flask import Flask
from structlog.types import EventDict

from connector import tracing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WEBHOOKS = "/webhooks/"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_fields: ContextVar[dict[str, str] | None] = ContextVar("request", default=None)


def register(app: Flask) -> None:
    """Give each request of `app` its id: that of a proxy, where one came, or else a new one."""
    app.wsgi_app = _Named(app.wsgi_app)  # type: ignore[assignment]


def named(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Put the request's id, and its caller's trace, into a line that is written during it."""
    for name, value in (_fields.get() or {}).items():
        event.setdefault(name, value)
    return event


class _Named:
    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app
        self._begins, self._numbers = secrets.token_hex(6), count(1)

    def __call__(self, environ: "WSGIEnvironment", answer: "StartResponse") -> Iterable[bytes]:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        parent: str | None = environ.get("HTTP_TRACEPARENT")
        name = given if _ID.fullmatch(given) else f"{self._begins}-{next(self._numbers):x}"
        found = _TRACE.fullmatch(parent) if parent is not None else None
        fields = {"request": name} if found is None else {"request": name, "trace_id": found[1]}

        def named_answer(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            headers.append(("X-Request-Id", name))
            return answer(status, headers, *more)

        before = _fields.set(fields)
        try:
            if tracing.is_on() and environ["PATH_INFO"].startswith(WEBHOOKS):
                return self._traced(environ, named_answer, parent if found else None)
            return self._app(environ, named_answer)
        finally:
            _fields.reset(before)

    def _traced(
        self, environ: "WSGIEnvironment", answer: Callable[..., Any], parent: str | None
    ) -> Iterable[bytes]:
        method, route = environ["REQUEST_METHOD"], f"{WEBHOOKS}<account>"
        about = {"http__route": route, "http__request__method": method}
        with tracing.span(f"{method} {route}", "server", parent=parent, **about) as span:

            def noted(status: str, *more: Any) -> Any:
                span.set_attribute("http.response.status_code", int(status[:3]))
                return answer(status, *more)

            return self._app(environ, noted)
