"""Several workers on one PostgreSQL share the accounts, whatever becomes of the broker."""

import json
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection as Broker
from sqlalchemy import text, update

from app import create_app, create_runner
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.errors import SettingsError
from connector.runners.broker import DRAIN, RECONCILE, SYNC, celery_app
from connector.settings import Settings
from connector.store import tables, waking
from connector.store.database import Database, now
from connector.store.migrate import upgrade
from tests.conftest import IN_CI
from tests.runners.site import Site, eventually, helpdesks

ACCOUNTS = ("zendesk", "zendesk-2", "freshdesk", "freshdesk-2")
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672/"
# who held an account before and after each change, as the database itself saw it
WATCH = """
CREATE TABLE held (account text, before text, after text, ended boolean);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {schema}.held VALUES (NEW.name, OLD.lease_holder, NEW.lease_holder,
        OLD.lease_until <= extract(epoch FROM clock_timestamp()));
    RETURN NEW;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON account FOR EACH ROW
    WHEN (OLD.lease_holder IS DISTINCT FROM NEW.lease_holder) EXECUTE FUNCTION watch();
"""


class Redis:
    """A Redis of the test's own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        eventually("Redis listens", lambda: listens(self._port))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def push(self, body: bytes) -> None:
        self._ask("LPUSH", "deskclock", body)

    def flush(self) -> None:
        self._ask("FLUSHALL")

    def _ask(self, *words: str | bytes) -> None:
        with Broker(self.url) as broker:
            broker.default_channel.client.execute_command(*words)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def unavailable(reason: str) -> None:
    (pytest.fail if IN_CI else pytest.skip)(reason)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        unavailable("redis-server is not installed")
    made = Redis(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def rabbitmq() -> Iterator[str]:
    """The address of a virtual host of the test's own."""
    if shutil.which("rabbitmqctl") is None or not listens(5672):
        unavailable("RabbitMQ is not reachable on 127.0.0.1:5672")
    name = f"test_{uuid.uuid4().hex}"

    def control(*words: str) -> None:
        subprocess.run(["rabbitmqctl", "-q", *words], check=True, timeout=120)

    control("add_vhost", name)
    control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
    yield RABBITMQ + name
    control("delete_vhost", name)


Opener = Callable[..., Site]


@pytest.fixture
def opened(tmp_path: Path, postgres_url: str) -> Iterator[Opener]:
    """Sites on PostgreSQL."""
    with ExitStack() as stack:

        def open_site(broker: str, *names: str) -> Site:
            urls = stack.enter_context(helpdesks(*names))
            made = Site(tmp_path, urls, database_url=postgres_url, broker_url=broker)
            stack.callback(made.close)
            upgrade(made.database)
            return made

        yield open_site


class Fleet:
    """The processes of a site, which end with the test."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.processes:
            one.kill()
            one.wait()

    def start(self, command: str = "worker", **more: str) -> "subprocess.Popen[bytes]":
        self.processes.append(self.site.start(command, **more))
        return self.processes[-1]

    def await_workers(self, *processes: "subprocess.Popen[bytes]") -> None:
        expected = {f"worker:{socket.gethostname()}:{one.pid}" for one in processes}
        eventually(
            "the workers live",
            lambda: expected <= {row["name"] for row in self.site.rows(tables.heartbeat)},
        )

    def hint(self, *tickets: tuple[str, str]) -> None:
        """As the web process stores them, and no message."""
        with self.site.database.write() as conn:
            for account, ticket in sorted(tickets):
                request_look(conn, account, [ticket], Rank.HINT)

    def written(self, count: int = 1) -> set[tuple[str, str]]:
        """New tickets of every account, once all of them are written."""
        made = {(name, self.site.create(name)) for name in self.site.urls for _ in range(count)}
        self.hint(*made)
        eventually("all is written", lambda: made <= self.site.enriched())
        return made


@pytest.mark.postgres
@pytest.mark.redis
def test_two_workers_share_the_accounts_and_one_that_is_killed_loses_nothing(
    opened: Opener, redis: Redis, postgres_url: str
) -> None:
    site = opened(redis.url, *ACCOUNTS)
    with site.database.write() as conn:
        schema = conn.scalar(text("SELECT current_schema()"))
        conn.execute(text(WATCH.format(schema=schema)))
    with Fleet(site) as fleet:
        # one thread each, so that neither can have them all
        first, second = (fleet.start(DESKCLOCK_WORKER_THREADS="1") for _ in range(2))
        fleet.start("web")
        eventually("the web process is ready", site.is_ready)
        fleet.await_workers(first, second)
        site.connect_webhooks()
        holders = {f"{socket.gethostname()}:{one.pid}" for one in (first, second)}
        tickets: set[tuple[str, str]] = set()

        def both_have_worked() -> bool:
            made = {(name, site.create(name)) for name in ACCOUNTS for _ in range(3)}
            eventually("all is written", lambda: made <= site.enriched())
            tickets.update(made)
            return holders <= {row[1] for row in held(site)}

        eventually("both workers have drained", both_have_worked)

        for name in ACCOUNTS:
            site.control(name, "POST", "faults", {"spec": "latency=400ms"})
        tickets |= {(name, site.create(name)) for name in ACCOUNTS for _ in range(3)}
        mine = f"{socket.gethostname()}:{first.pid}"
        eventually("the first is at work", lambda: mine in holding(site))
        first.send_signal(signal.SIGKILL)
        first.wait()
        for name in ACCOUNTS:
            site.control(name, "POST", "faults", {})
        with site.database.write() as conn:  # instead of waiting for a minute
            columns = tables.account.c
            dead = update(tables.account).where(columns.lease_holder == mine)
            conn.execute(dead.values(lease_until=now(conn) - 1))
        eventually("the other does the rest", lambda: tickets <= site.enriched())
        second.terminate()
        assert second.wait(30) == 0
        assert holding(site) == set()
    taken = [row for row in held(site) if row[0] is not None and row[1] is not None]
    assert all(ended for _, _, ended in taken)  # taken from nobody whose time was not over


def held(site: Site) -> list[tuple[Any, ...]]:
    with site.database.read() as conn:
        return [tuple(row) for row in conn.execute(text("SELECT before, after, ended FROM held"))]


def holding(site: Site) -> set[str]:
    return {row["lease_holder"] for row in site.rows(tables.account)} - {None}


@pytest.mark.postgres
@pytest.mark.redis
def test_a_broker_that_is_flushed_or_dead_costs_time_only(opened: Opener, redis: Redis) -> None:
    site = opened(redis.url, "zendesk", "freshdesk")
    with Fleet(site) as fleet:
        worker = fleet.start()
        fleet.await_workers(worker)
        fleet.written(2)
        with site.database.write() as conn:  # messages were sent, and will never come
            conn.execute(tables.wake.delete())
            at = now(conn)
            rows = [{"account": name, "sent_at": at} for name in site.urls]
            conn.execute(tables.wake.insert(), rows)
        redis.flush()
        fleet.written()
        redis.kill()
        fleet.written()
        redis.start()
        listening_again(site, redis.url)
        fleet.written()
        worker.terminate()
        assert worker.wait(30) == 0


def listening_again(site: Site, broker: str) -> None:
    """Messages are taken again: one asks for a page that would else not be read for days."""
    app = celery_app(broker)
    mine = tables.sync.c.account == "zendesk"
    with site.database.write() as conn:
        far = now(conn) + 1e6
        conn.execute(update(tables.sync).where(mine).values(next_at=far))

    def is_read() -> bool:
        app.send_task(SYNC, args=["zendesk"], expires=30)
        return far > next(r["next_at"] for r in site.rows(tables.sync) if r["account"] == "zendesk")

    eventually("a message is taken", is_read)
    app.close()


FOREIGN = (
    # body, content type, headers
    (b"garbage", "application/json", {}),
    (b"\x80\x04N.", "application/x-python-serialize", {}),
    (b"[1, 2, 3]", "application/json", {"task": DRAIN, "id": "1"}),
    (b"[[], {}, {}]", "application/json", {"task": "somebody.else", "id": "2"}),
    (b'[["no-such-account"], {}, {}]', "application/json", {"task": DRAIN, "id": "3"}),
    (b'[[{"a": 1}], {}, {}]', "application/json", {"task": DRAIN, "id": "4"}),
    (b"[[], {}, {}]", "application/json", {"task": SYNC, "id": "5"}),
    (b'[["zendesk", "freshdesk"], {}, {}]', "application/json", {"task": SYNC, "id": "6"}),
    (b'[["zendesk"], {}, {}]', "application/json", {"task": RECONCILE, "id": "7"}),
    (b'{"task": "deskclock.drain"}', "application/json", {}),
)


def harass(broker: str) -> None:
    """Messages that are not ours, and ours many times over."""
    with Broker(broker) as connection, connection.SimpleQueue("deskclock") as queue:
        for body, kind, headers in FOREIGN:
            queue.put(
                body, headers=headers, content_type=kind, content_encoding="utf-8",
                serializer=None,
            )  # fmt: skip
    app = celery_app(broker)
    for _ in range(20):
        app.send_task(DRAIN, args=["zendesk"], expires=30)
    app.close()


@pytest.mark.postgres
@pytest.mark.redis
def test_messages_that_are_not_ours_do_no_harm_on_redis(opened: Opener, redis: Redis) -> None:
    redis.push(b"no envelope at all")
    redis.push(json.dumps({"properties": 1}).encode())
    survive_messages_that_are_not_ours(opened(redis.url, "zendesk"), redis.url)


@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_messages_that_are_not_ours_do_no_harm_on_rabbitmq(opened: Opener, rabbitmq: str) -> None:
    survive_messages_that_are_not_ours(opened(rabbitmq, "zendesk"), rabbitmq)


def survive_messages_that_are_not_ours(site: Site, broker: str) -> None:
    harass(broker)
    with Fleet(site) as fleet:
        worker = fleet.start()
        fleet.await_workers(worker)
        fleet.written()
        harass(broker)
        fleet.written()
        listening_again(site, broker)
        worker.terminate()
        assert worker.wait(30) == 0


@pytest.mark.postgres
def test_one_message_is_on_its_way_for_an_account(postgres_url: str) -> None:
    database = Database(postgres_url)
    upgrade(database)

    def ask(*names: str) -> list[str]:
        return database.run(lambda conn: waking.ask(conn, names))

    with database.write() as conn:
        for name in ("acme", "busy"):
            conn.execute(tables.account.insert().values(name=name, kind="zendesk"))
        is_busy = tables.account.c.name == "busy"
        lease = {"lease_holder": "somebody", "lease_until": now(conn) + 60}
        conn.execute(update(tables.account).where(is_busy).values(lease))
    assert ask("acme", "busy", "unknown") == ["acme"]
    assert ask("acme", "busy") == []
    with database.write() as conn:
        assert waking.overdue(conn, ["acme"], 5.0) == []
        conn.execute(update(tables.wake).values(sent_at=tables.wake.c.sent_at - 6))
        assert waking.overdue(conn, ["acme"], 5.0) == ["acme"]
    assert ask("acme") == []
    with database.write() as conn:
        conn.execute(update(tables.wake).values(sent_at=tables.wake.c.sent_at - 30))
    assert ask("acme") == ["acme"]
    database.run(lambda conn: waking.answered(conn, ["acme"]))
    assert ask("acme") == ["acme"]
    database.dispose()


def test_a_broker_without_postgresql_or_celery_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, broker_url="redis://127.0.0.1:1/0")
    for make in (create_runner, create_app):
        with pytest.raises(SettingsError, match="the database is SQLite, which has one worker"):
            make(settings)
    monkeypatch.setattr("app.find_spec", lambda name: None)
    settings = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/none"})
    with pytest.raises(SettingsError, match=r"pip install 'deskclock\[cluster\]'"):
        create_runner(settings)
    with pytest.raises(ValueError, match="a Redis or a RabbitMQ, such as redis://host"):
        Settings(broker_url="kafka://somewhere")
