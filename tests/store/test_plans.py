"""What is asked many times a second is found by an index, on both databases."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from benchmarks.million import fill, make_due, others, picking, settle
from connector.store.database import Database
from connector.store.tables import notice

ROWS = 3_000  # so many that PostgreSQL finds an index cheaper than the table
LARGE = ("ticket", "history", "evidence", "delivery")
# on SQLite, whose plans name the columns by which an index is entered
ENTERED = {
    "accounts to drain": "ix_ticket_claim (account=? AND rank=?",
    "is any due": "ix_ticket_claim (account=? AND rank=?",
    "how many wait": "ix_ticket_claim (account=? AND rank=?",
    "claim 100": "ix_ticket_claim (account=? AND rank=?",
    "claim 100, old first": "ix_ticket_claim (account=? AND rank=?",
    "watch the timers": "ix_ticket_timer_at (account=? AND timer_at<?)",
    "messages to send": "ix_notice_due (account=? AND not_before<?)",
    "status and metrics": "ix_ticket_claim (account=? AND rank=?",
    "retention: delivery": "ix_delivery_received_at (received_at<?)",
    "retention: ticket": "ix_ticket_evaluated (account=? AND is_over=? AND evaluated_at<?)",
}


def _sent(number: int) -> dict[str, Any]:
    """A notice that was sent."""
    return {
        "account": "acme", "ticket_id": str(number), "step": "late", "metric": "resolution",
        "started_at": 1.0, "reached_at": 2.0, "stands": True, "state": "sent",
        "message_id": f"msg_{number}", "body": "{}", "created_at": 3.0,
    }  # fmt: skip


class Plans:
    """The plans of all statements that go through any connection."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._asking = False

    def see(self, conn: Any, _cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        many = rest[-1]
        kind = statement.split(maxsplit=1)[0].upper()
        if self._asking or kind not in ("SELECT", "UPDATE", "DELETE", "INSERT"):
            return
        words = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
        self._asking = True
        try:
            first = parameters[0] if many else parameters
            rows = conn.exec_driver_sql(f"{words} {statement}", first).all()
        finally:
            self._asking = False
        self.lines += [str(row[-1]).strip() for row in rows]

    @property
    def scanned(self) -> list[str]:
        """Lines by which a large table is read from its beginning to its end."""
        tables = "|".join(LARGE)
        return [
            line for line in self.lines if re.match(rf"(SCAN|.*Seq Scan on) ({tables})\b", line)
        ]


@pytest.fixture
def plans() -> Iterator[Plans]:
    seen = Plans()
    yield seen
    event.remove(Engine, "before_cursor_execute", seen.see)


def test_no_question_reads_a_table_from_end_to_end(database: Database, plans: Plans) -> None:
    with database.write() as conn:
        fill(conn, ROWS)
        make_due(conn, 40)
        conn.execute(notice.insert(), [_sent(number) for number in range(ROWS)])
    settle(database)
    scanned, missed = {}, {}
    event.listen(Engine, "before_cursor_execute", plans.see)
    for question in (*picking(database), *others(database)):
        plans.lines.clear()
        with database.write() as conn:
            question.ask(conn)
        scanned[question.name] = plans.scanned
        entered = ENTERED.get(question.name)
        if entered and not any(_fits(entered, line, database) for line in plans.lines):
            missed[question.name] = list(plans.lines)
    assert {name: lines for name, lines in scanned.items() if lines} == {}
    assert missed == {}


def _fits(entered: str, line: str, database: Database) -> bool:
    if database.path is not None:
        return entered in line
    return entered.split(" ")[0] in line  # PostgreSQL shows the columns on another line
