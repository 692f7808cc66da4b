"""The way in and out of every API call: faults, the request log, and the moved `Date` header."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, request

from sandbox.clock import Clock, http_date
from sandbox.faults import Fault, FaultBox, Strike
from sandbox.past import Past
from sandbox.traffic import Call, Traffic

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
_MAINTENANCE = (
    "<!DOCTYPE html>\n<html><head><title>Scheduled maintenance</title></head>\n"
    "<body><h1>We will be back soon</h1></body></html>\n"
)
_GARBAGE = (
    (b"<!DOCTYPE html>\n<html><head><title>Just a moment</title></head></html>\n", "text/html"),
    (b"OK", "text/plain"),
    (b"", "application/json"),
    (b"upstream connect error or disconnect/reset before headers", "application/json"),
    (b"\xff\xfe{\x00\x01", "application/json"),
)
_DROPS = 20
_MOST_BYTES, _CHUNK = 64 * 2**20, 2**16


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusals:
    """How the vendor says no: its 429 for a Retry-After or none, its bodies by other status."""

    too_many: Callable[[int | None], Response]
    bodies: Mapping[int, Mapping[str, Any]]


class Gate:
    """Installed once per app."""

    def __init__(
        self, clock: Clock, faults: FaultBox, traffic: Traffic, past: Past, refusals: Refusals
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._traffic = traffic
        self._past = past
        self._refusals = refusals

    def install(self, app: Flask) -> None:
        """Watch every request of the app. To be called before any blueprint is registered."""
        app.before_request(self._enter)
        app.after_request(self._leave)
        app.teardown_request(lambda _error: self._past.end())

    def _enter(self) -> Response | None:
        g.started = time.monotonic()
        g.strike = None
        if not _body_was_read():
            return Response("Request Entity Too Large\n", status=413, content_type="text/plain")
        if not request.path.startswith(_API):
            return None
        strike = self._faults.strike()
        if strike.faults.latency:
            time.sleep(strike.faults.latency)
        if strike.fault is Fault.STALE:
            if request.method == "GET":
                self._past.begin(strike.faults.stale_seconds)
        elif strike.late:
            g.strike = strike
        elif strike.fault is not None:
            return self._struck(strike, Response())
        return None

    def _leave(self, response: Response) -> Response:
        strike: Strike | None = g.get("strike")
        if strike is not None:
            response = self._struck(strike, response)
        if request.path.startswith(_API):
            self._traffic.note(self._call(response))
        self._add_headers(response)
        return response

    def _struck(self, strike: Strike, response: Response) -> Response:
        """The answer that the fault makes of `response`."""
        match strike.fault:
            case Fault.RESET:
                _drop_connection(request.environ)
                return Response(status=500)
            case Fault.SLOW:
                return _trickling(response, strike.faults.slow_seconds)
            case Fault.TRUNCATE:
                response.set_data(response.get_data()[: (response.content_length or 0) // 2])
                return response
            case Fault.GARBAGE:
                body, content_type = _GARBAGE[int(strike.pick * len(_GARBAGE))]
                return Response(body, status=200, content_type=content_type)
        return self._refused(strike)

    def _refused(self, strike: Strike) -> Response:
        wait = round(strike.faults.retry_after_seconds)
        match strike.fault:
            case Fault.REFUSED:
                return self._refusals.too_many(wait)
            case Fault.REFUSED_BARE:
                return self._refusals.too_many(None)
            case Fault.SIGNED_OUT:
                return self._denied(401)
            case Fault.FORBIDDEN:
                return self._denied(403)
            case Fault.GATEWAY:
                return Response(_BAD_GATEWAY, status=502, content_type="text/html")
            case Fault.MAINTENANCE:
                headers = {"Retry-After": str(wait), "Content-Type": "text/html"}
                return Response(_MAINTENANCE, status=503, headers=headers)
        return Response(_SERVER_ERROR, status=500, content_type="text/html")

    def _denied(self, status: int) -> Response:
        body = json.dumps(self._refusals.bodies[status])
        return Response(body, status=status, content_type="application/json")

    def _call(self, response: Response) -> Call:
        wait = response.headers.get("Retry-After", "")
        return Call(
            endpoint=_endpoint(),
            method=request.method,
            path=request.full_path.rstrip("?"),
            status=response.status_code,
            at=self._clock.stamp(),
            began=g.started,
            ended=time.monotonic(),
            retry_after=float(wait) if wait.isdigit() else None,
        )

    def _add_headers(self, response: Response) -> None:
        response.headers["Date"] = http_date(self._clock.now())
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"


def _body_was_read() -> bool:
    """Read the body whatever the answer will be, for the next request follows on the connection.

    A body that is too long is read and dropped: False.
    """
    if (request.content_length or 0) <= _MOST_BYTES:
        request.max_content_length = _MOST_BYTES  # of a body whose length is not told
        request.get_data()
        return True
    request.max_content_length = None
    while request.stream.read(_CHUNK):
        pass
    return False


def _trickling(response: Response, seconds: float) -> Response:
    body = response.get_data()
    response.headers["Content-Length"] = str(len(body))
    response.response = _drops(body, seconds / _DROPS)
    return response


def _drops(body: bytes, pause: float) -> Iterator[bytes]:
    size = -(-len(body) // _DROPS) or 1
    for start in range(0, len(body), size):
        time.sleep(pause)
        yield body[start : start + size]


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
