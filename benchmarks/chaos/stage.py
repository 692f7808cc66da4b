"""Several local helpdesks and one deskclock that serves them all, as processes to be killed."""

import json
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import func, select

from benchmarks.chaos.desk import Deed, read_record
from benchmarks.chaos.processes import Mortals
from benchmarks.chaos.services import Postgres, Redis, Service
from benchmarks.chaos.trial import Trial
from benchmarks.running import DESKCLOCK, free_ports
from benchmarks.stage import EVENTS, SECRET, SIGN_IN, Helpdesk, Scene
from connector.store.database import Database, now
from connector.store.tables import account as account_table
from connector.store.tables import delivery, note, sync, ticket

KINDS = ("zendesk", "freshdesk")
POLICIES = {"zendesk": "user-support", "freshdesk": "plain"}
TIME_ZONE = "Europe/London"
# Minutes of the helpdesks, by which they repeat a failed delivery: after 0.3, 1.7 and 10 s on
# Zendesk, 1.5, 9 and 18 s on Freshdesk; some come back in time and some are given up.
MINUTE_SECONDS = {"zendesk": 20.0, "freshdesk": 0.3}
SYNC_SECONDS = 3.0
CLOCK_CHECK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One account: its helpdesk, and what is promised there."""

    name: str
    helpdesk: Helpdesk
    scene: Scene
    record: Path

    def deeds(self) -> list[Deed]:
        """All that was done to its tickets."""
        return read_record(self.record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far deskclock is with one account."""

    known: int
    #: due now, or in a bulk write that has not come back
    busy: int
    #: private notes that are still to be written
    notes: int
    parked: int
    #: when the sync last came to the end, and when that is now, by the database's clock
    synced_at: float
    now: float
    #: why nothing is done for the account; empty: it is well
    trouble: str


class Stage:
    """Starts everything, and looks at what deskclock has stored."""

    def __init__(self, trial: Trial, processes: Mortals, stack: ExitStack) -> None:
        self._trial = trial
        self.processes = processes
        self.folder = processes.folder
        self.services: list[Service] = []
        self._url = f"sqlite:///{self.folder / 'data' / 'deskclock.sqlite3'}"
        self._broker = ""
        if trial.database == "postgres":
            postgres = Postgres()
            stack.callback(postgres.close)
            self._url = postgres.url
            self.services.append(postgres)
        if trial.runner == "cluster":
            redis = Redis()
            stack.callback(redis.close)
            self._broker = redis.url
            self.services.append(redis)
        (self._web_port, *ports) = free_ports(1 + trial.accounts)
        self.accounts = [self._account(number, port) for number, port in enumerate(ports)]
        self.web = f"http://127.0.0.1:{self._web_port}"
        self.database = Database(self._url)
        stack.callback(self.database.dispose)

    @property
    def victims(self) -> list[str]:
        """The processes that are killed."""
        return ["web", *self._workers]

    @property
    def _workers(self) -> list[str]:
        return [f"worker {number + 1}" for number in range(self._trial.workers)]

    def _account(self, number: int, port: int) -> Account:
        kind = KINDS[number % len(KINDS)]
        name = f"{kind}-{number // len(KINDS) + 1}"
        return Account(
            name=name,
            helpdesk=Helpdesk(kind, f"http://127.0.0.1:{port}"),
            scene=Scene(
                helpdesk=kind,
                mode="own_fields",
                time_zone=TIME_ZONE,
                policy=POLICIES[kind],
                minute_seconds=MINUTE_SECONDS[kind],
            ),
            record=self.folder / f"{name}.jsonl",
        )

    def start(self) -> None:
        """Start the helpdesks and then deskclock; returns when it answers."""
        for one in self.accounts:
            self._start_desk(one)
        self._write_files()
        environment = self.environment
        for name in self._workers:
            self.processes.employ(name, [*DESKCLOCK, "worker"], environment)
        self.processes.employ("web", [*DESKCLOCK, "web"], environment)
        self.processes.await_answer("web", f"{self.web}/readyz")

    def _start_desk(self, one: Account) -> None:
        kind, hook = one.helpdesk.kind, f"{self.web}/webhooks/{one.name}"
        command = [sys.executable, "-m", "benchmarks.chaos.desk", "--helpdesk", kind]
        command += ["--port", one.helpdesk.url.rpartition(":")[2], "--seed", str(self._trial.seed)]
        command += ["--folder", str(self.folder / one.name), "--record", str(one.record)]
        command += ["--minute", f"{MINUTE_SECONDS[kind]:g}", "--webhook", hook]
        root = str(Path(__file__).parents[2])
        self.processes.start(one.name, command, {"CHAOS_SECRET": SECRET, "PYTHONPATH": root})
        self.processes.await_answer(one.name, f"{one.helpdesk.url}/_sandbox/")
        if kind == "zendesk":
            (known,) = one.helpdesk.control("GET", "webhooks")["webhooks"]
            one.helpdesk.control("DELETE", f"webhooks/{known['id']}")
            config = {"url": hook, "secret": SECRET, "subscriptions": EVENTS}
            one.helpdesk.control("POST", "webhooks", config)

    def _write_files(self) -> None:
        data = self.folder / "data"
        (data / "policies").mkdir(parents=True)
        for path in Path(__file__).parent.glob("*.yaml"):
            (data / "policies" / path.name).write_text(path.read_text("utf-8"), "utf-8")
        accounts = {
            one.name: {
                "helpdesk": one.helpdesk.kind,
                "base_url": one.helpdesk.url,
                "sign_in": SIGN_IN[one.helpdesk.kind],
                "webhook": {"secrets": [SECRET]},
                "policy": one.scene.policy,
                "time_zone": TIME_ZONE,
                "mode": one.scene.mode,
                "limits": {"minute_seconds": one.scene.minute_seconds},
                "sync": {"every_seconds": SYNC_SECONDS},
                "notes": {"at_risk": True, "breached": True},
            }
            for one in self.accounts
        }
        # JSON is YAML
        self._config.write_text(json.dumps({"accounts": accounts}), encoding="utf-8")

    @property
    def _config(self) -> Path:
        return self.folder / "deskclock.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every process of deskclock."""
        environment = {
            "DESKCLOCK_DATA_DIR": str(self.folder / "data"),
            "DESKCLOCK_DATABASE_URL": self._url,
            "DESKCLOCK_CONFIG": str(self._config),
            "DESKCLOCK_PORT": str(self._web_port),
            "DESKCLOCK_CLOCK_CHECK_SECONDS": f"{CLOCK_CHECK_SECONDS:g}",
            "DESKCLOCK_LOG_FORMAT": "json",
        }
        if self._broker:
            environment["DESKCLOCK_BROKER_URL"] = self._broker
        return environment

    def answers(self) -> Counter[str]:
        """The calls that the helpdesks have answered, by status."""
        found: Counter[str] = Counter()
        for one in self.accounts:
            found.update(one.helpdesk.control("GET", "requests")["statuses"])
        return found

    def calls(self) -> int:
        """How many that are."""
        return self.answers().total()

    def standing(self, one: Account) -> Standing:
        """How far deskclock is. Raises `StoreError` while the database is away."""
        columns = ticket.c
        with self.database.read() as conn:
            at = now(conn)
            due = columns.look_at.is_not(None) & (columns.look_at <= at)
            busy = (due & columns.parked.is_(None)) | columns.open_intent.is_not(None)
            row = conn.execute(
                select(
                    func.count(),
                    func.count().filter(busy),
                    func.count(columns.parked),
                ).where(columns.account == one.name)
            ).one()
            notes = conn.scalar(
                select(func.count()).where(
                    note.c.account == one.name, note.c.state.in_(("due", "sending"))
                )
            )
            synced_at = conn.scalar(
                select(sync.c.ended_at).where(sync.c.account == one.name, sync.c.feed == "changes")
            )
            account = conn.execute(
                select(account_table.c.state, account_table.c.last_error).where(
                    account_table.c.name == one.name
                )
            ).first()
        well = account is not None and account.state == "ok"
        trouble = "" if well or account is None else f"{account.state}: {account.last_error}"
        return Standing(
            known=row[0], busy=row[1], notes=notes or 0, parked=row[2],
            synced_at=synced_at or 0.0, now=at, trouble=trouble,
        )  # fmt: skip

    def clock_offset(self, one: Account) -> float:
        """The helpdesk's clock minus the database's as deskclock applies it, seconds."""
        where = account_table.c.name == one.name
        with self.database.read() as conn:
            return float(conn.scalar(select(account_table.c.clock_offset).where(where)) or 0.0)

    def remembered(self, one: Account) -> set[str]:
        """The ids of the deliveries that deskclock has stored."""
        query = select(delivery.c.delivery_id).where(delivery.c.account == one.name)
        with self.database.read() as conn:
            return set(conn.scalars(query))

    def hints(self, one: Account) -> dict[str, int]:
        """How often a look was asked for, by ticket id."""
        query = select(ticket.c.ticket_id, ticket.c.wanted).where(ticket.c.account == one.name)
        with self.database.read() as conn:
            return {row.ticket_id: row.wanted for row in conn.execute(query)}

    def notes(self, one: Account) -> list[tuple[str, str]]:
        """Ticket id and marker of every private note that is known to be written."""
        query = select(note.c.ticket_id, note.c.marker).where(
            note.c.account == one.name, note.c.state == "written"
        )
        with self.database.read() as conn:
            return [(row.ticket_id, row.marker) for row in conn.execute(query)]

    def reasons(self, one: Account) -> dict[str, str]:
        """Why tickets were parked or failed, by ticket id."""
        query = select(ticket.c.ticket_id, ticket.c.parked, ticket.c.last_error).where(
            ticket.c.account == one.name
        )
        with self.database.read() as conn:
            return {
                row.ticket_id: row.parked or row.last_error
                for row in conn.execute(query)
                if row.parked or row.last_error
            }

    def is_ready(self) -> bool:
        """Whether deskclock says that it can do its work."""
        try:
            return requests.get(f"{self.web}/readyz", timeout=10).status_code == 200
        except requests.RequestException:
            return False
