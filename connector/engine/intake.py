"""Takes in what asks for a look at a ticket: hints of webhooks, timers, backfills, people."""

import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, SQLAlchemyError

from connector.engine.queueing import statements
from connector.engine.rank import Rank
from connector.errors import ConnectorError, StoreError, UnreadableWebhook
from connector.helpdesks.base import Hint
from connector.store import tables
from connector.store.database import Database, now

ECHO_QUIET = 10.0  # seconds; our own write is followed by the vendor's triggers, let them end
LONGEST_ID = 255  # characters; the vendors' own ids have at most 36
CAPACITY = 1_000  # hints that may wait; more than the threads of any web process
LINGER = 0.001  # seconds after a shared commit, so that those it let go can come back together
LARGEST = 200  # hints in one commit; more make it no faster (engine.md 2.5)
PATIENCE = 8.0  # seconds; the vendors hang up after 10
RETRY_AFTER = 5.0  # seconds

Key = tuple[str, str]  # account, ticket id or delivery id


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A hint and where it came from."""

    account: str
    hint: Hint
    #: our user on that helpdesk; a hint about what this user did is an echo. None: not known
    own_user_id: str | None = None

    @property
    def is_echo(self) -> bool:
        """Whether our own user did what the hint tells."""
        return self.hint.actor_id is not None and self.hint.actor_id == self.own_user_id

    def check(self) -> None:
        """Raise `UnreadableWebhook` for an id that no helpdesk gives."""
        for name, value in (("ticket", self.hint.ticket_id), ("delivery", self.hint.delivery_id)):
            if value is not None and not (0 < len(value) <= LONGEST_ID and value.isprintable()):
                raise UnreadableWebhook(
                    f"the {name} id is not one: 1 to {LONGEST_ID} printable characters are expected"
                )


def accept(conn: Connection, account: str, hint: Hint, *, own_user_id: str | None = None) -> bool:
    """Take in one hint. False when its delivery was taken in before, so that nothing was done."""
    delivery = Delivery(account=account, hint=hint, own_user_id=own_user_id)
    return accept_all(conn, [delivery])[0]


def accept_all(conn: Connection, deliveries: Sequence[Delivery]) -> list[bool]:
    """Take in many hints, in a few statements; for each whether it was new.

    A hint without a ticket is taken in by doing nothing. The account row is never touched.
    """
    at = now(conn)
    about_tickets = [one for one in deliveries if one.hint.ticket_id is not None]
    unseen = _remember(conn, about_tickets, at)
    fresh, answers = [], []
    for one in deliveries:
        is_new = _is_new(one, unseen)
        answers.append(is_new)
        if is_new and one.hint.ticket_id is not None:
            fresh.append(one)
    _store_observations(conn, fresh, at)
    _queue(conn, fresh, at)
    return answers


def request_look(
    conn: Connection, account: str, ticket_ids: Iterable[str], rank: Rank, *, unpark: bool = False
) -> None:
    """Have tickets looked at as soon as their turn comes.

    A ticket that is due already keeps its better rank. `unpark` has parked tickets tried once; it
    is for people, who ask for one ticket by name.
    """
    at = now(conn)
    rows = [
        {"account": account, "ticket_id": ticket_id, "look_at": at, "rank": int(rank)}
        | {"wanted": 1, "created": at, "unpark": unpark}
        for ticket_id in sorted(set(ticket_ids))
    ]
    if rows:
        conn.execute(statements(conn.dialect.name).request, rows)


def _remember(conn: Connection, deliveries: Sequence[Delivery], at: float) -> set[Key]:
    """Store the vendors' delivery ids; returns those that were not stored before."""
    rows: dict[Key, dict[str, Any]] = {}
    for one in deliveries:
        if one.hint.delivery_id is not None:
            key = (one.account, one.hint.delivery_id)
            row = {"account": key[0], "delivery_id": key[1], "ticket_id": one.hint.ticket_id}
            rows.setdefault(key, row | {"received_at": at})
    if not rows:
        return set()
    found = conn.execute(
        statements(conn.dialect.name).remember, [rows[key] for key in sorted(rows)]
    )
    return {(row.account, row.delivery_id) for row in found}


def _is_new(one: Delivery, unseen: set[Key]) -> bool:
    """Whether it is no duplicate; of two in one batch the first is new and uses the id up."""
    if one.hint.ticket_id is None or one.hint.delivery_id is None:
        return True
    key = (one.account, one.hint.delivery_id)
    if key not in unseen:
        return False
    unseen.remove(key)
    return True


def _store_observations(conn: Connection, fresh: Sequence[Delivery], at: float) -> None:
    rows = [
        {"account": one.account, "ticket_id": one.hint.ticket_id, "received_at": at}
        | {"field": seen.field, "before": seen.before, "after": seen.after}
        | {"at": seen.at.timestamp() if seen.at else None}
        for one in fresh
        for seen in one.hint.observations
    ]
    if rows:
        conn.execute(tables.observation.insert(), rows)


def _queue(conn: Connection, fresh: Sequence[Delivery], at: float) -> None:
    """One row per ticket, in the order of the keys so that two writers cannot deadlock."""
    grouped: dict[Key, list[Delivery]] = {}
    for one in fresh:
        grouped.setdefault((one.account, str(one.hint.ticket_id)), []).append(one)
    rows = [_row(key, grouped[key], at) for key in sorted(grouped)]
    if rows:
        conn.execute(statements(conn.dialect.name).hint, rows)


def _row(key: Key, hints: Sequence[Delivery], at: float) -> Mapping[str, Any]:
    echo = all(one.is_echo for one in hints)
    return {
        "account": key[0],
        "ticket_id": key[1],
        "look_at": at + ECHO_QUIET if echo else at,
        "rank": int(Rank.HINT),
        "wanted": len(hints),
        "created": at,
        "hinted_at": at,
        "echo": echo,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    delivery: Delivery
    done: Future[None] = field(default_factory=Future)


class Intake:
    """The one thread of a process that stores hints.

    The thread starts with the first hint and thus after a fork. Threads that write side by side
    would sleep in SQLite's lock instead.
    """

    def __init__(self, database: Database, *, capacity: int = CAPACITY) -> None:
        """Take the store and how many hints may wait before more are refused."""
        self._database = database
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(capacity)
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def submit(self, account: str, hint: Hint, own_user_id: str | None = None) -> None:
        """Return when the hint is stored durably, or was before.

        Raises `StoreError` when the store refuses, too many hints wait or `stop` was called;
        `UnreadableWebhook` when the hint itself cannot be stored.
        """
        delivery = Delivery(account=account, hint=hint, own_user_id=own_user_id)
        delivery.check()
        if hint.ticket_id is None:
            return
        waiting = _Waiting(delivery=delivery)
        self._enqueue(waiting)
        try:
            waiting.done.result(PATIENCE)
        except TimeoutError:
            raise _refused(f"the store has not answered for {PATIENCE:.0f} s") from None

    def start(self) -> None:
        """Start the thread; `submit` does it by itself."""
        with self._gate:
            self._start()

    def stop(self) -> None:
        """Store what waits, refuse what comes later, and end the thread."""
        with self._gate:
            self._stopped = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _start(self) -> None:
        if self._stopped:
            raise _refused("deskclock is stopping")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
            self._thread.start()

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._gate:
            self._start()
            try:
                self._queue.put_nowait(waiting)
            except queue.Full:
                raise _refused("too many deliveries wait to be stored") from None

    def _work(self) -> None:
        running, crowded = True, False
        while running:
            batch, running = self._take(LINGER if crowded else 0)
            crowded = len(batch) > 1
            if batch:
                self._store(batch)

    def _take(self, linger: float) -> tuple[list[_Waiting], bool]:
        """What waits, up to one commit; and whether there will be more."""
        batch: list[_Waiting] = []
        one = self._queue.get()
        if linger:
            time.sleep(linger)
        while one is not None:
            batch.append(one)
            if len(batch) == LARGEST:
                return batch, True
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _store(self, batch: Sequence[_Waiting]) -> None:
        deliveries = [waiting.delivery for waiting in batch]
        try:
            # a lock is waited for 5 s, and the vendors hang up after 10 s
            self._database.run(lambda conn: accept_all(conn, deliveries), tries=1)
        except StoreError as error:
            for waiting in batch:
                waiting.done.set_exception(_refused(str(error)))
        except Exception as error:  # whatever it is, nobody may wait for ever
            self._find_culprit(batch, error)
        else:
            for waiting in batch:
                waiting.done.set_result(None)

    def _find_culprit(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One of them is to blame: store each by itself, so that only that one is refused."""
        if len(batch) == 1:
            batch[0].done.set_exception(_blame(error))
            return
        for waiting in batch:
            self._store([waiting])


def _refused(message: str) -> StoreError:
    return StoreError(message, retry_after=RETRY_AFTER)


def _blame(error: Exception) -> Exception:
    """The error that the submitter of a single hint sees."""
    if isinstance(error, DataError | UnicodeEncodeError):
        return UnreadableWebhook("it holds characters that the database cannot store")
    if isinstance(error, ConnectorError) or not isinstance(error, SQLAlchemyError):
        return error
    return StoreError(f"the database refuses the hint: {type(error).__name__}")
