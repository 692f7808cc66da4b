"""Takes in what asks for a look at a ticket: hints of webhooks, timers, backfills, people."""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, SQLAlchemyError

from connector import telemetry
from connector.engine.queueing import statements
from connector.engine.rank import Rank
from connector.errors import ConnectorError, StoreError, UnreadableWebhook
from connector.helpdesks.base import Hint
from connector.store import tables
from connector.store.database import Database, now

ECHO_QUIET = 10.0  # seconds; our own write is followed by the vendor's triggers, let them end
LONGEST_ID = 255  # characters; the vendors' own ids have at most 36
CAPACITY = 1_000  # hints that may wait; more than the threads of any web process
LARGEST = 200  # hints in one commit; more make it no faster (engine.md 2.5)
PATIENCE = 8.0  # seconds; the vendors hang up after 10
RETRY_AFTER = 5.0  # seconds
ACCEPTED = 202  # the answer of the door, by which deliveries are counted

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


class _Waiting:
    """A hint on its way into the store, and the thread that brought it."""

    __slots__ = ("answer", "delivery", "leads", "turn")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        #: whether it was new, or why it is not stored; None: nobody has tried to the end
        self.answer: bool | Exception | None = None
        #: it has to store what waits, itself included
        self.leads = False
        # a bare lock: an Event or a Future costs as much as all the rest of the wait
        self.turn = threading.Lock()
        self.turn.acquire()


class Intake:
    """Stores the hints of all threads of a process, many in one commit.

    A thread that finds nobody storing stores what waits; when it has done so, it leaves the rest
    to the first that waits. So one thread of a process writes at a time, as threads that write
    side by side would sleep in SQLite's lock instead, and a hint that comes alone changes no hands.
    """

    def __init__(
        self, database: Database, *, capacity: int = CAPACITY, patience: float = PATIENCE
    ) -> None:
        """Take the store, and how many hints may wait for how many seconds, before refusals."""
        self._database = database
        self._capacity = capacity
        self._patience = patience
        self._gate = threading.Lock()  # guards all below
        self._waiting: deque[_Waiting] = deque()
        self._storing_since: float | None = None  # seconds, monotonic; None: nobody stores

    def submit(self, account: str, hint: Hint, own_user_id: str | None = None) -> None:
        """Return when the hint is stored durably, or was before.

        Raises `StoreError` when the store refuses or does not answer, or too many hints wait: it
        may be stored all the same. `UnreadableWebhook` when the hint itself cannot be stored.
        """
        delivery = Delivery(account=account, hint=hint, own_user_id=own_user_id)
        delivery.check()
        if hint.ticket_id is None:
            telemetry.DELIVERIES.labels(account, "ignored", ACCEPTED).inc()
            return
        one = _Waiting(delivery)
        self._join(one)
        if not one.leads and not one.turn.acquire(timeout=self._patience):
            self._leave(one)
        if one.leads:
            self._lead()
        if not isinstance(one.answer, bool):
            raise one.answer or self._no_answer()
        result = "accepted" if one.answer else "duplicate"
        telemetry.DELIVERIES.labels(account, result, ACCEPTED).inc()

    def _join(self, one: _Waiting) -> None:
        """Wait with the others, or lead where nobody does."""
        with self._gate:
            if len(self._waiting) >= self._capacity:
                raise _refused("too many deliveries wait to be stored")
            at = time.monotonic()
            if self._storing_since is None:
                self._storing_since = at
                one.leads = True
            elif at - self._storing_since > self._patience:
                raise self._no_answer()
            self._waiting.append(one)

    def _leave(self, one: _Waiting) -> None:
        """Give up waiting, unless the turn came at this very moment."""
        with self._gate:
            if one.leads:
                return
            if one in self._waiting:
                self._waiting.remove(one)
        raise self._no_answer()

    def _no_answer(self) -> StoreError:
        return _refused(f"the store has not answered for {self._patience:.0f} s")

    def _lead(self) -> None:
        """Store what waits, up to one commit, and pass the lead on."""
        with self._gate:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST))]
        try:
            self._store(batch)
        finally:
            for one in batch[1:]:  # the first is the one that leads
                one.turn.release()
            self._pass_on()

    def _pass_on(self) -> None:
        with self._gate:
            if not self._waiting:
                self._storing_since = None
                return
            self._storing_since = time.monotonic()
            following = self._waiting[0]
            following.leads = True
            following.turn.release()

    def _store(self, batch: Sequence[_Waiting]) -> None:
        deliveries = [one.delivery for one in batch]
        try:
            # a lock is waited for 5 s, and the vendors hang up after 10 s
            with _alone(self._database.path):
                answers = self._database.run(lambda conn: accept_all(conn, deliveries), tries=1)
        except StoreError as error:
            self._refuse(batch, error)
        except Exception as error:  # whatever it is, nobody may be told that it is stored
            self._find_culprit(batch, error)
        else:
            for one, answer in zip(batch, answers, strict=True):
                one.answer = answer

    def _refuse(self, batch: Sequence[_Waiting], error: StoreError) -> None:
        """Refuse also those that came meanwhile: they have waited, and would do so once more."""
        with self._gate:
            meanwhile = list(self._waiting)
            self._waiting.clear()
        for one in (*batch, *meanwhile):
            one.answer = _refused(str(error))
        for one in meanwhile:
            one.turn.release()

    def _find_culprit(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One of them is to blame: store each by itself, so that only that one is refused."""
        if len(batch) == 1:
            batch[0].answer = _blame(error)
            return
        for one in batch:
            self._store([one])


@contextmanager
def _alone(database: Path | None) -> Iterator[None]:
    """Let the processes that share a SQLite file take turns; None: the database orders them.

    SQLite asks for its lock every now and then, so that a process may starve beside a busy one.
    """
    if database is None:
        yield
        return
    path = database.with_name(database.name + "-intake")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}; check the rights") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)  # that gives it back


def _refused(message: str) -> StoreError:
    return StoreError(message, retry_after=RETRY_AFTER)


def _blame(error: Exception) -> Exception:
    """The error that the submitter of a single hint sees."""
    if isinstance(error, DataError | UnicodeEncodeError):
        return UnreadableWebhook("it holds characters that the database cannot store")
    if isinstance(error, ConnectorError) or not isinstance(error, SQLAlchemyError):
        return error
    return StoreError(f"the database refuses the hint: {type(error).__name__}")
