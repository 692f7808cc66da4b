"""The way in and out of every API call: faults, the request log, and the moved `Date` header."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request

from sandbox.clock import Clock, http_date
from sandbox.faults import FaultBox, Strike
from sandbox.traffic import Traffic

_API = ("/api/", "/oauth/")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_BAD_GATEWAY = (
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n"
    "<center><h1>502 Bad Gateway</h1></center>\n</body>\n</html>\n"
)
_SERVER_ERROR = (
    "<!DOCTYPE html>\n<html><head><title>500 Internal Server Error</title></head>\n"
    "<body><h1>Something went wrong</h1></body></html>\n"
)
Refusal = Callable[[int | None], Response]


class Gate:
    """Installed once per app; `refuse` makes the vendor's 429 with or without a Retry-After."""

    def __init__(self, clock: Clock, faults: FaultBox, traffic: Traffic, refuse: Refusal) -> None:
        self._clock = clock
        self._faults = faults
        self._traffic = traffic
        self._refuse = refuse

    def install(self, app: Flask) -> None:
        """Watch every request of the app. To be called before any blueprint is registered."""
        app.before_request(self._enter)
        app.after_request(self._leave)

    def _enter(self) -> Response | None:
        g.started = time.monotonic()
        g.strike = None
        if not request.path.startswith(_API):
            return None
        strike = g.strike = self._faults.strike()
        if strike.latency:
            time.sleep(strike.latency)
        if strike.fault is None or strike.late:
            return None
        g.strike = None
        return self._struck(strike, Response())

    def _leave(self, response: Response) -> Response:
        strike: Strike | None = g.get("strike")
        if strike is not None and strike.fault is not None and strike.late:
            response = self._struck(strike, response)
        if request.path.startswith(_API):
            self._traffic.note(_endpoint(), self._entry(response))
        self._add_headers(response)
        return response

    def _struck(self, strike: Strike, response: Response) -> Response:
        match strike.fault:
            case "refused":
                return self._refuse(1)
            case "refused_bare":
                return self._refuse(None)
            case "error":
                return Response(_SERVER_ERROR, status=500, content_type="text/html")
            case "gateway":
                return Response(_BAD_GATEWAY, status=502, content_type="text/html")
            case "reset":
                _drop_connection(request.environ)
                return Response(status=500)
        response.set_data(response.get_data()[: (response.content_length or 0) // 2])
        return response

    def _entry(self, response: Response) -> dict[str, Any]:
        return {
            "at": self._clock.stamp(),
            "method": request.method,
            "path": request.full_path.rstrip("?"),
            "status": response.status_code,
            "seconds": round(time.monotonic() - g.started, 4),
        }

    def _add_headers(self, response: Response) -> None:
        response.headers["Date"] = http_date(self._clock.now())
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"


def _endpoint() -> str:
    rule = request.url_rule.rule if request.url_rule else "(unknown)"
    for kind in ("int:", "string:"):
        rule = rule.replace(f"<{kind}", "<")
    rule = rule.removeprefix("/api/v2").replace("<", "{").replace(">", "}")
    return f"{request.method} {rule}"


def _drop_connection(environ: dict[str, Any]) -> None:
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
