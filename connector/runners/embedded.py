"""The embedded runner: one worker process on one machine, a thread for each account it drains."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog
from filelock import FileLock, Timeout
from sqlalchemy import Connection

from connector.engine import accounts, schedule, sync
from connector.engine.accounts import Lease
from connector.engine.context import Account
from connector.engine.lane import Lane
from connector.engine.messenger import Messenger
from connector.errors import AccountError, SettingsError, StoreError
from connector.store.database import Database
from connector.store.heartbeat import beat

log = structlog.get_logger()

HEARTBEAT_SECONDS = 2.0
STORE_RETRY_SECONDS = 1.0
FIELDS_SECONDS = 600.0  # fields may be deleted or retyped behind our back
CLOCK_WARN_SECONDS = 300.0
MESSAGE_POLL_SECONDS = 0.5
MESSAGE_GRACE_SECONDS = 3.0
HEARTBEAT = "worker"


class Worker:
    """Looks for accounts with something to do and drains each in a thread of its own."""

    def __init__(
        self,
        database: Database,
        served: Mapping[str, Account],
        *,
        threads: int,
        poll_seconds: float,
        clock_check_seconds: float,
        messenger: Messenger | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._served = served
        self._poll_seconds = poll_seconds
        self._clock_check_seconds = clock_check_seconds
        self._monotonic = monotonic
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lane")
        self._running: dict[str, Future[None]] = {}
        self._introduced: dict[str, float] = {}
        self._checked: dict[str, float] = {}
        self._told_of_clock: set[str] = set()
        self._beaten = float("-inf")

    def stop(self) -> None:
        """Ask the worker to end; lanes finish the call they are in."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`. A refusing database is waited for."""
        messages = threading.Thread(target=self._send_messages, name="messages", daemon=True)
        messages.start()
        try:
            while not self._stop.is_set():
                try:
                    self.tick()
                    pause = self._poll_seconds
                except StoreError as error:
                    log.warning("database refuses", reason=str(error))
                    pause = STORE_RETRY_SECONDS
                self._stop.wait(pause)
        finally:
            self._stop.set()
            self._pool.shutdown(wait=True)
            messages.join(MESSAGE_GRACE_SECONDS)  # what is on its way then is sent once more

    def _send_messages(self) -> None:
        """In a thread of its own: a receiver that does not answer delays no account."""
        while self._messenger is not None and not self._stop.is_set():
            try:
                pause = 0.0 if self._messenger.deliver() else MESSAGE_POLL_SECONDS
            except StoreError:
                pause = STORE_RETRY_SECONDS
            except Exception:
                log.exception("messenger failed")
                pause = STORE_RETRY_SECONDS
            self._stop.wait(pause)

    def tick(self) -> None:
        """One look for work."""
        self._beat()
        self._running = {name: one for name, one in self._running.items() if not one.done()}
        free = [name for name in self._served if name not in self._running]
        with self._database.read() as conn:
            due = set(schedule.accounts_to_drain(conn, free))
        now = self._monotonic()
        for name in free:
            idle = now - self._checked.get(name, float("-inf")) >= self._clock_check_seconds
            if name in due or idle or self._served[name].recheck.is_set():
                self._running[name] = self._pool.submit(
                    self._visit, self._served[name], name in due
                )

    def _beat(self) -> None:
        if self._monotonic() - self._beaten < HEARTBEAT_SECONDS:
            return
        self._beaten = self._monotonic()
        body = {"holder": self._holder, "accounts": sorted(self._served)}
        self._database.run(lambda conn: beat(conn, HEARTBEAT, body))

    def _visit(self, account: Account, due: bool) -> None:
        try:
            self._enter(account, due)
        except StoreError as error:
            log.warning("database refuses", account=account.name, reason=str(error))
        except Exception:
            log.exception("lane failed", account=account.name)
            self._stop.wait(STORE_RETRY_SECONDS)

    def _enter(self, account: Account, due: bool) -> None:
        """Take the lease, make sure of who we are there, drain."""
        lease = self._database.run(lambda conn: accounts.acquire(conn, account.name, self._holder))
        if lease is None:
            return
        try:
            lease = self._known(account, lease, due)
            if lease is not None and due:
                Lane(self._database, account, lease, self._stop, self._monotonic).drain()
        finally:
            if lease is not None:
                held = lease
                self._database.run(lambda conn: accounts.release(conn, held))

    def _known(self, account: Account, lease: Lease, due: bool) -> Lease | None:
        """The lease for an account that has just proved itself; None where it is of no use."""
        checked = self._monotonic()
        is_fresh = checked - self._checked.get(account.name, float("-inf"))
        if is_fresh < self._clock_check_seconds and not account.recheck.is_set():
            return lease
        if not self._introduce(account, due):
            self._database.run(lambda conn: accounts.release(conn, lease))
            return None
        self._checked[account.name] = checked
        # the calls took time; what follows counts on a lease of full length
        return self._database.run(lambda conn: accounts.renew(conn, lease))

    def _introduce(self, account: Account, due: bool) -> bool:
        """Prove the credentials, read the fields once, compare the clocks; False if it failed."""
        try:
            identity = account.helpdesk.identify()
            advice = self._advice(account)
        except AccountError as error:
            seconds = self._failed(account, error)
            log.warning(
                "account not usable", account=account.name, reason=str(error),
                again_in_seconds=round(seconds, 1),
            )  # fmt: skip
            return False
        samples = account.helpdesk.clock_samples()

        def work(conn: Connection) -> bool:
            if not due:  # otherwise a whole pass must go well: who may read may not write yet
                accounts.succeeded(conn, account.name)
            accounts.know_ourselves(conn, account.name, identity)
            offset = accounts.read_clock(conn, account, samples, self._monotonic())
            sync.begin(conn, account.name)
            self._tell_of_clock(account.name, offset)
            return advice is not None and accounts.advise(conn, account.name, advice)

        if self._database.run(work):
            for line in advice or ():
                log.warning("account set-up", account=account.name, advice=line)
        return True

    def _tell_of_clock(self, name: str, offset: float) -> None:
        """Once: it is no fault of the account, whose dates follow the helpdesk's clock."""
        if abs(offset) > CLOCK_WARN_SECONDS and name not in self._told_of_clock:
            self._told_of_clock.add(name)
            log.info("the helpdesk's clock differs from ours", account=name, seconds=round(offset))

    def _advice(self, account: Account) -> tuple[str, ...] | None:
        """What the account's fields make an admin know; None while they need not be read anew."""
        read_at = self._introduced.get(account.name, float("-inf"))
        is_due = self._monotonic() - read_at >= FIELDS_SECONDS
        if not is_due and not account.recheck.is_set():
            return None
        account.recheck.clear()
        advice = account.helpdesk.prepare()
        self._introduced[account.name] = self._monotonic()
        return advice

    def _failed(self, account: Account, error: AccountError) -> float:
        return self._database.run(lambda conn: accounts.failed(conn, account.name, error))


def only_worker(data_dir: Path) -> FileLock:
    """The lock that makes a second worker on this data directory impossible."""
    return only_one("worker", data_dir)


def only_one(what: str, data_dir: Path) -> FileLock:
    """The lock that makes a second `what` on this data directory impossible."""
    lock = FileLock(data_dir / f"{what}.lock")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(
            f"another deskclock {what} uses {data_dir.absolute()}; stop it, "
            "or give this one a directory of its own with --data-dir"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{data_dir.absolute()} cannot be written: {error.strerror}; check the rights, "
            "or name another directory with --data-dir"
        ) from None
    return lock
