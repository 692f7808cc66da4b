"""The `sync` command: who does it, what it says on the way, how it is paused, and how it exits."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from sqlalchemy import select, update

from app import create_worker
from commands.sync import PATIENCE, Task, _check_theirs, _Lines, _note, _Watch
from commands.sync import sync as command
from connector.engine import sync as engine
from connector.engine.sync import CHANGES, FULL, Progress
from connector.errors import AccountError, SettingsError
from connector.runners.embedded import only_worker
from connector.settings import Settings
from connector.store import tables
from connector.store.database import Database, now
from connector.store.migrate import upgrade
from operations.standing import Usability
from sandbox.application import Settings as Helpdesk
from sandbox.application import build
from sandbox.server import serving

ROOT = Path(__file__).parents[2]
SIGN_IN = {
    "zendesk": {"client_id": "sandbox", "client_secret": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
TASK = Task(account="acme", feed=FULL, since=None, restart=False)
PATIENT_SECONDS = 60.0  # only a failure takes that long


class Office:
    """A local helpdesk, its account `acme` in an accounts file, and the command."""

    def __init__(self, folder: Path, kind: str, url: str) -> None:
        self.folder, self.kind, self.url = folder, kind, url
        self.configure(sign_in=SIGN_IN[kind])
        self.database = Database(f"sqlite:///{folder}/data/deskclock.sqlite3")
        upgrade(self.database)

    def configure(self, **changed: Any) -> None:
        account = {
            "helpdesk": self.kind,
            "base_url": self.url,
            "policy": "user-support",
            "time_zone": "Europe/London",
            "mode": "own_fields",
        }
        with (self.folder / "deskclock.yaml").open("w") as file:
            YAML().dump({"accounts": {"acme": account | changed}}, file)

    @property
    def where(self) -> list[str]:
        return ["--data-dir", f"{self.folder}/data", "--config", f"{self.folder}/deskclock.yaml"]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(command, ["acme", *words, *self.where])

    def control(self, path: str, json: Any) -> None:
        answer = requests.post(f"{self.url}/_sandbox/{path}", json=json, timeout=10)
        assert answer.status_code < 300, answer.text

    def write(self, table: Any, **values: Any) -> None:
        with self.database.write() as conn:
            conn.execute(table.insert().values(**values))

    def heartbeat(self, *served: str, age: float = 0.0) -> None:
        with self.database.read() as conn:
            at = now(conn)
        self.write(tables.heartbeat, name="worker", at=at - age, body={"accounts": list(served)})

    def feed(self) -> dict[str, Any] | None:
        with self.database.read() as conn:
            row = conn.execute(select(tables.sync).where(tables.sync.c.feed == FULL)).first()
        return dict(row._mapping) if row is not None else None

    def once_asked(self, act: Callable[[], None]) -> threading.Thread:
        """`act` as soon as the backfill has been asked for."""

        def wait() -> None:
            end = time.monotonic() + PATIENT_SECONDS
            while self.feed() is None and time.monotonic() < end:
                time.sleep(0.02)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


@contextmanager
def serve(kind: str, folder: Path) -> Iterator[Office]:
    """An office while its helpdesk is served."""
    with serving(build(Helpdesk(helpdesk=kind, job_seconds=0.02, tickets=12))) as served:
        made = Office(folder, kind, served.url)
        yield made
        made.database.dispose()


@pytest.fixture(params=["zendesk", "freshdesk"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    with serve(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def zendesk(tmp_path: Path) -> Iterator[Office]:
    with serve("zendesk", tmp_path) as made:
        yield made


def figures(result: Result) -> dict[str, int]:
    """The summary of a run that came to the end."""
    lines = [line.rsplit(None, 1) for line in result.stdout.splitlines()[1:]]
    return {name.strip(): int(count.replace(",", "")) for name, count in lines}


def test_a_backfill_reads_and_writes_every_ticket_without_a_worker(office: Office) -> None:
    ran = office.run("--full")
    assert ran.exit_code == 0, ran.output
    assert "acme: no worker runs, so this command does it." in ran.stderr
    assert "acme: came to the end in" in ran.stdout
    found = figures(ran)
    assert found["tickets read"] >= 12
    assert 0 < found["tickets written"] <= found["answers changed"]
    with office.database.read() as conn:
        judged = conn.execute(select(tables.ticket.c.evaluation)).all()
    assert len(judged) == 12
    assert all(row.evaluation for row in judged)


def test_a_second_backfill_begins_anew_and_finds_nothing_to_write(office: Office) -> None:
    office.run("--full")
    again = figures(office.run("--full"))
    assert again["tickets read"] > 0
    assert (again["answers changed"], again["tickets written"]) == (0, 0)


def test_what_is_new_is_read_from_now_on_and_counted_for_this_run_only(office: Office) -> None:
    ran = office.run()
    assert ran.exit_code == 0, ran.output
    with office.database.write() as conn:
        body = {**conn.scalar(select(tables.sync.c.body)), "tickets": 5000, "missed": 70}
        conn.execute(update(tables.sync).values(body=body))
    again = office.run()
    assert again.exit_code == 0, again.output
    assert figures(again)["tickets read"] < 100
    assert figures(again)["missed by webhooks"] == 0


def test_what_changed_since_an_instant_is_read_again(office: Office) -> None:
    ran = office.run("--since", "2020-01-01T00:00:00Z")
    assert ran.exit_code == 0, ran.output
    assert figures(ran)["tickets read"] >= 12


def test_a_running_worker_does_it_and_the_command_watches(zendesk: Office) -> None:
    data = zendesk.folder / "data"
    settings = Settings(data_dir=data, config=zendesk.folder / "deskclock.yaml")
    lock, worker = only_worker(data), create_worker(settings)
    worker.tick()  # says that it is alive
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        ran = zendesk.run("--full")
    finally:
        worker.stop()
        thread.join()
        lock.release()
    assert ran.exit_code == 0, ran.output
    assert "acme: the worker that runs does it." in ran.stderr
    assert figures(ran)["tickets read"] >= 12


def test_a_worker_that_ended_a_moment_ago_is_not_waited_for(zendesk: Office) -> None:
    zendesk.heartbeat("acme")
    ran = zendesk.run("--full")
    assert ran.exit_code == 0, ran.output
    assert "no worker runs" in ran.stderr


def test_a_worker_that_does_not_serve_the_account_must_be_restarted(zendesk: Office) -> None:
    zendesk.heartbeat("another")
    lock = only_worker(zendesk.folder / "data")
    ran = zendesk.run("--full")
    lock.release()
    assert isinstance(ran.exception, SettingsError)
    assert "does not serve 'acme' yet; restart deskclock" in str(ran.exception)
    assert zendesk.feed() is None


def test_a_worker_without_a_sign_of_life_is_named_by_its_lock(zendesk: Office) -> None:
    zendesk.heartbeat("acme", age=60)
    lock = only_worker(zendesk.folder / "data")
    ran = zendesk.run("--full")
    lock.release()
    assert "another deskclock worker uses" in str(ran.exception)


def test_a_worker_that_falls_silent_meanwhile_is_told(zendesk: Office) -> None:
    zendesk.heartbeat("acme", age=60)
    with pytest.raises(SettingsError, match="has fallen silent"):
        _check_theirs(zendesk.database, TASK)


@pytest.mark.parametrize("kind", ["zendesk", "freshdesk"])
def test_a_refused_sign_in_ends_it_with_what_to_do(kind: str, tmp_path: Path) -> None:
    with serve(kind, tmp_path) as office:
        office.configure(sign_in={name: "wrong" for name in SIGN_IN[kind]})
        ran = office.run("--full")
    assert isinstance(ran.exception, AccountError)
    said = str(ran.exception)
    assert said.startswith("acme: ")
    assert "Check sign_in of the account in deskclock.yaml" in said
    assert "A worker goes on with it by itself; without one: deskclock sync acme --full" in said


def test_somebody_else_may_pause_it_and_it_goes_on_where_it_was(zendesk: Office) -> None:
    zendesk.control("faults", {"spec": "500=1.0"})

    def pause() -> None:
        with zendesk.database.write() as conn:
            engine.pause(conn, "acme", FULL, True)

    thread = zendesk.once_asked(pause)
    ran = zendesk.run("--full")
    thread.join()
    assert "somebody else paused it; go on with: deskclock sync acme --full" in str(ran.exception)
    zendesk.control("faults", {})
    with zendesk.database.write() as conn:
        found = conn.execute(select(tables.sync).where(tables.sync.c.feed == FULL)).one()
        body = {**found.body, "tickets": 1000}
        conn.execute(update(tables.sync).where(tables.sync.c.feed == FULL).values(body=body))
        conn.execute(update(tables.account).values(held_until=0))
    ran = zendesk.run("--full")
    assert ran.exit_code == 0, ran.output
    assert "acme: goes on after 1,000 tickets." in ran.stderr
    assert figures(ran)["tickets read"] >= 1012


def test_restart_begins_anew(zendesk: Office) -> None:
    with zendesk.database.write() as conn:
        engine.request(conn, "acme", FULL)
        body = {"tickets": 1000, "phase": "tickets"}
        conn.execute(update(tables.sync).values(body=body))
    ran = zendesk.run("--full", "--restart")
    assert ran.exit_code == 0, ran.output
    assert "goes on" not in ran.stderr
    assert figures(ran)["tickets read"] < 100


def test_ctrl_c_pauses_a_backfill_behind_its_bar_and_says_how_to_go_on(zendesk: Office) -> None:
    zendesk.control("faults", {"spec": "500=1.0"})
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    program = "from commands.sync import sync; sync()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "acme", "--full", *zendesk.where],
        cwd=ROOT,
        stderr=theirs,
    )
    os.close(theirs)
    _read(ours, until="acme: 0 tickets [")
    process.send_signal(signal.SIGINT)
    shown = _read(ours)
    os.close(ours)
    assert process.wait(PATIENT_SECONDS) == 130
    assert "Paused after 0 tickets. Go on with: deskclock sync acme --full" in shown
    feed = zendesk.feed()
    assert feed is not None
    assert feed["paused"]


def _read(terminal: int, until: str | None = None) -> str:
    """What is shown, up to a text or to the end."""
    shown = ""
    while until is None or until not in shown:
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # a terminal whose other side is gone ends so
            assert until is None, f"'{until}' was not shown:\n{shown}"
            break
    return shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--restart"], "--restart is for a backfill; give --full"),
        (["--since", "yesterday"], "'yesterday' is no instant"),
    ],
)
def test_what_makes_no_sense_is_a_mistake_of_usage(
    tmp_path: Path, words: list[str], says: str
) -> None:
    ran = CliRunner().invoke(command, ["acme", *words, "--data-dir", f"{tmp_path}/data"])
    assert ran.exit_code == 2
    assert says in ran.stderr


def test_an_unknown_account_is_named(zendesk: Office) -> None:
    ran = CliRunner().invoke(command, ["nobody", *zendesk.where])
    assert "account 'nobody' is not in" in str(ran.exception)


def usable(state: str | None = "ok", failures: int = 0, **given: Any) -> Usability:
    found = {"state": state, "failures": failures, "held_until": None, "last_error": None} | given
    return Usability(**found)


def progress(**given: Any) -> Progress:
    found: dict[str, Any] = {
        "feed": FULL, "since": 0.0, "position": None, "paused": False, "ended": False, "pages": 0,
        "tickets": 0, "changed": 0, "written": 0, "missed": 0, "total": None, "phase": "tickets",
        "last_error": None, "waits": False, "backlog": 0,
    }  # fmt: skip
    return Progress(**(found | given))


@pytest.mark.parametrize(
    ("before", "after", "gives_up"),
    [
        (usable(), usable("sign_in_needed", 1), True),
        (usable(), usable("role_needed", 1), True),
        (usable(), usable("suspended", 1), True),
        (usable("sign_in_needed", 4), usable("sign_in_needed", 4), False),
        (usable("sign_in_needed", 4), usable("sign_in_needed", 5), True),
        (usable("sign_in_needed", 4), usable("ok"), False),
        (usable(), usable("held", 3), False),
        (usable(), usable("held", PATIENCE), True),
        (usable("held", PATIENCE), usable("held", PATIENCE), False),
        (usable(None), usable(None), False),
    ],
)
def test_only_a_new_failure_that_lasts_ends_it(
    zendesk: Office, before: Usability, after: Usability, gives_up: bool
) -> None:
    watch = _Watch(zendesk.database, TASK, threading.Event(), lambda: None)
    try:
        watch._give_up(before, after)
    except AccountError:
        assert gives_up
    else:
        assert not gives_up


def test_it_says_why_it_does_not_move() -> None:
    until = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    assert _note(progress(changed=1234, written=5), usable()) == "1,234 changed, 5 written"
    waits = "waiting until 12:00:05 UTC: "
    share = _note(progress(), usable(held_until=until))
    assert share == waits + "our share of the rate limit is used up"
    error = _note(progress(), usable(held_until=until, last_error="502"))
    assert error == waits + "502"
    assert _note(progress(last_error="429", waits=True), usable()) == "waiting: 429"
    assert _note(progress(last_error="429"), usable()) == "0 changed, 0 written"
    past = _note(progress(phase="events", pages=3), usable())
    assert past == "reading the past of open tickets, 3 pages"


def test_without_a_terminal_a_line_says_how_far_it_is() -> None:
    @click.command()
    def show() -> None:
        lines = _Lines(TASK, progress(tickets=100))
        lines._began -= 10.0
        lines.show(progress(tickets=300, total=1300), "12 changed")
        lines.show(progress(tickets=301, total=1300), "too soon for another line")
        lines.close()

    shown = CliRunner().invoke(show).stderr
    assert shown == "acme: 300 of about 1,300 tickets, 20/s, 50 s left; 12 changed\n"


def test_what_was_asked_for_is_named_so_that_it_can_be_repeated() -> None:
    new = Task(account="acme", feed=CHANGES, since=None, restart=False)
    assert (new.command, TASK.command) == ("deskclock sync acme", "deskclock sync acme --full")
