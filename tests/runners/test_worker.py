"""The worker finds what is due and drains it, and a kill in the middle of it loses nothing."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from sqlalchemy import update
from standardwebhooks import Webhook

from app import create_worker, open_accounts
from connector.engine import accounts
from connector.engine.intake import request_look
from connector.engine.rank import Rank
from connector.errors import SettingsError
from connector.runners.embedded import Worker, only_worker
from connector.runners.turns import Turns
from connector.store import tables
from connector.store.database import now
from connector.store.documents import find_policy
from connector.store.migrate import upgrade
from tests.runners.site import KINDS, PATIENCE, Site, eventually, helpdesks

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # from the specification; nothing real


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks(*KINDS) as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


def settle(worker: Worker) -> None:
    """Look for work until all that was begun has ended."""
    worker.tick()
    for one in worker.turns.running.values():
        one.result()


def test_the_first_look_introduces_every_account_and_says_that_it_is_alive(site: Site) -> None:
    worker = create_worker(site.settings)
    settle(worker)
    found = {row["name"]: row for row in site.rows(tables.account)}
    assert sorted(found) == sorted(KINDS)
    assert all(row["own_user_id"] and row["state"] == "ok" for row in found.values())
    assert all(row["lease_holder"] is None and row["clock_samples"] for row in found.values())
    (beat,) = site.rows(tables.heartbeat)
    assert beat["name"] == f"worker:{socket.gethostname()}:{os.getpid()}"
    assert beat["body"]["accounts"] == sorted(KINDS)
    worker.stop()
    worker.run()


def test_what_is_due_is_drained_and_the_lease_is_given_back(site: Site) -> None:
    worker = create_worker(site.settings)
    settle(worker)
    tickets = {(kind, site.create(kind)) for kind in KINDS}
    with site.database.write() as conn:
        conn.execute(
            tables.ticket.insert(),
            [
                {"account": kind, "ticket_id": ticket, "look_at": 1.0, "created": 1.0, "wanted": 1}
                for kind, ticket in tickets
            ],
        )
    settle(worker)
    assert site.enriched() == tickets
    assert {row["lease_holder"] for row in site.rows(tables.account)} == {None}
    worker.stop()
    worker.run()


def test_what_no_webhook_told_is_found_while_the_worker_runs(site: Site) -> None:
    worker = create_worker(site.settings)
    settle(worker)
    assert sorted(row["account"] for row in site.rows(tables.sync)) == sorted(KINDS)
    tickets = {(kind, site.create(kind)) for kind in KINDS}
    for kind in KINDS:  # Zendesk withholds the newest minute
        site.control(kind, "POST", "clock", {"advance_seconds": 120})
    with site.database.write() as conn:
        conn.execute(update(tables.sync).values(next_at=0))
    settle(worker)
    assert site.enriched() == tickets
    assert {row["body"]["missed"] for row in site.rows(tables.sync)} == {1}
    worker.stop()
    worker.run()


def test_fields_are_read_anew_when_something_was_refused(site: Site) -> None:
    opened = open_accounts(site.settings)["freshdesk"].account
    database = site.database
    upgrade(database)
    database.run(lambda conn: accounts.register(conn, "freshdesk", "freshdesk"))
    worker = Worker(
        database, {"freshdesk": opened}, threads=1, poll_seconds=0.01, clock_check_seconds=60.0
    )
    settle(worker)
    asked = site.asked("freshdesk", "ticket_fields")
    settle(worker)
    assert site.asked("freshdesk", "ticket_fields") == asked
    opened.recheck.set()
    settle(worker)
    assert site.asked("freshdesk", "ticket_fields") > asked
    assert site.rows(tables.account)[0]["advice"] == []
    worker.stop()
    worker.run()


def test_refused_credentials_are_said_at_the_account_and_end_by_themselves(
    site: Site, tmp_path: Path
) -> None:
    wrong = {
        "zendesk": {"client_id": "sandbox", "client_secret": "wrong"},
        "freshdesk": {"api_key": "wrong"},
    }
    (tmp_path / "wrong").mkdir()
    other = Site(tmp_path / "wrong", site.urls, sign_in=wrong)
    worker = create_worker(other.settings)
    settle(worker)
    found = other.rows(tables.account)
    assert {row["state"] for row in found} == {"sign_in_needed"}
    assert {row["lease_holder"] for row in found} == {None}
    said = {row["name"]: row["last_error"] for row in found}
    assert "invalid_client" in said["zendesk"]
    assert "API key" in said["freshdesk"]
    worker.stop()
    worker.run()
    with other.database.write() as conn:
        conn.execute(update(tables.account).values(held_until=0))
    other.config.write_text(site.config.read_text())
    mended = create_worker(other.settings)
    settle(mended)
    assert {row["state"] for row in other.rows(tables.account)} == {"ok"}
    mended.stop()
    mended.run()
    other.database.dispose()


def test_a_restarted_worker_on_sqlite_does_not_wait_for_leases_of_the_dead(site: Site) -> None:
    create_worker(site.settings)
    with site.database.write() as conn:
        conn.execute(update(tables.account).values(lease_holder="dead", lease_until=9e9))
    create_worker(site.settings)
    assert {row["lease_holder"] for row in site.rows(tables.account)} == {None}


def test_who_was_served_longest_ago_goes_first() -> None:
    seen: list[str] = []
    names = ("a", "b", "c")
    turns = Turns(
        dict(zip(names, names, strict=True)), lambda name, _: seen.append(name), threads=1
    )
    for _ in range(6):
        turns.give(dict.fromkeys(reversed(turns.waiting()), "drain"))
        for one in turns.running.values():
            one.result()
    turns.waiting()
    turns.give(dict.fromkeys(names, "drain"), elsewhere=["a"])
    turns.close()
    assert seen == [*"cba", *"cba"]


def test_a_second_worker_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    lock = only_worker(tmp_path / "data")
    with pytest.raises(SettingsError, match="another deskclock worker uses"):
        only_worker(tmp_path / "data")
    lock.release()
    only_worker(tmp_path / "data").release()


def test_a_worker_that_is_killed_in_a_burst_of_webhooks_loses_none_of_them(site: Site) -> None:
    running = {name: site.start(name) for name in ("web", "worker")}
    try:
        eventually("web and worker are ready", site.is_ready)
        site.connect_webhooks()
        tickets = {(kind, site.create(kind)) for kind in KINDS for _ in range(7)}
        eventually("the first ticket is enriched", site.enriched)
        tickets |= {(kind, site.create(kind)) for kind in KINDS for _ in range(4)}
        running["worker"].send_signal(signal.SIGKILL)
        running["worker"].wait()
        tickets |= {(kind, site.create(kind)) for kind in KINDS for _ in range(4)}
        running["worker"] = site.start("worker")
        eventually("every ticket is enriched", lambda: site.enriched() == tickets)
        eventually("every webhook is stored", lambda: len(site.rows(tables.ticket)) == 30)
        bring_echoes_forward(site)
        eventually("nothing is due any more", site.at_rest)
        assert {row["parked"] for row in site.rows(tables.ticket)} == {None}
        expected = site.sent()
        bring_echoes_forward(site)
        eventually("nothing is due any more", site.at_rest)
        assert expected == site.sent()
    finally:
        for process in running.values():
            process.terminate()
        codes = [process.wait(30) for process in running.values()]
    assert codes == [0, 0]


class Receiver:
    """A receiver of notices that falls silent in the middle of the first one."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.let_go = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                if len(receiver.got) == 1:
                    receiver.let_go.wait(PATIENCE)
                with suppress(OSError):
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.let_go.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def notify(site: Site, receiver: Receiver) -> None:
    """A ladder whose first step is reached at once, and somebody who is told."""
    source, _ = find_policy("user-support", site.folder, (), time_zone=None)
    step = "escalation: [{id: seen, metric: resolution, at: 1%, notify: true}]"
    path = site.folder / "ladder.yaml"
    path.write_text(f"{source.text}\n{step}\n")
    accounts = YAML(typ="safe").load(site.config.read_text())
    for one in accounts["accounts"].values():
        one["policy"] = str(path)
    accounts["notify"] = {"url": receiver.url, "secrets": [WHSEC]}
    YAML().dump(accounts, site.config)


def test_a_worker_that_is_killed_while_it_tells_somebody_tells_it_again(
    site: Site, receiver: Receiver
) -> None:
    notify(site, receiver)
    upgrade(site.database)
    ticket = site.create("zendesk")
    site.control("zendesk", "POST", "clock", {"advance_seconds": 3600})
    running = site.start("worker")
    try:
        eventually("the worker knows the account", lambda: site.rows(tables.account))
        with site.database.write() as conn:
            request_look(conn, "zendesk", [ticket], Rank.HINT)
        eventually("the receiver is called", lambda: receiver.got)
        eventually("the lane goes on meanwhile", site.enriched)
        running.send_signal(signal.SIGKILL)
        running.wait()
        with site.database.write() as conn:
            conn.execute(update(tables.notice).values(not_before=0))
        running = site.start("worker")
        eventually("it is sent again", lambda: len(receiver.got) > 1)
        eventually("it is over", lambda: {r["state"] for r in site.rows(tables.notice)} == {"sent"})
    finally:
        running.terminate()
        code = running.wait(30)
    first, again = receiver.got
    assert first[0]["webhook-id"] == again[0]["webhook-id"]
    told = Webhook(WHSEC).verify(again[1], again[0])["data"]
    assert (told["ticket_id"], told["step"], first[1], code) == (ticket, "seen", again[1], 0)


def bring_echoes_forward(site: Site) -> None:
    """Let the quiet seconds after our own writes be over."""
    with site.database.write() as conn:
        columns, at = tables.ticket.c, now(conn)
        soon = columns.look_at.between(at, at + 30)
        conn.execute(update(tables.ticket).where(soon).values(look_at=at))
