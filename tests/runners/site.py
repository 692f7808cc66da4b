"""A site: helpdesks over real HTTP, an accounts file that names them, processes that serve them."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML
from sqlalchemy import select

from commands.demo import deskclock
from connector.settings import Settings
from connector.store import tables
from connector.store.database import Database, now
from sandbox.application import Settings as Helpdesk
from sandbox.application import build
from sandbox.server import serving

ROOT = Path(__file__).parents[2]
KINDS = ("zendesk", "freshdesk")
SIGN_IN = {
    "zendesk": {"client_id": "sandbox", "client_secret": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
SECRET = "a-secret-of-the-tests"  # nothing real
PATIENCE = 180.0  # seconds; only a failure takes that long


def eventually(what: str, found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as it gives something."""
    end = time.monotonic() + PATIENCE
    while not (result := found()):
        assert time.monotonic() < end, f"did not come: {what}"
        time.sleep(0.05)
    return result


class Site:
    """Helpdesks by account, an accounts file that names them, and a data directory.

    An account's name begins with the kind of its helpdesk.
    """

    def __init__(
        self, folder: Path, urls: Mapping[str, str], *, sign_in: Any = None, **settings: Any
    ) -> None:
        self.folder, self.urls = folder, urls
        self.session = requests.Session()
        self.session.trust_env = False
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = folder / "deskclock.yaml"
        accounts = {
            name: {
                "helpdesk": kind_of(name),
                "base_url": url,
                "sign_in": dict((sign_in or SIGN_IN)[kind_of(name)]),
                "webhook": {"secrets": [SECRET]},
                "policy": "user-support",
                "time_zone": "Europe/London",
                "mode": "own_fields",
            }
            for name, url in urls.items()
        }
        YAML().dump({"accounts": accounts}, self.config)
        self.settings = Settings(
            data_dir=folder / "data", config=self.config, port=self.port, **settings
        )
        self._database: Database | None = None

    @property
    def database(self) -> Database:
        self._database = self._database or Database(self.settings.database)
        return self._database

    def control(self, name: str, method: str, path: str, json: Any = None) -> Any:
        url = f"{self.urls[name]}/_sandbox/{path}"
        return self.session.request(method, url, json=json, timeout=10).json()

    def connect_webhooks(self) -> None:
        for name in self.urls:
            url = f"http://127.0.0.1:{self.port}/webhooks/{name}"
            self.control(name, "POST", "webhooks", {"url": url, "secret": SECRET})

    def create(self, name: str) -> str:
        body = {"subject": "Printer on fire", "channel": "web", "priority": "high"}
        return str(self.control(name, "POST", "tickets", body)["id"])

    def enriched(self) -> set[tuple[str, str]]:
        return {
            (name, str(ticket["id"]))
            for name in self.urls
            for ticket in self.control(name, "GET", "tickets")["tickets"]
            if "sla_sev_high" in ticket["tags"]
        }

    def asked(self, name: str, path: str) -> int:
        counts = self.control(name, "GET", "requests")["counts"]
        return sum(n for name, n in counts.items() if path in name)

    def sent(self) -> int:
        counts = [self.control(name, "GET", "requests")["counts"] for name in self.urls]
        return sum(
            n for one in counts for name, n in one.items() if not name.startswith(("GET", "POST"))
        )

    def rows(self, table: Any) -> list[dict[str, Any]]:
        with self.database.read() as conn:
            return [dict(row._mapping) for row in conn.execute(select(table))]

    def at_rest(self) -> bool:
        """Whether every ticket waits for nothing but its timer."""
        with self.database.read() as conn:
            at = now(conn)
        return all(
            row["attempts"] == 0 and row["open_intent"] is None and (row["look_at"] or 9e9) > at
            for row in self.rows(tables.ticket)
        )

    def start(self, command: str, **more: str) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "DESKCLOCK_DATA_DIR": str(self.settings.data_dir),
            "DESKCLOCK_CONFIG": str(self.config),
            "DESKCLOCK_DATABASE_URL": self.settings.database_url,
            "DESKCLOCK_BROKER_URL": self.settings.broker_url,
            "DESKCLOCK_PORT": str(self.port),
            "DESKCLOCK_LOG_LEVEL": "error",
        } | more
        return subprocess.Popen([*deskclock(), command], env=environment, cwd=ROOT)

    def is_ready(self) -> bool:
        try:
            address = f"http://127.0.0.1:{self.port}/readyz"
            return self.session.get(address, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def close(self) -> None:
        self.session.close()
        self.database.dispose()


def kind_of(name: str) -> str:
    """The kind of helpdesk that an account of a site is at."""
    return name.split("-")[0]


@contextmanager
def helpdesks(*names: str) -> Iterator[dict[str, str]]:
    """A helpdesk for each account; their addresses by account."""
    with ExitStack() as stack:
        urls = {}
        for name in names:
            app = build(Helpdesk(helpdesk=kind_of(name), job_seconds=0.05, tickets=0))
            urls[name] = stack.enter_context(serving(app)).url
        yield urls
