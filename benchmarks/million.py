"""What a store costs that holds a million tickets: picking what is due, space, and start-up."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import Connection, bindparam, insert, text, update

from benchmarks.evaluate import NO_DATA_DIR, POLICY, ZONE
from benchmarks.running import DESKCLOCK, BenchmarkError, Workshop, free_ports
from benchmarks.tables import table
from connector.engine import accounts, journal, messenger, schedule, stored_ticket
from connector.engine.intake import accept
from connector.engine.journal import Past
from connector.engine.rank import Rank
from connector.engine.watch import Watch
from connector.helpdesks.base import Counters, Hint
from connector.store import tables
from connector.store.database import Database, now, without_limits
from connector.store.documents import find_policy
from connector.store.keys import Keys
from connector.store.migrate import upgrade
from connector.store.retention import Terms, chores
from mappings.answer import as_record
from mappings.evaluate import evaluate
from mappings.ticket import PRIORITY, STATUS, WAITING, Change, Channel, Reply, Ticket
from operations import standing
from operations.standing import Served

TICKETS = 1_000_000
QUICK_TICKETS = 50_000
ACCOUNT = "acme"
DUE = 200  # tickets that wait to be looked at
ROUNDS = 9
SERVER = "postgresql://postgres@127.0.0.1:5432"
AIM_SECONDS = 0.005
DAY = 86_400.0

Ask = Callable[[Connection], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Something that is asked of the store again and again."""

    name: str
    ask: Ask


class _UndoneError(Exception):
    """Takes back what a question has changed."""


def measure(*, quick: bool) -> Iterator[str]:
    """The figures of each database, as texts."""
    tickets = QUICK_TICKETS if quick else TICKETS
    for kind in ("SQLite", "PostgreSQL"):
        with Workshop() as workshop, _address(kind, workshop.folder) as url:
            database = Database(url)
            try:
                found = _of(kind, database, workshop, url, tickets)
            finally:
                database.dispose()
        yield found


@contextmanager
def _address(kind: str, folder: Path) -> Iterator[str]:
    if kind == "SQLite":
        yield f"sqlite:///{folder / 'deskclock.sqlite3'}"
        return
    name = f"bench_{uuid.uuid4().hex}"
    try:
        admin = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        raise BenchmarkError(f"PostgreSQL is not reachable: {error}") from None
    with admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{SERVER}/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _of(kind: str, database: Database, workshop: Workshop, url: str, tickets: int) -> str:
    upgrade(database)
    begun = time.monotonic()
    with database.write() as conn:
        without_limits(conn)
        fill(conn, tickets)
    filled = time.monotonic() - begun
    settle(database)
    idle = [(one.name, "nothing is due", _seconds(database, one)) for one in picking(database)]
    with database.write() as conn:
        make_due(conn, DUE)
    due = [(one.name, f"{DUE} are due", _seconds(database, one)) for one in picking(database)]
    rest = [(one.name, "", _seconds(database, one)) for one in others(database)]
    rows = [(name, when, seconds * 1000) for name, when, seconds in [*idle, *due, *rest]]
    missed = [name for name, _, seconds in [*idle, *due] if seconds > AIM_SECONDS]
    space = [(name, size / tickets) for name, size in _sizes(database)]
    starts = _starts(workshop, url)
    return "\n\n".join(
        [
            f"{kind}, {tickets:,} tickets, filled in {filled:.0f} s; medians of {ROUNDS}",
            table(("question", "while", "ms"), rows),
            f"Longer than {AIM_SECONDS * 1000:.0f} ms to pick: {', '.join(missed) or 'never'}",
            table(("space", "bytes a ticket"), [*space, ("all", sum(one for _, one in space))]),
            table(("start-up", "s"), starts),
        ]
    )


def picking(database: Database) -> list[Question]:
    """What the worker asks many times a second."""
    served: Any = {ACCOUNT: None}  # nothing is overdue, so nobody is asked for the account
    watch = Watch(database, served)
    return [
        Question(
            name="accounts to drain", ask=lambda conn: schedule.accounts_to_drain(conn, [ACCOUNT])
        ),
        Question(name="is any due", ask=lambda conn: schedule.is_due(conn, ACCOUNT)),
        Question(name="how many wait", ask=lambda conn: schedule.waiting(conn, ACCOUNT)),
        Question(name="claim 100", ask=lambda conn: _claim(conn, background_first=False)),
        Question(name="claim 100, old first", ask=lambda conn: _claim(conn, background_first=True)),
        Question(name="watch the timers", ask=lambda _: watch.step(time.monotonic())),
        Question(name="messages to send", ask=lambda conn: messenger.with_due(conn, [ACCOUNT])),
    ]


def others(database: Database) -> list[Question]:
    """What is asked at each webhook, at each look at the page, and by retention."""
    served = [Served(name=ACCOUNT, kind="zendesk", mode="own_fields")]
    terms = Terms(deliveries=14, observations=14, notices=90, evidence=0, tickets=400)
    hint = Hint(ticket_id="77", delivery_id="new")
    found = [
        Question(name="a webhook", ask=lambda conn: accept(conn, ACCOUNT, hint)),
        Question(name="status and metrics", ask=lambda _: standing.read(database, served)),
    ]
    for chore in chores(database, terms, Keys("", NO_DATA_DIR)):
        found.append(Question(name=f"retention: {chore.name}", ask=chore.work))
    return found


def _claim(conn: Connection, *, background_first: bool) -> object:
    return schedule.claim(conn, ACCOUNT, 100, background_first=background_first)


def _seconds(database: Database, question: Question) -> float:
    found = []
    for _ in range(ROUNDS):
        try:
            with database.write() as conn:
                begun = time.perf_counter()
                question.ask(conn)
                found.append(time.perf_counter() - begun)
                raise _UndoneError
        except _UndoneError:
            continue
    return median(found)


# --- the store ----------------------------------------------------------------------------------


def fill(conn: Connection, tickets: int) -> None:
    """Tickets with their history, four lines of evidence and a delivery each; none is due.

    Two of five are over, one in a thousand is parked. The figures of one real evaluation stand in
    all of them; the hashes are of the right length and prove nothing.
    """
    accounts.register(conn, ACCOUNT, "zendesk")
    at = now(conn)
    body, past, seen = (
        bindparam(None, one, type_=tables.ticket.c.evaluation.type) for one in _bodies(at)
    )
    number = _numbers(conn, tickets)
    is_open = "i % 5 > 1"
    values = {"at": at, "account": ACCOUNT}
    _run(
        conn,
        "INSERT INTO ticket (account, ticket_id, look_at, timer_at, wanted, parked,"
        " seen_updated_at, written_fingerprint, evaluation, evaluated_at, state, severity,"
        " next_due_at, is_over, hinted_at, created, requester_id)"
        " SELECT :account, CAST(i AS TEXT),"
        f" CASE WHEN {is_open} THEN :at + 3600 + i % 2592000 END,"
        f" CASE WHEN {is_open} THEN :at + 3600 + i % 2592000 END,"
        " 3, CASE WHEN i % 1000 = 7 THEN 'refused' END, :at - i % 2592000, :hash, :body,"
        f" :at - i % 2592000, 'running', 'high', :at + i % 2592000, NOT ({is_open}),"
        f" :at - i % 2592000, :at - 2592000, CAST(i / 4 AS TEXT) FROM {number}",
        values | {"hash": "f" * 64},
        body=body,
    )
    _run(
        conn,
        "INSERT INTO history (account, ticket_id, body, ticket)"
        f" SELECT :account, CAST(i AS TEXT), :past, CASE WHEN {is_open} THEN :seen END"
        f" FROM {number}",
        values,
        past=past,
        seen=seen,
    )
    _run(
        conn,
        "INSERT INTO evidence (account, ticket_id, at, kind, body, number, salt, digest, hash)"
        f" SELECT :account, CAST(1 + i % {tickets} AS TEXT), :at - 2592000 + i / 4,"
        " CASE WHEN i % 2 = 0 THEN 'evaluated' ELSE 'written' END, :written, i, :salt, :hash,"
        f" :hash FROM {_numbers(conn, 4 * tickets)}",
        values | {"salt": "5" * 32, "hash": "a" * 64},
        written=bindparam(None, _WRITTEN, type_=tables.evidence.c.body.type),
    )
    _run(
        conn,
        "INSERT INTO delivery (account, delivery_id, ticket_id, received_at)"
        f" SELECT :account, 'd' || i, CAST(i AS TEXT), :at - i % 1296000 FROM {number}",
        values,
    )
    conn.execute(insert(tables.chain).values(account=ACCOUNT, number=4 * tickets, hash="a" * 64))


def settle(database: Database) -> None:
    """Let PostgreSQL know what it holds, as it does by itself after a while; SQLite never does."""
    if database.path is None:
        with database.write() as conn:
            without_limits(conn)
            conn.execute(text("ANALYZE"))


def make_due(conn: Connection, count: int) -> None:
    """Tickets that wait, of each rank a part."""
    columns = tables.ticket.c
    for rank in Rank:
        ids = [
            str(3 + 5 * (number + count * (int(rank) + 1))) for number in range(count // len(Rank))
        ]
        conn.execute(
            update(tables.ticket)
            .where(columns.account == ACCOUNT, columns.ticket_id.in_(ids))
            .values(look_at=now(conn) - 1, rank=int(rank))
        )


def _run(conn: Connection, statement: str, values: dict[str, Any], **documents: Any) -> None:
    named = [bindparam(name, one.value, type_=one.type) for name, one in documents.items()]
    conn.execute(text(statement).bindparams(*named), values)


def _numbers(conn: Connection, count: int) -> str:
    if conn.dialect.name == "postgresql":
        return f"generate_series(1, {count}) AS n(i)"
    more = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}"
    return f"(WITH RECURSIVE n(i) AS ({more}) SELECT i FROM n) AS n"


_WRITTEN = {
    "fingerprint": "f" * 64,
    "fields": {"first_response_due_at": "2026-03-06T18:45:00Z", "severity": "sla_f_high"},
    "add_tags": ["sla_first_response_at_risk", "sla_sev_high"],
    "remove_tags": [],
}


def _bodies(at: float) -> tuple[Any, Any, Any]:
    """A real answer, the journal and the ticket behind it."""
    _, policy = find_policy(POLICY, NO_DATA_DIR, (), time_zone=ZONE)
    made = datetime.fromtimestamp(at, UTC) - timedelta(hours=4)
    reply, asked = made + timedelta(hours=1), made + timedelta(hours=2)
    changes = (
        Change(at=asked, field=STATUS, before="open", after="pending"),
        Change(at=asked, field=WAITING, before=None, after="customer"),
    )
    values: dict[str, str | None] = {STATUS: "pending", WAITING: "customer", PRIORITY: "2"}
    replies = (Reply(at=reply), Reply(at=asked))
    one = Ticket(
        id="1", created_at=made, reported_at=made, channel=Channel.PORTAL, values=values,
        replies=replies, changes=changes, known_since=made,
    )  # fmt: skip
    past = Past(
        values=values, counters=Counters(replies=2, comments=3, latest_comment_at=asked),
        changes=changes, replies=replies, known_since=made,
    )  # fmt: skip
    answer = as_record(evaluate(one, policy, datetime.fromtimestamp(at, UTC)))
    return answer, journal.to_body(past), stored_ticket.as_body(one)


# --- space and start-up -------------------------------------------------------------------------


def _sizes(database: Database) -> Sequence[tuple[str, int]]:
    """Bytes of the larger tables, each with its indexes, and of all the rest."""
    with database.read() as conn:
        if database.path is not None:
            total = (conn.scalar(text("PRAGMA page_count")) or 0) * (
                conn.scalar(text("PRAGMA page_size")) or 0
            )
            return [("the file", total)]
        query = text(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
            " ORDER BY 2 DESC LIMIT 5"
        )
        return [(row[0], row[1]) for row in conn.execute(query)]


_CONFIG = """\
accounts:
  acme:
    helpdesk: zendesk
    base_url: http://127.0.0.1:{port}
    sign_in: {{email: agent@sandbox.test, api_token: sandbox}}
    webhook: {{secrets: [secret]}}
    policy: user-support
    time_zone: Europe/London
"""


def _starts(workshop: Workshop, url: str) -> list[tuple[str, float]]:
    """Seconds until web and worker are up, beside those of an empty store."""
    nobody, port = free_ports(2)  # the helpdesk does not answer: a start does not wait for it
    (workshop.folder / "deskclock.yaml").write_text(_CONFIG.format(port=nobody))
    found = []
    for name, address in (
        ("an empty store", f"sqlite:///{workshop.folder / 'empty.sqlite3'}"),
        ("this store", url),
    ):
        made = Database(address)
        upgrade(made)
        made.dispose()
        environment = {
            "DESKCLOCK_DATABASE_URL": address,
            "DESKCLOCK_DATA_DIR": str(workshop.folder),
            "DESKCLOCK_CONFIG": str(workshop.folder / "deskclock.yaml"),
            "DESKCLOCK_PORT": str(port),
        }
        for process in ("web", "worker"):
            found.append((f"{process}, {name}", _start(workshop, process, environment, port)))
    return found


def _start(workshop: Workshop, name: str, environment: dict[str, str], port: int) -> float:
    begun = time.monotonic()
    workshop.start(name, [*DESKCLOCK, name], environment)
    if name == "web":
        workshop.await_answer(name, f"http://127.0.0.1:{port}/healthz")
    else:
        while "worker started" not in workshop.tail(name):
            workshop.check()
            time.sleep(0.02)
    seconds = time.monotonic() - begun
    workshop.stop(name)
    (workshop.folder / f"{name}.log").unlink()
    return seconds
