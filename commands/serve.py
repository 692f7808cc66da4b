"""`deskclock web` and `deskclock worker`: one process each."""

import os
import signal
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication

from app import create_app, create_runner, worker_pages
from commands.options import CONFIG, DATA_DIR, PORT, process_settings
from commands.supervised import end_with_parent
from connector.runners.embedded import only_worker
from connector.settings import Settings
from connector.store.database import Database
from operations import port, sharing, traces

SILENCE_SECONDS = 5  # a helpdesk sends a delivery at once

log = structlog.get_logger()


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn around `create_app`, which runs after the fork so that no thread crosses it."""

    def __init__(self, settings: Settings, options: Mapping[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        traces.switch_on()
        return create_app(self._settings)


@click.command()
@PORT
@DATA_DIR
@CONFIG
def web(port: int | None, data_dir: Path | None, config: Path | None) -> None:
    """Receive webhooks and answer health checks."""
    end_with_parent()
    settings = process_settings(port=port, data_dir=data_dir, config=config)
    if settings.web_processes > 1:
        sharing.start_again(settings.data_dir, f"web-{settings.port}")
    create_app(settings)  # a mistake in the settings is told here, before anything is forked
    _Gunicorn(settings, gunicorn_options(settings)).run()


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """How webhooks and pages are served: processes side by side, each with threads."""
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": "gthread",
        "workers": settings.web_processes,
        "threads": settings.web_threads,
        "keepalive": 75,
        "graceful_timeout": 8,
        "loglevel": "warning",
        "control_socket_disable": True,
        "when_ready": _hang_up_on_silence,
        "child_exit": _keep_what_it_counted,
    }


def _keep_what_it_counted(_server: Any, ended: Any) -> None:
    sharing.keep(sharing.directory(), ended.pid)


def _hang_up_on_silence(server: Any) -> None:
    """A client that falls silent in the middle of a request may not hold a thread for ever.

    gunicorn's threads block without a limit; what is set here passes on to accepted connections.
    """
    seconds = struct.pack("ll", SILENCE_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)


@click.command()
@DATA_DIR
@CONFIG
def worker(data_dir: Path | None, config: Path | None) -> None:
    """Look at tickets that are due and write what the policy promises."""
    end_with_parent()
    settings = process_settings(data_dir=data_dir, config=config)
    file = Database(settings.database).path
    lock = only_worker(file.parent) if file is not None else None  # PostgreSQL takes several
    running = create_runner(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    traces.switch_on()
    with port.served(
        worker_pages(settings), settings.worker_metrics_host, settings.worker_metrics_port
    ):
        log.info("worker started")
        has_ended = running.run()
    log.info("worker stopped")
    if lock is not None:
        lock.release()
    if not has_ended:  # the interpreter would wait for a call to a helpdesk
        os._exit(0)
