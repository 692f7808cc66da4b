"""A real sandbox helpdesk with a real deskclock beside it, as processes of this machine."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import case, func, select

from benchmarks.running import DESKCLOCK, BenchmarkError, Workshop, free_ports
from connector.settings import MINUTE
from connector.store.database import Database, now
from connector.store.tables import account as account_table
from connector.store.tables import ticket
from sandbox.freshdesk.rules import ON_CREATION, ON_UPDATE
from sandbox.zendesk.hooks import EVENT_NAMES, PREFIX

ACCOUNT = "bench"
SECRET = "not-a-secret-but-a-benchmark"
POLICY = "user-support"
SIGN_IN = {
    "zendesk": {"client_id": "sandbox", "client_secret": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
_BASIC = {
    "zendesk": ("agent@sandbox.test/token", "sandbox"),
    "freshdesk": ("sandbox", "X"),
}
# No custom field is mapped as an input, so that changes of those (mostly ours) are not asked for.
EVENTS = [PREFIX + name for name in EVENT_NAMES if name != "custom_field_changed"]
TOLD = ("status", "priority", "ticket_type", "group")
_TIMEOUT = 900.0  # seconds; a large load is one request


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is to be connected with what."""

    helpdesk: str
    mode: str
    time_zone: str
    #: how long a bulk job of the local Zendesk takes, seconds
    job_seconds: float = 0.2
    policy: str = POLICY
    #: the vendor's plan, whose limits hold
    plan: str = "unlimited"
    #: length of a minute of those limits, seconds, on both sides
    minute_seconds: float = MINUTE
    #: how the helpdesk counts it: fixed, aligned or sliding
    windows: str = "fixed"
    #: before each call, seconds
    latency: float = 0.0
    #: whether the helpdesk tells of every change, its own API's too
    tells: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How many tickets deskclock knows, and how they stand."""

    known: int
    #: due now, or in a bulk write that has not come back
    busy: int
    #: looked at, and a number that moves with every look
    evaluated: int
    latest: float
    parked: int


class Helpdesk:
    """A running sandbox: its controls, and its API as a customer of the vendor calls it."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url

    def control(self, method: str, path: str, document: object = None) -> Any:
        """One call of the sandbox's own controls."""
        return _call(requests.Session(), method, f"{self.url}/_sandbox/{path}", document)

    def session(self) -> requests.Session:
        """A session that is signed in to the API; one for each thread."""
        made = requests.Session()
        made.trust_env = False
        made.auth = _BASIC[self.kind]
        return made

    def api(self, session: requests.Session, path: str) -> Any:
        """GET a path of the API."""
        return _call(session, "GET", f"{self.url}{path}")


def _call(session: requests.Session, method: str, url: str, document: object = None) -> Any:
    answer = session.request(
        method,
        url,
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
        timeout=_TIMEOUT,
    )
    if not answer.ok:
        raise BenchmarkError(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
    return answer.json()


class Stage:
    """Starts the processes in a workshop, and looks at what they have stored."""

    def __init__(self, workshop: Workshop, scene: Scene) -> None:
        self.scene = scene
        self._workshop = workshop
        self._web_port, sandbox_port = free_ports(2)
        self.helpdesk = Helpdesk(scene.helpdesk, f"http://127.0.0.1:{sandbox_port}")
        self.data_dir = workshop.folder / "data"
        self._sandbox_port = sandbox_port
        self._database: Database | None = None

    @property
    def webhook_url(self) -> str:
        """Where deliveries go."""
        return f"http://127.0.0.1:{self._web_port}/webhooks/{ACCOUNT}"

    @property
    def sandbox_file(self) -> Path:
        """The SQLite file of the sandbox."""
        return self.data_dir / f"sandbox-{self.scene.helpdesk}.sqlite3"

    @property
    def database(self) -> Database:
        """deskclock's database."""
        if self._database is None:
            path = self.data_dir / "deskclock.sqlite3"
            self._database = Database(f"sqlite:///{path}")
        return self._database

    def start_sandbox(self) -> None:
        """Start the helpdesk, without tickets; a policy of the benchmarks is put in its place."""
        own = policy_file(self.scene.policy)
        if own.exists():
            self.write_policy(own.read_text(encoding="utf-8"))
        command = [*DESKCLOCK, "sandbox", "--helpdesk", self.scene.helpdesk, "--tickets", "0"]
        command += ["--port", str(self._sandbox_port), "--data-dir", str(self.data_dir)]
        command += ["--job", f"{self.scene.job_seconds:g}s", "--plan", self.scene.plan]
        command += ["--minute", f"{self.scene.minute_seconds:g}s", "--windows", self.scene.windows]
        command += ["--faults", f"latency={self.scene.latency * 1000:g}ms"]
        if self.scene.tells:
            command += ["--webhook", self.webhook_url]
        self._workshop.start("sandbox", command, {"DESKCLOCK_SANDBOX_WEBHOOK_SECRET": SECRET})
        self._workshop.await_answer("sandbox", f"{self.helpdesk.url}/_sandbox/")
        if self.scene.tells and self.scene.helpdesk == "zendesk":
            hook = {"url": self.webhook_url, "secret": SECRET, "subscriptions": EVENTS}
            self.helpdesk.control("POST", "webhooks", hook)

    def add_rules(self) -> None:
        """Have Freshdesk tell of what people do and not of our writes, as our README advises."""
        action = {
            "field_name": "trigger_webhook",
            "request_type": "POST",
            "content_type": "JSON",
            "content_layout": "2",
            "url": self.webhook_url,
            "content": {"ticket_id": "{{ticket.id}}", "event": "{{triggered_event}}"},
            "custom_headers": {"X-Webhook-Secret": SECRET},
        }
        events = [{"field_name": name, "from": "--", "to": "--"} for name in TOLD]
        events += [{"field_name": name, "value": "--"} for name in ("reply_sent", "note_type")]
        rules = {
            ON_CREATION: {"name": "created", "actions": [action]},
            ON_UPDATE: {"name": "changed", "actions": [action], "performer": {"type": 3}}
            | {"events": events},
        }
        session = self.helpdesk.session()
        for kind, rule in rules.items():
            url = f"{self.helpdesk.url}/api/v2/automations/{kind}/rules"
            _call(session, "POST", url, rule)

    def start_deskclock(self, *, clock_check_seconds: float = 0.5) -> None:
        """Start web and worker. The sandbox must answer already."""
        environment = self._environment(clock_check_seconds)
        self._workshop.start("worker", [*DESKCLOCK, "worker"], environment)
        self._workshop.start("web", [*DESKCLOCK, "web"], environment)
        self._workshop.await_answer("web", f"http://127.0.0.1:{self._web_port}/readyz")

    def start_worker(self) -> None:
        """Start the worker alone."""
        self._workshop.start("worker", [*DESKCLOCK, "worker"], self._environment(60.0))

    def start_backfill(self) -> None:
        """Start `deskclock sync --full`: the worker itself where none runs; it ends when done."""
        command = [*DESKCLOCK, "sync", ACCOUNT, "--full", "--restart"]
        self._workshop.start("sync", command, self._environment(60.0))

    def tagged(self) -> int:
        """How many tickets bear our tags, by the sandbox's file: watching makes no call."""
        query = "SELECT count(*) FROM objects WHERE kind='ticket' AND doc LIKE '%\"sla_s%'"
        uri = f"file:{self.sandbox_file}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as file:
            return int(file.execute(query).fetchone()[0])

    def forget(self) -> None:
        """Delete deskclock's database, as if it were set up anew beside the same helpdesk."""
        self.database.dispose()
        for path in self.data_dir.glob("deskclock.sqlite3*"):
            path.unlink()
        self._database = None

    def write_policy(self, text: str) -> None:
        """Put the scene's policy where deskclock looks for it first."""
        folder = self.data_dir / "policies"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.scene.policy}.yaml").write_text(text, encoding="utf-8")

    def _environment(self, clock_check_seconds: float) -> dict[str, str]:
        config = write_account(self._workshop.folder, self.scene, self.helpdesk)
        return {
            "DESKCLOCK_DATA_DIR": str(self.data_dir),
            "DESKCLOCK_CONFIG": str(config),
            "DESKCLOCK_PORT": str(self._web_port),
            "DESKCLOCK_CLOCK_CHECK_SECONDS": f"{clock_check_seconds:g}",
            "DESKCLOCK_LOG_FORMAT": "json",
            "DESKCLOCK_LOG_LEVEL": "warning",
        }

    def progress(self) -> Progress:
        """How far deskclock is. Raises `BenchmarkError` when a process has ended."""
        self._workshop.check()
        columns = ticket.c
        with self.database.read() as conn:
            due = columns.look_at.is_not(None) & (columns.look_at <= now(conn))
            busy = (due & columns.parked.is_(None)) | columns.open_intent.is_not(None)
            row = conn.execute(
                select(
                    func.count(),
                    func.count(case((busy, 1))),
                    func.count(columns.evaluated_at),
                    func.coalesce(func.max(columns.evaluated_at), 0.0),
                    func.count(columns.parked),
                ).where(columns.account == ACCOUNT)
            ).one()
        return Progress(known=row[0], busy=row[1], evaluated=row[2], latest=row[3], parked=row[4])

    def clock_offset(self) -> float:
        """The helpdesk's clock minus ours as deskclock applies it, seconds."""
        with self.database.read() as conn:
            return float(conn.scalar(select(account_table.c.clock_offset)) or 0.0)

    def reasons(self) -> dict[str, str]:
        """Why tickets were parked or left alone, by ticket id."""
        query = select(ticket.c.ticket_id, ticket.c.last_error).where(
            ticket.c.last_error.is_not(None)
        )
        with self.database.read() as conn:
            return {row.ticket_id: row.last_error for row in conn.execute(query)}

    def states(self) -> dict[str, dict[str, Any]]:
        """The evaluations that deskclock stores, by ticket id."""
        query = select(ticket.c.ticket_id, ticket.c.evaluation)
        with self.database.read() as conn:
            return {row.ticket_id: row.evaluation or {} for row in conn.execute(query)}


def policy_file(name: str) -> Path:
    """Where a policy lies that is only for benchmarks."""
    return Path(__file__).with_name(f"{name}.yaml")


def write_account(folder: Path, scene: Scene, helpdesk: Helpdesk) -> Path:
    """The accounts file for one account on the sandbox."""
    path = folder / "deskclock.yaml"
    account: dict[str, Any] = {
        "helpdesk": scene.helpdesk,
        "base_url": helpdesk.url,
        "sign_in": SIGN_IN[scene.helpdesk],
        "webhook": {"secrets": [SECRET]},
        "policy": scene.policy,
        "time_zone": scene.time_zone,
        "mode": scene.mode,
        "limits": {"minute_seconds": scene.minute_seconds},
    }
    # JSON is YAML
    path.write_text(json.dumps({"accounts": {ACCOUNT: account}}), encoding="utf-8")
    return path
