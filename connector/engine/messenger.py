"""The messenger: posts what notices say to whoever is to be told, at least once each."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlalchemy import ColumnElement, Connection, select, update

from connector import telemetry
from connector.engine.notices import DUE, GIVEN_UP, SENT
from connector.store.database import Database, now, skip_locked
from connector.store.tables import notice

log = structlog.get_logger()

# the pauses after a first failure, a second and so on, as the Standard Webhooks specification has
# them; the last one is repeated until the message is too old
PAUSES_SECONDS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
LONGEST_SECONDS = 4 * 86_400.0  # a message that could not be delivered for so long is given up
# somebody who took a message and fell silent has died; the longest call is far shorter
TAKEN_SECONDS = 60.0
FIRST_REST_SECONDS = 1.0  # a receiver that fails is left alone, so that it delays no other one
LONGEST_REST_SECONDS = 300.0
GONE = 410


class Posted(Protocol):
    """How a call ended."""

    @property
    def status(self) -> int | None:
        """The status of the answer; None where there was none."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where the receiver said so."""

    @property
    def reason(self) -> str:
        """How it ended, in words that hold no address."""


Post = Callable[[str, bytes, Mapping[str, str]], Posted]


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Where an account's notices go."""

    url: str = field(repr=False)
    #: keys; a message is signed with each, so that one can be replaced by the next
    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that is to be posted now."""

    row: int
    ticket_id: str
    id: str
    body: bytes
    #: tries begun, this one included
    attempts: int
    created_at: float
    #: the database's clock when it was taken, epoch seconds
    at: float


@dataclass(kw_only=True, slots=True)
class _Rest:
    """How long a receiver is left alone."""

    until: float = float("-inf")
    failures: int = 0
    is_gone: bool = False


class Messenger:
    """Delivers the notices of some accounts, one after the other. For one thread.

    A message is marked as taken before it is sent and as sent after it was answered, so that one
    that dies in between is sent again, under the same id.
    """

    def __init__(
        self,
        database: Database,
        receivers: Mapping[str, Receiver],
        post: Post,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._receivers = receivers
        self._post = post
        self._monotonic = monotonic
        self._rests = {name: _Rest() for name in receivers}

    def deliver(self) -> int:
        """Send what is due, one message for each receiver; returns how many were tried."""
        at = self._monotonic()
        awake = [name for name, one in self._rests.items() if not one.is_gone and at >= one.until]
        with self._database.read() as conn:  # nearly always there is nothing to do
            due = with_due(conn, awake)
        return sum(map(self._tried, due))

    def _tried(self, name: str) -> bool:
        """One receiver's trouble must not be another's."""
        try:
            return self._deliver_one(name)
        except Exception:
            log.exception("a notice could not be sent", account=name)
            self._note(name, None)
            return False

    def _deliver_one(self, name: str) -> bool:
        for ticket_id in self._database.run(lambda conn: give_up(conn, name)):
            telemetry.NOTICES.labels(name, "given_up").inc()
            log.error("notice given up: it could not be sent", account=name, ticket=ticket_id)
        message = self._database.run(lambda conn: take(conn, name))
        if message is None:
            return False
        receiver = self._receivers[name]
        posted = self._post(receiver.url, message.body, headers(message, receiver))
        self._note(name, posted)
        self._database.run(lambda conn: answered(conn, message, posted))
        _log(name, message, posted)
        return True

    def _note(self, name: str, posted: Posted | None) -> None:
        """Leave a receiver alone for a while that failed; None: nothing was even sent."""
        rest = self._rests[name]
        if posted is not None and is_success(posted):
            self._rests[name] = _Rest()
            return
        pause = min(FIRST_REST_SECONDS * 2.0 ** min(rest.failures, 10), LONGEST_REST_SECONDS)
        rest.failures += 1
        asked = (posted.retry_after if posted else None) or 0.0
        rest.until = self._monotonic() + max(pause, asked)
        rest.is_gone = posted is not None and posted.status == GONE


def is_success(posted: Posted) -> bool:
    """Whether the receiver took the message."""
    return posted.status is not None and 200 <= posted.status < 300


def _is_due(at: float) -> ColumnElement[bool]:
    return (notice.c.state == DUE) & (notice.c.not_before <= at)


def with_due(conn: Connection, accounts: Sequence[str]) -> list[str]:
    """Those accounts that have a message to send now."""
    query = (
        select(notice.c.account)
        .where(notice.c.account.in_(list(accounts)), _is_due(now(conn)))
        .distinct()
    )
    return [row[0] for row in conn.execute(query)] if accounts else []


def give_up(conn: Connection, account: str) -> list[str]:
    """Give up what could not be sent for too long; returns its tickets."""
    columns, too_old = notice.c, now(conn) - LONGEST_SECONDS
    rows = conn.execute(
        update(notice)
        .where(columns.account == account, columns.state == DUE, columns.created_at < too_old)
        .values(state=GIVEN_UP)
        .returning(columns.ticket_id)
    )
    return [row[0] for row in rows]


def take(conn: Connection, account: str) -> Message | None:
    """The oldest message of an account that is due, marked as taken; None where there is none."""
    at, columns = now(conn), notice.c
    is_due = (columns.account == account) & _is_due(at)
    row = conn.execute(
        skip_locked(select(notice).where(is_due).order_by(columns.id).limit(1))
    ).first()
    if row is None:
        return None
    conn.execute(
        update(notice)
        .where(columns.id == row.id)
        .values(attempts=columns.attempts + 1, not_before=at + TAKEN_SECONDS)
    )
    return Message(
        row=row.id,
        ticket_id=row.ticket_id,
        id=row.message_id,
        body=row.body.encode(),
        attempts=row.attempts + 1,
        created_at=row.created_at,
        at=at,
    )


def answered(conn: Connection, message: Message, posted: Posted) -> None:
    """Note how a try ended."""
    at = now(conn)
    if is_success(posted):
        values = {"state": SENT, "sent_at": at, "last_error": None}
    elif posted.status == GONE:  # kept for the receiver that the worker's next start may find
        values = {"not_before": at, "last_error": posted.reason}
    else:
        pause = PAUSES_SECONDS[min(message.attempts, len(PAUSES_SECONDS)) - 1]
        pause = max(pause, posted.retry_after or 0.0)
        values = {"not_before": at + pause, "last_error": posted.reason}
    conn.execute(update(notice).where(notice.c.id == message.row).values(**values))


def headers(message: Message, receiver: Receiver) -> dict[str, str]:
    """The headers of the Standard Webhooks specification; the time is that of this very try."""
    second = int(message.at)
    signed = f"{message.id}.{second}.".encode() + message.body
    return {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(second),
        "webhook-signature": " ".join(_signature(key, signed) for key in receiver.keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _log(name: str, message: Message, posted: Posted) -> None:
    about = {"account": name, "ticket": message.ticket_id, "message": message.id}
    telemetry.NOTICES.labels(name, "sent" if is_success(posted) else "failed").inc()
    if is_success(posted):
        log.info("notice sent", **about, attempts=message.attempts)
    elif posted.status == GONE:
        log.error(
            "the receiver of notices says that it is gone; nothing more is sent to it before the "
            "worker starts again",
            **about,
        )
    else:
        log.warning("notice not sent", **about, attempts=message.attempts, reason=posted.reason)
