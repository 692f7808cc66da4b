"""Real processes on ground of a test's choosing: a local helpdesk, one account, web and worker."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import requests
from sqlalchemy import select

from connector.store import tables
from connector.store.database import Database
from connector.store.migrate import upgrade
from connector.store.secrets import Keys, StoredVault
from sandbox.application import Settings, build
from sandbox.server import serving

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds
SECRET = "a-long-and-shared-secret"
ACCOUNT = "acme"
DESKCLOCK = (sys.executable, "-c", "from commands import main; main()")
SIGN_IN = {
    "freshdesk": "{api_key: sandbox}",
    "zendesk": "{client_id: sandbox, client_secret: sandbox, flow: code}",
}
CONFIG = """\
accounts:
  acme:
    helpdesk: {kind}
    base_url: {url}
    sign_in: {sign_in}
    webhook: {{secrets: [{secret}]}}
    policy: user-support
    time_zone: Europe/London
    mode: own_fields
    sync: {{every_seconds: 3600}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ground:
    """One helpdesk, and deskclock processes that know it; leaving it ends all of them."""

    def __init__(self, folder: Path, kind: str = "freshdesk", **environment: str) -> None:
        self.folder, self.kind = folder, kind
        self.data = folder / "data"
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if "DESKCLOCK" not in name},
            "DESKCLOCK_DATA_DIR": str(self.data),
            "DESKCLOCK_CONFIG": str(folder / "deskclock.yaml"),
            "DESKCLOCK_PORT": str(self.port),
            "DESKCLOCK_CLOCK_CHECK_SECONDS": "0.5",
            **environment,
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        desk = Settings(helpdesk=self.kind, tickets=0)
        self.helpdesk = self._stack.enter_context(serving(build(desk))).url
        facts = {"kind": self.kind, "sign_in": SIGN_IN[self.kind], "secret": SECRET}
        text = CONFIG.format(url=self.helpdesk, **facts)
        (self.folder / "deskclock.yaml").write_text(text)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    # --- processes ---------------------------------------------------------------------------

    def start(self, *names: str, code: Path = ROOT, prefix: tuple[str, ...] = ()) -> None:
        """Start `deskclock web` or `worker`, of any version of the code; wait until it is up."""
        for name in names:
            with self._log(name).open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [*prefix, *DESKCLOCK, name],
                    cwd=code,
                    env={**self.environment, "PYTHONPATH": str(code)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        for name in names:
            up = self._serves if name == "web" else lambda: "worker started" in self.log("worker")
            self.until(up)

    def _serves(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def stop(self, *names: str) -> None:
        ending = [self.running.pop(name) for name in names or list(self.running)]
        for process in ending:
            process.send_signal(signal.SIGTERM)
        for process in ending:
            try:
                process.wait(30)
            finally:
                process.kill()

    def refused(self, *words: str, prefix: tuple[str, ...] = (), code: int = 1) -> str:
        """What a command says that ends with an error by itself."""
        ran = subprocess.run(
            [*prefix, *DESKCLOCK, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    def log(self, name: str) -> str:
        return self._log(name).read_text()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def until(self, true: Callable[[], object]) -> None:
        """Wait until it is so; nothing that runs may end meanwhile."""
        end = time.monotonic() + PATIENCE
        while not true():
            ended = [name for name, one in self.running.items() if one.poll() is not None]
            assert not ended, "\n".join(map(self.log, ended))
            assert time.monotonic() < end, "\n".join(map(self.log, self.running))
            time.sleep(0.05)

    def sign_in(self) -> None:
        """Store what Zendesk gives to a person who lets us in."""
        asked = {"grant_type": "client_credentials", "scope": "read write"}
        asked |= {"client_id": "sandbox", "client_secret": "sandbox"}
        answer = requests.post(f"{self.helpdesk}/oauth/tokens", json=asked, timeout=10)
        pair = {"client_id": "sandbox", "address": self.helpdesk, "refresh_token": None}
        pair |= {"access_token": answer.json()["access_token"], "scope": "read write"}
        database = Database(self.url)
        upgrade(database)
        vault = StoredVault(database, ACCOUNT, Keys("", self.data))
        vault.write("oauth", {**pair, "expires_at": 9e9, "ends_at": 9e9})
        database.dispose()

    # --- tickets -----------------------------------------------------------------------------

    def control(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.helpdesk}/_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def create(self) -> str:
        wanted = {"subject": "Printer on fire", "description": "It burns.", "priority": "high"}
        return str(self.control("tickets", **wanted)["id"])

    def reply(self, ticket_id: str) -> None:
        self.control(f"tickets/{ticket_id}/reply", **{"as": "agent", "body": "We are on it."})

    def tell(self, ticket_id: str) -> requests.Response:
        """The webhook of a ticket, as Freshdesk sends it."""
        return requests.post(
            f"http://127.0.0.1:{self.port}/webhooks/{ACCOUNT}",
            json={"ticket_id": ticket_id},
            headers={"X-Webhook-Secret": SECRET},
            timeout=30,
        )

    def row(self, ticket_id: str, url: str | None = None) -> Mapping[str, Any]:
        """What is stored of a ticket; nothing where there is no row."""
        database = Database(url or self.url)
        try:
            with database.read() as conn:
                query = select(tables.ticket).where(tables.ticket.c.ticket_id == ticket_id)
                return conn.execute(query).mappings().first() or {}
        finally:
            database.dispose()

    @property
    def url(self) -> str:
        """The address of the database."""
        given = self.environment.get("DESKCLOCK_DATABASE_URL")
        return given or f"sqlite:///{self.data / 'deskclock.sqlite3'}"

    def is_written(self, ticket_id: str) -> bool:
        """Whether the ticket was judged and written to the helpdesk."""
        return self.row(ticket_id).get("written_fingerprint") is not None

    def is_answered(self, ticket_id: str) -> bool:
        """Whether we know that the ticket had its first response."""
        metrics = (self.row(ticket_id).get("evaluation") or {}).get("metrics", ())
        return any(one["metric"] == "first_response" and one["fulfilled_at"] for one in metrics)
