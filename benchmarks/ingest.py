"""How many webhooks are accepted durably in a second, beside routes that store nothing."""

import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import Connection

from benchmarks.running import DESKCLOCK, BenchmarkError, Workshop, free_ports
from benchmarks.stage import ACCOUNT, SECRET, Helpdesk, Scene, write_account
from benchmarks.tables import table
from connector.engine import accounts
from connector.helpdesks.base import Identity
from connector.store.database import Database
from sandbox.zendesk.hooks import sign

CONNECTIONS = 16
AIM = 0.70
STEADY = 500  # requests a second at which the p99 is to stay under 50 ms
POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/"  # a database of our own is made there
BASIS = "body, HMAC and JSON"
MOST_PER_SECOND = 6_000  # so many requests are prepared for each second
STAMP = "2026-03-02T09:00:00Z"
_WRK_UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one round of requests came to."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failures: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One thing that is measured."""

    name: str
    port: int
    path: str
    method: str = "POST"
    #: it stores what it accepts
    stores: bool = False


def measure(*, seconds: float, rounds: int) -> str:
    """Run all targets in turn, several times; returns the table of the medians."""
    with Workshop() as workshop, _postgresql() as postgresql:
        targets = _serve(workshop, postgresql)
        loads: dict[str, list[Load]] = {target.name: [] for target in targets}
        for _ in range(rounds):
            for target in targets:
                loads[target.name].append(_one(workshop, target, seconds))
                workshop.check()
        steady = {one.name: _steady(workshop, one, seconds) for one in targets if one.stores}
        workshop.stop()  # before the database is dropped
    return _report(targets, loads, steady, seconds, rounds)


@contextmanager
def _postgresql() -> Iterator[str | None]:
    """The address of an empty database; None where no PostgreSQL answers."""
    name = f"deskclock_bench_{uuid.uuid4().hex[:8]}"
    try:
        admin = psycopg.connect(POSTGRESQL + "postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    with admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield POSTGRESQL + name
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _serve(workshop: Workshop, postgresql: str | None) -> list[Target]:
    (peers,) = free_ports(1)
    workshop.start("peers", [sys.executable, "-m", "benchmarks.peers", str(peers)])
    databases = {"SQLite": f"sqlite:///{workshop.folder / 'deskclock.sqlite3'}"}
    if postgresql is not None:
        databases["PostgreSQL"] = postgresql
    targets = [
        Target(name="hello", port=peers, path="/hello", method="GET"),
        Target(name=BASIS, port=peers, path="/check"),
        *(
            _serve_deskclock(workshop, f"deskclock, {kind}{more}", url, count)
            for kind, url in databases.items()
            for count, more in ((1, ""), (2, ", 2 processes"))
        ),
    ]
    workshop.await_answer("peers", f"http://127.0.0.1:{peers}/hello")
    return targets


def _serve_deskclock(workshop: Workshop, name: str, database: str, processes: int) -> Target:
    (port,) = free_ports(1)
    scene = Scene(helpdesk="zendesk", mode="own_fields", time_zone="Europe/London")
    # nothing is read from the helpdesk: only the web process runs
    config = write_account(workshop.folder, scene, Helpdesk("zendesk", "http://127.0.0.1:9"))
    environment = {
        "DESKCLOCK_DATA_DIR": str(workshop.folder / f"data {port}"),
        "DESKCLOCK_DATABASE_URL": database,
        "DESKCLOCK_CONFIG": str(config),
        "DESKCLOCK_PORT": str(port),
        "DESKCLOCK_WEB_PROCESSES": str(processes),
        "DESKCLOCK_LOG_FORMAT": "json",
    }
    workshop.start(name, [*DESKCLOCK, "web"], environment)
    workshop.await_answer(name, f"http://127.0.0.1:{port}/healthz")
    _introduce(Database(database))
    return Target(name=name, port=port, path=f"/webhooks/{ACCOUNT}", stores=True)


def _introduce(database: Database) -> None:
    """Say who we are on the helpdesk, as a worker does at its first call there."""
    identity = Identity(user_id="390000000009", name="deskclock")

    def work(conn: Connection) -> None:
        accounts.register(conn, ACCOUNT, "zendesk")
        accounts.know_ourselves(conn, ACCOUNT, identity)

    database.run(work)
    database.dispose()


def _one(workshop: Workshop, target: Target, seconds: float) -> Load:
    prepared = list(_requests(target, int(seconds * MOST_PER_SECOND)))
    path = workshop.folder / "requests"
    if wrk := shutil.which("wrk"):
        path.write_bytes(b"".join(b"%d\n" % len(one) + one for one in prepared))
        return _with_wrk(wrk, path, target, seconds)
    return _with_client(path, prepared, target, str(CONNECTIONS), str(seconds))


def _steady(workshop: Workshop, target: Target, seconds: float) -> Load:
    """A steady stream; wrk has none, it waits with the next request for the last answer."""
    prepared = list(_requests(target, int(seconds * STEADY) + CONNECTIONS))
    path = workshop.folder / "requests"
    return _with_client(path, prepared, target, str(CONNECTIONS), str(seconds), str(STEADY))


def _with_client(path: Path, prepared: Sequence[bytes], target: Target, *how: str) -> Load:
    path.write_text("".join(json.dumps(one.decode()) + "\n" for one in prepared), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.client", str(target.port), str(path), *how]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Load(**json.loads(answer))


def _requests(target: Target, count: int) -> Iterator[bytes]:
    """So many requests; the deliveries are signed, each about a ticket of its own."""
    head = f"{target.method} {target.path} HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n"
    for number in range(count):
        if target.method == "GET":
            yield f"{head}\r\n".encode()
            continue
        body = json.dumps(_event(1_000_000 + number)).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Zendesk Webhook",
            "Content-Length": str(len(body)),
            "X-Zendesk-Account-Id": "21000001",
            "X-Zendesk-Webhook-Id": "01JBENCHMARK0000000000000",
            "X-Zendesk-Webhook-Invocation-Id": uuid.uuid4().hex,
            "X-Zendesk-Webhook-Signature": sign(SECRET, STAMP, body),
            "X-Zendesk-Webhook-Signature-Timestamp": STAMP,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"{head}{lines}\r\n".encode() + body


def _event(ticket_id: int) -> dict[str, object]:
    """A change of status as Zendesk tells it: the delivery that gives the most to store."""
    number = str(ticket_id)
    return {
        "account_id": 21000001,
        "detail": {
            "actor_id": "390000000001", "assignee_id": "390000000002", "brand_id": "360000000001",
            "created_at": "2026-03-02T08:00:00Z", "custom_status": "900000000002",
            "description": "The export of last month's invoices stops half way. " * 3,
            "external_id": None, "form_id": "360000000002", "group_id": "360000000003",
            "id": number, "is_public": True, "organization_id": "370000000001",
            "priority": "HIGH", "requester_id": "390000000001", "status": "OPEN",
            "subject": "Export of invoices stops", "submitter_id": "390000000001",
            "tags": ["export", "invoices"], "type": "INCIDENT", "updated_at": STAMP,
            "via": {"channel": "email"},
        },
        "event": {"current": "OPEN", "previous": "NEW"},
        "id": str(uuid.uuid4()),
        "subject": f"zen:ticket:{number}",
        "time": "2026-03-02T09:00:00.123456789Z",
        "type": "zen:event-type:ticket.status_changed",
        "zendesk_event_version": "2022-11-06",
    }  # fmt: skip


def _with_wrk(wrk: str, requests: Path, target: Target, seconds: float) -> Load:
    script = Path(__file__).with_name("wrk.lua")
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", str(script)]
    command += [f"http://127.0.0.1:{target.port}", "--", str(requests)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchmarkError(f"wrk failed: {ended.stderr or ended.stdout}")
    return read_wrk(ended.stdout)


def read_wrk(text: str) -> Load:
    """What wrk prints with `--latency`. Raises `BenchmarkError` when that is something else."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    parts = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s|m))$", text, re.MULTILINE))
    if rate is None or len(parts) != 2:
        raise BenchmarkError(f"wrk printed no figures:\n{text}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    failures = int(bad[1]) if bad else 0
    failures += sum(map(int, broken.groups())) if broken else 0
    return Load(
        per_second=float(rate[1]),
        p50_ms=_milliseconds(parts["50"]),
        p99_ms=_milliseconds(parts["99"]),
        failures=failures,
    )


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * _WRK_UNIT[unit]


def _report(
    targets: list[Target],
    loads: dict[str, list[Load]],
    steady: dict[str, Load],
    seconds: float,
    rounds: int,
) -> str:
    rate = {name: median(one.per_second for one in found) for name, found in loads.items()}
    rows = [
        (
            target.name,
            rate[target.name],
            rate[target.name] / rate[BASIS],
            median(one.p50_ms for one in loads[target.name]),
            median(one.p99_ms for one in loads[target.name]),
            steady[target.name].p99_ms if target.stores else None,
            sum(one.failures for one in loads[target.name])
            + (steady[target.name].failures if target.stores else 0),
        )
        for target in targets
    ]
    client = "wrk" if shutil.which("wrk") else "benchmarks.client"
    head = ("served", "req/s", "of the second", "p50 ms", "p99 ms", f"p99 at {STEADY}/s")
    return "\n".join(
        [
            f"Webhooks accepted ({client}, {CONNECTIONS} keep-alive connections, "
            f"median of {rounds} rounds of {seconds:.0f} s; aim: {AIM:.2f} of the second line)",
            "",
            table((*head, "failures"), rows),
        ]
    )
