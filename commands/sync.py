"""`deskclock sync`: have what changed read now, or everything, and watch it."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import click
from filelock import FileLock
from sqlalchemy import Connection
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from app import account_named, create_worker
from commands.options import CONFIG, DATA_DIR, instant, process_settings
from connector.engine import accounts
from connector.engine import sync as engine
from connector.engine.sync import CHANGES, FULL, Progress
from connector.errors import AccountError, SettingsError
from connector.runners.embedded import only_worker
from connector.settings import Settings
from connector.store.database import Database
from connector.store.migrate import upgrade
from operations import logs, standing
from operations.attention import span, words
from operations.standing import Usability

LOOK_SECONDS = 0.5
LINE_SECONDS = 10.0  # between two lines where there is no terminal
REFUSED = (accounts.SIGN_IN_NEEDED, accounts.ROLE_NEEDED, accounts.SUSPENDED)
PATIENCE = 8  # failures in a row: about a minute of trying
INTERRUPTED = 130  # exit code of what Ctrl-C ended


#: raises `SettingsError` when nobody does the work any more
Lives = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What was asked for."""

    account: str
    feed: str
    since: datetime | None
    restart: bool

    @property
    def command(self) -> str:
        """How to go on with it."""
        return f"deskclock sync {self.account}{' --full' if self.feed == FULL else ''}"


@click.command()
@click.argument("account")
@click.option("--full", is_flag=True, help="A backfill: every ticket, once; goes on where it was.")
@click.option("--since", callback=instant, help="Begin anew, with what changed since then.")
@click.option("--restart", is_flag=True, help="Begin a backfill anew.")
@DATA_DIR
@CONFIG
@click.pass_context
def sync(
    context: click.Context,
    account: str,
    full: bool,
    since: datetime | None,
    restart: bool,
    data_dir: Path | None,
    config: Path | None,
) -> None:
    """Read from the helpdesk of ACCOUNT what changed, now, and judge it.

    A running worker does it, and this command watches; without one, this command does it itself.
    Ctrl-C pauses a backfill. Exit codes: 0 it came to the end, 1 it did not, 2 usage.
    """
    if restart and not full:
        raise click.UsageError("--restart is for a backfill; give --full as well, or --since")
    settings = process_settings(data_dir=data_dir, config=config)
    if "log_level" not in settings.model_fields_set:
        logs.configure(settings.log_format, "warning")  # a line per ticket would hide how far it is
    kind = account_named(settings, account).helpdesk
    task = Task(account=account, feed=FULL if full else CHANGES, since=since, restart=restart)
    database = Database(settings.database)
    upgrade(database)
    database.run(lambda conn: accounts.register(conn, account, kind))
    with _interrupts() as interrupted, _somebody(settings, database, task) as lives:
        watch = _Watch(database, task, interrupted, lives)
        context.exit(watch.run())


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C as an event: no transaction is torn."""
    event = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _somebody(settings: Settings, database: Database, task: Task) -> Iterator[Lives]:
    """A worker that drains the account: the one that runs, or one of our own until we are done."""
    with database.read() as conn:
        drained = standing.drained_now(conn)
    with ExitStack() as stack:
        lock = _lock(database, drained)
        if lock is not None:
            stack.callback(lock.release)
        elif drained is not None and _serves(drained, database, settings, task):
            click.echo(f"{task.account}: the worker that runs does it.", err=True)
            yield lambda: _check_theirs(database, task)
            return
        thread = stack.enter_context(_worker_of_our_own(settings, task))
        click.echo(f"{task.account}: no worker runs, so this command does it.", err=True)
        yield lambda: _check_ours(thread)


def _lock(database: Database, drained: frozenset[str] | None) -> FileLock | None:
    """The lock that makes us the only worker; None: a living worker has it, or it is PostgreSQL.

    It knows sooner than any heartbeat that no worker runs. Raises `SettingsError`.
    """
    if database.path is None:
        return None
    try:
        return only_worker(database.path.parent)
    except SettingsError:
        if drained is None:
            raise
        return None


@contextmanager
def _worker_of_our_own(settings: Settings, task: Task) -> Iterator[threading.Thread]:
    worker = create_worker(settings, only=task.account)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join()


def _serves(drained: frozenset[str], database: Database, settings: Settings, task: Task) -> bool:
    """Whether the workers that run drain the account. Raises `SettingsError` if none else may."""
    if task.account not in drained and database.path is not None:
        raise SettingsError(
            f"the worker that runs does not serve '{task.account}' yet; restart deskclock, so that "
            f"it reads {settings.config} again"
        )
    return task.account in drained


def _check_theirs(database: Database, task: Task) -> None:
    with database.read() as conn:
        drained = standing.drained_now(conn) or frozenset()
    if task.account not in drained:
        raise SettingsError(
            "the worker has fallen silent; start it again (deskclock run), it goes on by itself. "
            f"Or do it without one: {task.command}"
        )


def _check_ours(thread: threading.Thread) -> None:
    if not thread.is_alive():
        raise SettingsError("the worker ended; its log above says why")


class _Watch:
    """Asks for a feed and follows it to its end."""

    def __init__(
        self, database: Database, task: Task, interrupted: threading.Event, lives: Lives
    ) -> None:
        self._database = database
        self._task = task
        self._interrupted = interrupted
        self._lives = lives

    def run(self) -> int:
        """Returns the exit code. Raises `AccountError` when the account cannot be used."""
        began = time.monotonic()
        before, first = self._database.run(self._ask)
        if self._task.feed == FULL and first.tickets:
            click.echo(f"{self._task.account}: goes on after {first.tickets:,} tickets.", err=True)
        with _shown(self._task, first) as display:
            while not self._interrupted.wait(LOOK_SECONDS):
                seen, usable = self._look()
                display.show(seen, _note(seen, usable))
                if seen.ended:
                    display.close()
                    click.echo(_summary(self._task, first, seen, time.monotonic() - began))
                    return 0
                self._refuse_paused(seen)
                self._give_up(before, usable)
                self._lives()
        return self._pause()

    def _ask(self, conn: Connection) -> tuple[Usability, Progress]:
        task = self._task
        before = standing.usability(conn, task.account)
        if task.feed == CHANGES:
            engine.begin(conn, task.account)  # else a new account would begin at its first day
        engine.request(conn, task.account, task.feed, since=task.since, restart=task.restart)
        return before, self._progress(conn)

    def _look(self) -> tuple[Progress, Usability]:
        with self._database.read() as conn:
            return self._progress(conn), standing.usability(conn, self._task.account)

    def _progress(self, conn: Connection) -> Progress:
        found = engine.progress(conn, self._task.account, self._task.feed)
        if found is None:
            raise SettingsError(f"nothing is known of '{self._task.account}' any more")
        return found

    def _refuse_paused(self, seen: Progress) -> None:
        if seen.paused:
            raise SettingsError(f"somebody else paused it; go on with: {self._task.command}")

    def _give_up(self, before: Usability, usable: Usability) -> None:
        """Only for a failure that is new: what failed earlier may have been mended since."""
        is_new = usable.failures not in (0, before.failures)
        is_held = usable.state == accounts.HELD and usable.failures >= PATIENCE
        if is_new and (usable.state in REFUSED or is_held):
            said = words(usable.state, self._task.account)
            raise AccountError(
                f"{self._task.account}: {usable.last_error}\n{said.says} {said.advice}\n"
                f"A worker goes on with it by itself; without one: {self._task.command}"
            )

    def _pause(self) -> int:
        account, feed = self._task.account, self._task.feed
        if feed == CHANGES:
            click.echo("\nStopped watching. A worker goes on with it.", err=True)
            return INTERRUPTED
        self._database.run(lambda conn: engine.pause(conn, account, feed, True))
        seen, _ = self._look()
        click.echo(
            f"\nPaused after {seen.tickets:,} tickets. Go on with: {self._task.command}", err=True
        )
        return INTERRUPTED


def _note(seen: Progress, usable: Usability) -> str:
    """Why it does not move, or what it does at the moment."""
    if usable.held_until is not None:
        why = usable.last_error or seen.last_error or "our share of the rate limit is used up"
        return f"waiting until {usable.held_until:%H:%M:%S} UTC: {why}"
    if seen.last_error is not None and seen.waits:
        return f"waiting: {seen.last_error}"
    if seen.phase == engine.EVENTS:
        return f"reading the past of open tickets, {seen.pages:,} pages"
    return f"{seen.changed:,} changed, {seen.written:,} written"


def _summary(task: Task, first: Progress, seen: Progress, seconds: float) -> str:
    """What it came to: a backfill from its own beginning, what is new from this command's."""
    none = replace(first, tickets=0, changed=0, written=0, missed=0)
    begun = first if task.feed == CHANGES else none
    return "\n".join(
        (
            f"{task.account}: came to the end in {span(seconds)}.",
            f"  tickets read        {seen.tickets - begun.tickets:>10,}",
            f"  answers changed     {seen.changed - begun.changed:>10,}",
            f"  tickets written     {seen.written - begun.written:>10,}",
            f"  missed by webhooks  {seen.missed - begun.missed:>10,}",
        )
    )


class Display(Protocol):
    """Where progress is shown."""

    def show(self, seen: Progress, note: str) -> None:
        """Show how far it is."""

    def close(self) -> None:
        """Show no more."""


@contextmanager
def _shown(task: Task, first: Progress) -> Iterator[Display]:
    """A bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(task, first)
        return
    with logging_redirect_tqdm():  # log lines go above the bar
        bar = _Bar(task, first)
        try:
            yield bar
        finally:
            bar.close()


class _Bar:
    """A bar with rate and time left."""

    def __init__(self, task: Task, first: Progress) -> None:
        self._shown = first.tickets
        self._bar = tqdm(
            desc=task.account,
            total=first.total,
            initial=first.tickets,
            unit=" tickets",
            file=sys.stderr,
            dynamic_ncols=True,
            mininterval=0.0,
            miniters=0,
        )

    def show(self, seen: Progress, note: str) -> None:
        """Move it."""
        self._bar.total = None if seen.total is None else max(seen.total, seen.tickets)
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(max(0, seen.tickets - self._shown))
        self._shown = seen.tickets

    def close(self) -> None:
        """Leave it as it stands."""
        self._bar.close()


class _Lines:
    """A line when something is new, at most every few seconds."""

    def __init__(self, task: Task, first: Progress) -> None:
        self._account = task.account
        self._first = first.tickets
        self._began = time.monotonic()
        self._last = float("-inf")

    def show(self, seen: Progress, note: str) -> None:
        """Say how far it is."""
        at = time.monotonic()
        if at - self._last < LINE_SECONDS:
            return
        self._last = at
        of = f" of about {seen.total:,}" if seen.total is not None else ""
        pace = self._pace(seen, at - self._began)
        click.echo(f"{self._account}: {seen.tickets:,}{of} tickets{pace}; {note}", err=True)

    def _pace(self, seen: Progress, seconds: float) -> str:
        rate = (seen.tickets - self._first) / seconds if seconds > 0 else 0.0
        if rate <= 0:
            return ""
        left = f", {span((seen.total - seen.tickets) / rate)} left" if seen.total else ""
        return f", {rate:.0f}/s{left}"

    def close(self) -> None:
        """Nothing stays open."""
