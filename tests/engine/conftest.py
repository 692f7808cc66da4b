"""A local helpdesk over real HTTP, an account wired to it, and a lane that drains it by hand."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from sqlalchemy import Table, select, update

from app import field_mapping
from connector.engine import accounts, schedule
from connector.engine.context import Account
from connector.engine.explaining import explain_ticket
from connector.engine.intake import accept
from connector.engine.lane import Lane
from connector.engine.policies import Choice, as_written
from connector.engine.writes import desired
from connector.helpdesks.base import Hint, Observation
from connector.helpdesks.freshdesk import connect as connect_freshdesk
from connector.helpdesks.zendesk import connect as connect_zendesk
from connector.settings import AccountSettings
from connector.store import tables
from connector.store.database import Database, now
from connector.store.documents import find_contracts, find_policy
from connector.store.migrate import upgrade
from mappings.conditions import EVERY_TICKET, Condition
from mappings.tags import own_tags
from sandbox.application import Settings, build
from sandbox.server import serving

KINDS = ("zendesk", "freshdesk")
CONNECT = {"zendesk": connect_zendesk, "freshdesk": connect_freshdesk}
SIGN_IN = {
    "zendesk": {"email": "agent@sandbox.test", "api_token": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
LOGIN = {"zendesk": ("agent@sandbox.test/token", "sandbox"), "freshdesk": ("sandbox", "X")}
WRITES = ("write", "write_many")
CALLS = (
    "identify",
    "prepare",
    "read",
    "read_many",
    "refresh",
    "history",
    "changes",
    "events",
    "count",
    "oldest_open",
    "jobs",
    "add_note",
    "has_note",
    *WRITES,
)
HOLDER = "test"

D = TypeVar("D", bound=Database)
Tap = Callable[[str, tuple[Any, ...]], None]


def choice(name: str, when: Condition = EVERY_TICKET, folder: Path = Path("nowhere")) -> Choice:
    """A policy by its name or file, with the contracts under `folder`, as an account has it."""
    contracts, problems = find_contracts(folder)
    assert not problems
    source, policy = find_policy(name, folder, contracts, time_zone="Europe/London")
    return Choice(when=when, policy=policy, source=source)


class Tapped:
    """A real helpdesk, watched: `before` and `after` may act or raise around each vendor call."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.before: Tap = lambda name, arguments: None
        self.after: Tap = lambda name, arguments: None
        self.called: list[str] = []
        self.plans: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name not in CALLS:
            return found

        def call(*arguments: Any) -> Any:
            self.called.append(name)
            if name in WRITES:
                plans = arguments[0]
                self.plans += plans if isinstance(plans, Sequence) else [plans]
            self.before(name, arguments)
            answer = found(*arguments)
            self.after(name, arguments)
            return answer

        return call

    def once(self, name: str, action: Callable[[], None], *, before: bool = False) -> None:
        """Do `action` around the next call of this name."""
        pending = [action]

        def tap(called: str, _: tuple[Any, ...]) -> None:
            if called == name and pending:
                pending.pop()()

        setattr(self, "before" if before else "after", tap)

    def always(self, name: str, error: Callable[[], Exception]) -> None:
        """Raise before every call of this name."""

        def tap(called: str, _: tuple[Any, ...]) -> None:
            if called == name:
                raise error()

        self.before = tap

    def heal(self) -> None:
        """Do nothing any more."""
        self.before = self.after = lambda name, arguments: None


class Desk:
    """One helpdesk, our account there, and what a test does with both."""

    def __init__(self, kind: str, url: str, app: Any, database: Database, mode: str) -> None:
        self.kind, self.url, self.app, self.database = kind, url, app, database
        self.session = requests.Session()
        self.session.trust_env = False
        self.mapping = field_mapping(kind, None)
        self.helpdesk = Tapped(self.connect(mode=mode))
        choices = [choice("user-support")]
        self.account = Account(
            name="acme",
            kind=kind,
            helpdesk=self.helpdesk,
            assignments=as_written(choices),
            mode=mode,
            own_tags=own_tags([one.policy for one in choices], "sla_"),
        )
        with database.write() as conn:
            accounts.register(conn, "acme", kind)

    def connect(self, **changed: Any) -> Any:
        settings = AccountSettings.model_validate(
            {
                "name": "acme",
                "helpdesk": self.kind,
                "base_url": self.url,
                "policy": "user-support",
                "sign_in": SIGN_IN[self.kind],
            }
            | changed
        )
        return CONNECT[self.kind](settings, self.mapping, sleep=lambda seconds: None)

    # --- the helpdesk's side -----------------------------------------------------------------

    def control(self, method: str, path: str, json: Any = None) -> Any:
        answer = self.session.request(method, f"{self.url}/_sandbox/{path}", json=json, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def api(self, method: str, path: str, json: Any = None) -> Any:
        answer = self.session.request(
            method, f"{self.url}/api/v2{path}", json=json, auth=LOGIN[self.kind], timeout=10
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def create(self, **named: Any) -> str:
        wanted = {"subject": "Printer on fire", "description": "It burns.", "priority": "high"}
        return str(self.control("POST", "tickets", wanted | {"channel": "web"} | named)["id"])

    def edit(self, ticket_id: str, **changes: Any) -> None:
        self.control("POST", f"tickets/{ticket_id}", changes)

    def reply(self, ticket_id: str, by: str = "agent") -> None:
        self.control("POST", f"tickets/{ticket_id}/reply", {"as": by, "body": "We are on it."})

    def delete(self, ticket_id: str) -> None:
        self.control("DELETE", f"tickets/{ticket_id}")

    def advance(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance_seconds": seconds})

    def faults(self, **faults: float) -> None:
        self.control("POST", "faults", {name.lstrip("_"): share for name, share in faults.items()})

    def spec(self, spec: str) -> None:
        self.control("POST", "faults", {"spec": spec})

    def requests(self) -> dict[str, int]:
        return dict(self.control("GET", "requests")["counts"])

    def forget_requests(self) -> None:
        self.control("DELETE", "requests")

    def sent(self) -> int:
        """Requests since the last `forget_requests` that could have changed something."""
        return sum(n for name, n in self.requests().items() if not name.startswith("GET"))

    def wait_for_jobs(self) -> None:
        """Until the helpdesk has carried out every bulk write that it was sent."""
        state, end = self.app.extensions["sandbox"].state, time.monotonic() + 10
        while state.count("job", shelf="open"):
            assert time.monotonic() < end, "a job does not end"
            time.sleep(0.005)

    # --- our side ----------------------------------------------------------------------------

    def hint(
        self,
        *ticket_ids: str,
        actor: str | None = None,
        own: str | None = None,
        seen: Sequence[Observation] = (),
    ) -> None:
        with self.database.write() as conn:
            for one in ticket_ids:
                hint = Hint(ticket_id=one, actor_id=actor, observations=tuple(seen))
                accept(conn, "acme", hint, own_user_id=own)

    def echo(self, *ticket_ids: str) -> None:
        """What our own write sends back."""
        own = self.helpdesk.real.identify().user_id
        self.hint(*ticket_ids, actor=own, own=own)

    def lane(self, holder: str = HOLDER, **parts: Any) -> Lane | None:
        database = parts.get("database", self.database)
        lease = self.database.run(lambda conn: accounts.acquire(conn, "acme", holder))
        if lease is None:
            return None
        account = parts.get("account", self.account)
        monotonic = parts.get("monotonic", time.monotonic)
        return Lane(database, account, lease, threading.Event(), monotonic)

    def drain(self, **parts: Any) -> None:
        """Until nothing is due; what fails is met as the worker meets it."""
        lane = self.lane(**parts)
        assert lane is not None, "the account is held or leased"
        lane.drain()

    def drain_until_quiet(self) -> None:
        """Until no ticket and no bulk write waits for anything but its timer."""
        for _ in range(10):
            self.wait_for_jobs()
            self.hurry()
            self.drain()
            waiting = [one for one in self.rows() if one["attempts"] or one["open_intent"]]
            if not waiting:
                return
        pytest.fail(f"still not at rest: {waiting}")

    def drain_if_due(self) -> None:
        with self.database.read() as conn:
            due = schedule.is_due(conn, "acme")
        if due:
            self.drain()

    def enrich(self, *ticket_ids: str) -> None:
        self.hint(*ticket_ids)
        self.drain()

    def look(self, *ticket_ids: str) -> None:
        """As `enrich`, and no earlier backoff stands in the way."""
        self.hint(*ticket_ids)
        self.hurry()
        self.drain()

    def rows(self, table: Table = tables.ticket) -> list[dict[str, Any]]:
        with self.database.read() as conn:
            return [dict(row._mapping) for row in conn.execute(select(table))]

    def row(self, ticket_id: str) -> dict[str, Any]:
        return next(row for row in self.rows() if row["ticket_id"] == ticket_id)

    def account_row(self) -> dict[str, Any]:
        return self.rows(tables.account)[0]

    def evidence(self, ticket_id: str, kind: str | None = None) -> list[Any]:
        return [
            row["body"] if kind else row["kind"]
            for row in self.rows(tables.evidence)
            if row["ticket_id"] == ticket_id and kind in (None, row["kind"])
        ]

    def change(self, table: Table = tables.ticket, **values: Any) -> None:
        with self.database.write() as conn:
            conn.execute(update(table).values(**values))

    def hurry(self) -> None:
        """What waits for its time is due: backoffs, quiet periods, settling, holds."""
        with self.database.write() as conn:
            columns = tables.ticket.c
            due = columns.look_at.is_not(None)
            soon = columns.echo_at.is_not(None)
            conn.execute(update(tables.ticket).values(not_before=0))
            conn.execute(update(tables.ticket).where(due, soon).values(look_at=now(conn) - 1))
            conn.execute(update(tables.intent).values(settle_at=0))
            conn.execute(update(tables.account).values(held_until=0))

    def now_due(self, ticket_id: str) -> None:
        with self.database.write() as conn:
            where = tables.ticket.c.ticket_id == ticket_id
            conn.execute(update(tables.ticket).where(where).values(look_at=now(conn), not_before=0))

    def right(self, ticket_id: str, database: Database | None = None) -> bool:
        """Whether exactly what an evaluation of this moment wants stands in the ticket."""
        account = replace(self.account, helpdesk=self.helpdesk.real)
        evaluation = explain_ticket(database or self.database, account, ticket_id)
        reading = self.helpdesk.real.read(ticket_id)
        return self.helpdesk.real.plan(reading, desired(evaluation, account)) is None

    def stands(self, ticket_id: str) -> Any:
        """The ticket as the helpdesk shows it: our fields by our names, and all tags."""
        return self.helpdesk.real.read(ticket_id)

    def metric(self, ticket_id: str, name: str) -> dict[str, Any]:
        found = self.row(ticket_id)["evaluation"]["metrics"]
        return next(dict(one) for one in found if one["metric"] == name)


Opener = Callable[..., Desk]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables; to copy it is faster than to migrate."""
    path = tmp_path_factory.mktemp("template") / "deskclock.sqlite3"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.dispose()
    return path


@pytest.fixture
def sqlite(template: Path, tmp_path: Path) -> Iterator[Database]:
    made = blank(template, tmp_path / "own.sqlite3")
    yield made
    made.dispose()


def blank(template: Path, path: Path, kind: type[D] = Database) -> D:  # type: ignore[assignment]
    shutil.copy(template, path)
    return kind(f"sqlite:///{path}")


@pytest.fixture
def open_desk() -> Iterator[Opener]:
    """Serves a helpdesk and opens our account there."""
    with ExitStack() as stack:

        def serve(kind: str, database: Database, mode: str = "own_fields", **settings: Any) -> Desk:
            given: dict[str, Any] = {"helpdesk": kind, "job_seconds": 0, "tickets": 0}
            given |= settings
            served = stack.enter_context(serving(build(Settings(**given))))
            desk = Desk(kind, served.url, served.app, database, mode)
            stack.callback(desk.session.close)
            if kind == "freshdesk":
                desk.control("POST", "switches", {"native_seconds": 0})
            return desk

        yield serve


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, open_desk: Opener, sqlite: Database) -> Desk:
    """Each helpdesk, on SQLite."""
    return open_desk(request.param, sqlite)


@pytest.fixture(params=KINDS)
def desk_anywhere(request: pytest.FixtureRequest, open_desk: Opener, database: Database) -> Desk:
    """Each helpdesk, on each database."""
    return open_desk(request.param, database)


@pytest.fixture
def zendesk(open_desk: Opener, sqlite: Database) -> Desk:
    return open_desk("zendesk", sqlite)


@pytest.fixture
def freshdesk(open_desk: Opener, sqlite: Database) -> Desk:
    return open_desk("freshdesk", sqlite)
