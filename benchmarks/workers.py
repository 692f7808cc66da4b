"""What a second worker brings, and what two of them carry, on PostgreSQL."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import quantiles

from sqlalchemy import func, select
from tqdm import tqdm

from benchmarks.chaos.services import Postgres
from benchmarks.running import DESKCLOCK, BenchmarkError, Workshop, free_ports
from benchmarks.stage import EVENTS, SECRET, SIGN_IN, Helpdesk
from benchmarks.tables import table
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.store.database import Database
from connector.store.migrate import upgrade
from connector.store.tables import evidence, ticket

ACCOUNTS = ("first", "second")
LATENCY_SECONDS = 0.2
PATIENCE_SECONDS = 300.0
PER_SECOND = 100  # tickets of both accounts


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """How long it took some workers to look at the tickets of two accounts."""

    workers: int
    tickets: int
    #: from the first answer that was stored to the last
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """Tickets that came at a steady rate, and the times from accepted to written, sorted."""

    tickets: int
    rate: float
    seconds: Sequence[float]


class _Hall:
    """Two local helpdesks, one database and any number of workers."""

    def __init__(self, workshop: Workshop, postgres: Postgres, latency: float) -> None:
        self.workshop = workshop
        self._latency = latency
        self._web_port, *ports = free_ports(3)
        self.database = Database(postgres.url)
        upgrade(self.database)
        self.desks = {
            name: Helpdesk("zendesk", f"http://127.0.0.1:{port}")
            for name, port in zip(ACCOUNTS, ports, strict=True)
        }
        self._environment = {
            "DESKCLOCK_DATABASE_URL": postgres.url,
            "DESKCLOCK_CONFIG": str(workshop.folder / "deskclock.yaml"),
            "DESKCLOCK_PORT": str(self._web_port),
            "DESKCLOCK_LOG_LEVEL": "warning",
            "DESKCLOCK_LOG_FORMAT": "json",
        }
        self._write_accounts()
        for name in ACCOUNTS:
            self._start_desk(name)

    def _write_accounts(self) -> None:
        accounts = {
            name: {
                "helpdesk": "zendesk",
                "base_url": desk.url,
                "sign_in": SIGN_IN["zendesk"],
                "webhook": {"secrets": [SECRET]},
                "policy": "user-support",
                "time_zone": "Europe/London",
                "mode": "own_fields",
            }
            for name, desk in self.desks.items()
        }
        path = self.workshop.folder / "deskclock.yaml"
        path.write_text(json.dumps({"accounts": accounts}), encoding="utf-8")  # JSON is YAML

    def _start_desk(self, name: str) -> None:
        desk, hook = self.desks[name], f"http://127.0.0.1:{self._web_port}/webhooks/{name}"
        command = [*DESKCLOCK, "sandbox", "--helpdesk", "zendesk", "--tickets", "0"]
        command += ["--port", desk.url.rpartition(":")[2], "--plan", "unlimited", "--job", "0.2s"]
        command += ["--data-dir", str(self.workshop.folder / name)]
        command += ["--faults", f"latency={self._latency * 1000:g}ms"]
        self.workshop.start(name, command, {"DESKCLOCK_SANDBOX_WEBHOOK_SECRET": SECRET})
        self.workshop.await_answer(name, f"{desk.url}/_sandbox/")
        desk.control("POST", "webhooks", {"url": hook, "secret": SECRET, "subscriptions": EVENTS})

    def start_web(self) -> None:
        self.workshop.start("web", [*DESKCLOCK, "web"], self._environment)
        self.workshop.await_answer("web", f"http://127.0.0.1:{self._web_port}/healthz")

    def start_workers(self, count: int, *, threads: int) -> list[str]:
        names = [f"worker {number + 1}" for number in range(count)]
        for name in names:
            more = {
                "DESKCLOCK_WORKER_THREADS": str(threads),
                "DESKCLOCK_DATA_DIR": str(self.workshop.folder / name.replace(" ", "-")),
            }
            self.workshop.start(name, [*DESKCLOCK, "worker"], self._environment | more)
        return names

    def written(self) -> int:
        with self.database.read() as conn:
            query = select(func.count()).where(ticket.c.written_fingerprint.is_not(None))
            return conn.scalar(query) or 0

    def await_written(self, count: int) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while self.written() < count:
            self.workshop.check()
            if time.monotonic() > until:
                raise BenchmarkError(f"{self.written()} of {count} tickets were written in time")
            time.sleep(0.2)


@contextmanager
def _hall(latency: float) -> Iterator[_Hall]:
    with closing(Postgres()) as postgres, Workshop() as workshop:
        hall = _Hall(workshop, postgres, latency)
        try:
            yield hall
        finally:
            hall.database.dispose()


def _drain(workers: int, each: int) -> Drained:
    """Two accounts with tickets that are due, and workers that drain one account at a time."""
    with _hall(LATENCY_SECONDS) as hall:
        for name, desk in hall.desks.items():
            wish = {"count": each, "share_open": 1, "share_closed": 0, "share_history": 0}
            last = desk.control("POST", "bulk", wish)["last_id"]
            ids = [str(one) for one in range(last - each + 1, last + 1)]
            with hall.database.write() as conn:
                request_look(conn, name, ids, Rank.HINT)
        hall.start_workers(workers, threads=1)
        hall.await_written(2 * each)
        with hall.database.read() as conn:
            first, last = conn.execute(
                select(func.min(evidence.c.at), func.max(evidence.c.at)).where(
                    evidence.c.kind.in_(("evaluated", "written"))
                )
            ).one()
        return Drained(workers=workers, tickets=2 * each, seconds=last - first)


def _carry(seconds: float) -> Carried:
    """Tickets at a steady rate for two workers; the helpdesks answer at once."""
    with _hall(0.0) as hall:
        hall.start_workers(2, threads=4)
        hall.start_web()
        _create(hall, PER_SECOND, "warming up")
        hall.await_written(PER_SECOND)
        begun, count = time.monotonic(), int(PER_SECOND * seconds)
        _create(hall, count, "two workers")
        rate = count / (time.monotonic() - begun)
        hall.await_written(PER_SECOND + count)
        columns = evidence.c
        written = (
            select(columns.account, columns.ticket_id, func.min(columns.at).label("at"))
            .where(columns.kind == "written")
            .group_by(columns.account, columns.ticket_id)
            .subquery()
        )
        query = (
            select(written.c.at - ticket.c.created)
            .join(
                ticket,
                (ticket.c.account == written.c.account)
                & (ticket.c.ticket_id == written.c.ticket_id),
            )
            .order_by(ticket.c.created)
            .offset(PER_SECOND)
        )
        with hall.database.read() as conn:
            times = sorted(conn.scalars(query))
        return Carried(tickets=count, rate=rate, seconds=times)


def _create(hall: _Hall, count: int, text: str) -> None:
    """Create tickets at the steady rate, however long one takes."""
    desks = list(hall.desks.values())

    def one(number: int) -> None:
        new = {"subject": f"Ticket {number}", "requester": f"customer{number % 50}@sandbox.test"}
        desks[number % len(desks)].control("POST", "tickets", new)

    begun, made = time.monotonic(), []
    with ThreadPoolExecutor(8) as pool:
        for number in tqdm(range(count), desc=text, leave=False, disable=None):
            time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
            made.append(pool.submit(one, number))
        for future in made:
            future.result()


def measure(*, quick: bool) -> str:
    """Both measurements, as tables."""
    each = 1_000 if quick else 3_000
    one, two = _drain(1, each), _drain(2, each)
    carried = _carry(10.0 if quick else 60.0)
    percentiles = quantiles(carried.seconds, n=100)
    return "\n".join(
        [
            "Two accounts drained on PostgreSQL by workers of one thread each, "
            f"{LATENCY_SECONDS * 1000:g} ms before each answer of the helpdesk (aim: about half)",
            "",
            table(
                ("workers", "tickets", "seconds", "ratio"),
                [(it.workers, it.tickets, it.seconds, it.seconds / one.seconds)
                 for it in (one, two)],
            ),
            "",
            "From webhook accepted to written, two workers on PostgreSQL, "
            f"{PER_SECOND} tickets a second",
            "",
            table(
                ("tickets", "per s", "p50 s", "p99 s"),
                [(carried.tickets, carried.rate, percentiles[49], percentiles[98])],
            ),
        ]
    )  # fmt: skip
