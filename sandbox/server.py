"""Runs a local helpdesk: under gunicorn for people, in a thread for tests."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import gunicorn.http.wsgi
from flask import Flask
from gunicorn.app.base import BaseApplication
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.application import Settings, build

HOST = "127.0.0.1"


class _MovedDateResponse(gunicorn.http.wsgi.Response):  # type: ignore[misc]
    """Lets the app's own `Date` header stand alone: it shows the moved clock."""

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        # gunicorn drops an app's Date as if it were of the connection, so it is kept aside
        self._moved_date = next((value for name, value in headers if name.lower() == "date"), None)
        super().process_headers(headers)

    def default_headers(self) -> list[str]:
        headers: list[str] = super().default_headers()
        if self._moved_date is None:
            return headers
        others = [line for line in headers if not line.lower().startswith("date:")]
        return [*others, f"Date: {self._moved_date}\r\n"]


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, options: Mapping[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        # In the worker, after the fork: threads and the SQLite connection must not cross it.
        gunicorn.http.wsgi.Response = _MovedDateResponse
        return build(self._settings)


def run(settings: Settings, port: int) -> None:
    """Serve a local helpdesk on 127.0.0.1:`port` until SIGTERM or Ctrl-C."""
    if settings.fresh:
        settings.forget()
    options = {
        "bind": f"{HOST}:{port}",
        "worker_class": "gthread",
        "workers": 1,
        "threads": 32,
        "keepalive": 75,
        "timeout": 0,
        "graceful_timeout": 2,
        "loglevel": "warning",
        "worker_exit": _stop,
        "control_socket_disable": True,
    }
    _Gunicorn(replace(settings, fresh=False), options).run()


def _stop(_server: object, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)
    if isinstance(app, Flask):
        app.extensions["sandbox"].close()


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the status without a `Date` of the server's own: the app sends the moved one."""
        self.send_response_only(code, message)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: the sandbox keeps its own log of requests."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A sandbox that answers at `url`."""

    url: str
    app: Flask


@contextmanager
def serving(app: Flask) -> Iterator[Served]:
    """Serve an app in a thread on a free port of 127.0.0.1, and close its sandbox afterwards."""
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield Served(url=f"http://{HOST}:{server.server_port}", app=app)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["sandbox"].close()
