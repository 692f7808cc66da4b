"""The cluster runner: one of several worker processes, on any number of machines.

Celery brings each message to one of them. What no message told of, and what a message told that
never came, each process finds by itself: it looks for work once a second.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy import Connection

from connector.engine import reconcile, sync
from connector.engine.context import Account
from connector.errors import StoreError
from connector.runners.broker import DRAIN, RECONCILE, SYNC, Waker, celery_app
from connector.runners.listener import Listener
from connector.runners.loop import LANES_GRACE_SECONDS, NOTHING, Loop, Step
from connector.runners.pulse import Pulse, our_name
from connector.runners.turns import Turns
from connector.runners.visits import Need, Visits
from connector.store import waking
from connector.store.database import Database

log = structlog.get_logger()

SWEEP_SECONDS = 1.0  # timers are to be seen within 2 s of their instant
PATIENCE_SECONDS = 5.0  # for a message to come, before whoever has a free thread goes without it


class Worker:
    """Visits accounts when a message says so, and without one where none comes."""

    def __init__(
        self,
        database: Database,
        served: Mapping[str, Account],
        *,
        broker: str,
        threads: int,
        clock_check_seconds: float,
        beside: Mapping[str, Step] = NOTHING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._served = served
        self._stop = threading.Event()
        holder = our_name()
        self._visits = Visits(
            database, served, holder=holder, stop=self._stop,
            clock_check_seconds=clock_check_seconds, greets=False, monotonic=monotonic,
        )  # fmt: skip
        self._pulse = Pulse(
            database, self._visits, holder=holder, runner="celery", monotonic=monotonic
        )
        self._turns = Turns(served, self._visit_unasked, threads=threads, monotonic=monotonic)
        app = celery_app(broker)
        for name, task in ((DRAIN, self._drain), (SYNC, self._sync), (RECONCILE, self._reconcile)):
            app.task(name=name)(task)
        self._waker = Waker(database, app)
        self._listener = Listener(app, name=holder, threads=threads, monotonic=monotonic)
        self._loop = Loop(self._stop, beside)

    def stop(self) -> None:
        """Ask the worker to end; lanes finish the call they are in."""
        self._stop.set()

    def run(self) -> bool:
        """Work until `stop`; True when all that was under way has ended.

        Otherwise a call to a helpdesk goes on, whose account was given back.
        """
        try:
            self._loop.run(self.tick)
        finally:
            self._listener.stop()
            self._turns.close()
            has_ended = self._visits.end(LANES_GRACE_SECONDS)
            self._listener.end()
            self._loop.end()
        return has_ended

    def tick(self) -> float:
        """One sweep; returns the pause until the next. Raises `StoreError`."""
        self._pulse.beat()
        self._listener.keep()
        needs = self._visits.needed(self._turns.waiting())
        if needs:
            self._sweep(needs)
        return SWEEP_SECONDS

    def _sweep(self, needs: Mapping[str, Need]) -> None:
        """A message for each; those that no message helps are visited from here."""
        with self._database.read() as conn:
            overdue = waking.overdue(conn, needs, PATIENCE_SECONDS)
        self._waker.wake(needs)
        ours = set(needs) if self._waker.is_refused else set(overdue)
        # what was refused here is known here only
        ours |= {name for name in needs if self._served[name].recheck.is_set()}
        self._turns.give({name: needs[name] for name in ours}, elsewhere=self._visits.draining)

    # --- visits --------------------------------------------------------------------------------

    def _visit(self, account: Account, need: Need) -> None:
        """One visit, and another message where there is more to do."""
        try:
            self._visits.visit(account, need)
            # what came after the last look and before the account was free has woken nobody
            if not self._stop.is_set() and "drain" in self._visits.needed([account.name]).values():
                self._waker.wake([account.name])
        except StoreError as error:
            log.warning("database refuses", account=account.name, reason=str(error))

    def _visit_unasked(self, account: Account, need: Need) -> None:
        """One visit that no message asked for; one that is on its way still may."""
        try:
            self._database.run(lambda conn: waking.answered(conn, [account.name]))
        except StoreError as error:
            log.warning("database refuses", account=account.name, reason=str(error))
            return
        self._visit(account, need)

    # --- tasks: what others may send is checked, and never more than a reason to look ----------

    def _drain(self, *account: object, **_: object) -> None:
        """Look for something to do on the account, and do it."""
        self._told(account)

    def _sync(self, *account: object, **_: object) -> None:
        """Have what changed on the account read now."""
        self._told(account, lambda conn, one: sync.request(conn, one.name, sync.CHANGES))

    def _reconcile(self, *account: object, **_: object) -> None:
        """Have open tickets looked at that were not for long, whether or not they changed."""
        self._told(account, lambda conn, one: reconcile.request(conn, one.name))

    def _told(
        self,
        arguments: tuple[object, ...],
        ask: Callable[[Connection, Account], object] = lambda _conn, _one: None,
    ) -> None:
        account = self._served.get(str(arguments[0])) if len(arguments) == 1 else None
        if account is None:
            log.warning("a message without an account of ours was dropped")
            return

        def work(conn: Connection) -> None:
            waking.answered(conn, [account.name])
            ask(conn, account)

        try:
            self._database.run(work)
            need = self._visits.needed([account.name]).get(account.name)
        except StoreError as error:
            log.warning("database refuses", account=account.name, reason=str(error))
            return
        if need is not None:
            self._visit(account, need)
