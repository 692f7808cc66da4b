"""The watch: a timer whose ticket cannot be read in time is judged by what was last read.

The lane reads a ticket before it judges it. While the helpdesk is away, or our share of its limits
is used up, a target is missed all the same: the answer is stored at its instant, and written once
the ticket can be read. Nothing leaves the house on such knowledge, no field and no message.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, or_, select, update

from connector.engine import evidence, exceptions, journal, lag
from connector.engine.context import Account, Clocks
from connector.engine.evidence import Answer
from connector.engine.stored_ticket import from_body
from connector.errors import loggable
from connector.store.database import Database, now, skip_locked
from connector.store.tables import account as account_table
from connector.store.tables import history, ticket
from mappings.assignment import policy_for
from mappings.evaluate import evaluate

log = structlog.get_logger()

GRACE_SECONDS = 0.5  # in which the lane has read and judged the ticket, if all is well
SKEW_SECONDS = 2.0  # a hint this much later than the look may still be older: two clocks differ
BATCH = 50  # tickets of one transaction


class Watch:
    """Watches the timers of some accounts. For one thread; several workers may have one each."""

    def __init__(self, database: Database, served: Mapping[str, Account]) -> None:
        self._database = database
        self._served = served
        self._clocks = Clocks()
        #: the helpdesk's clock must have been read after this instant to be believed, epoch seconds
        self._trusted_since = 0.0

    def step(self, monotonic: float) -> int:
        """Judge what is overdue; returns how many tickets. `monotonic` is `time.monotonic()`."""
        with self._database.read() as conn:
            at = now(conn)
            if self._clocks.stepped(at, monotonic):
                self._trusted_since = at
            is_quiet = conn.execute(self._overdue(at).limit(1)).first() is None
        if is_quiet:
            return 0
        judged, at = self._database.run(self._judge)
        for name, due in judged:
            lag.note_timers(name, [due], at)
        return len(judged)

    def _overdue(self, at: float) -> Select[Any]:
        """Those of which nothing is known that was not read: no hint since the latest look."""
        columns, of_account = ticket.c, account_table.c
        unseen = columns.hinted_at + of_account.clock_offset > columns.evaluated_at + SKEW_SECONDS
        return (
            select(
                columns.account, columns.ticket_id, columns.timer_at, of_account.clock_offset,
                history.c.body, history.c.ticket,
            )
            .join(account_table, of_account.name == columns.account)
            .join(
                history,
                (history.c.account == columns.account) & (history.c.ticket_id == columns.ticket_id),
            )
            .where(
                columns.account.in_(list(self._served)),
                columns.timer_at <= at - GRACE_SECONDS,
                history.c.ticket.is_not(None),
                of_account.clock_checked_at >= self._trusted_since,
                or_(columns.hinted_at.is_(None), ~unseen),
            )
            .order_by(columns.timer_at)
        )  # fmt: skip

    def _judge(self, conn: Connection) -> tuple[list[tuple[str, float]], float]:
        at = now(conn)
        rows = conn.execute(skip_locked(self._overdue(at).limit(BATCH), ticket)).all()
        for row in sorted(rows, key=lambda row: (row.account, row.ticket_id)):
            self._judge_one(conn, row, at)
        return [(row.account, row.timer_at) for row in rows], at

    def _judge_one(self, conn: Connection, row: Row[Any], at: float) -> None:
        account = self._served[row.account]
        instant = datetime.fromtimestamp(at + row.clock_offset, UTC)
        excepted = exceptions.of_tickets(conn, account.name, [row.ticket_id])
        try:
            seen = journal.complete(from_body(row.ticket), journal.from_body(row.body))
            policy = policy_for(seen, account.assignments, instant)
            evaluation = evaluate(seen, policy, instant, excepted.get(row.ticket_id, ()))
        except Exception as error:
            log.error(
                "a timer could not be judged", account=row.account, ticket=row.ticket_id,
                reason=loggable(error),
            )  # fmt: skip
            where = (ticket.c.account == row.account, ticket.c.ticket_id == row.ticket_id)
            conn.execute(update(ticket).where(*where).values(timer_at=None))  # the lane will tell
            return
        change = evaluation.next_change_at
        answer = Answer(
            evaluation=evaluation,
            remarks=None,
            timer_at=None if change is None else change.timestamp() - row.clock_offset,
            is_look=False,
        )
        if evidence.keep_answers(conn, row.account, [answer]):
            log.info(
                "judged by what was last read", account=row.account, ticket=row.ticket_id,
                state=evaluation.state.value if evaluation.state else None,
            )  # fmt: skip
