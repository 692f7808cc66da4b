"""A port of a process that has no web server: for Prometheus and for whoever watches it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask

from connector.errors import SettingsError

SILENCE_SECONDS = 5.0  # whoever asks does so at once


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As in the base class, which asks the name service for our name and may wait for it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_SECONDS

    def log_message(self, *_: object) -> None:
        """Say nothing: it is asked every few seconds."""


@contextmanager
def served(app: Flask, host: str, port: int) -> Iterator[None]:
    """Answer on the port while the context lasts; 0: there is no port. Raises `SettingsError`."""
    if port == 0:
        yield
        return
    try:
        kind = _Server6 if ":" in host else _Server
        server = make_server(host, port, app, server_class=kind, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"DESKCLOCK_WORKER_METRICS_PORT: port {port} of {host} cannot be used ({error}); "
            "choose another, or leave it empty for none"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
