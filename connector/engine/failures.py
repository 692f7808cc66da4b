"""Failures of one ticket: try again later, wait for the dust to settle, park it, let it go."""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection

from connector import telemetry
from connector.engine import evidence, schedule
from connector.engine.holding import Holding
from connector.engine.schedule import Claim
from connector.errors import (
    TicketNotFound,
    TicketReadOnly,
    WriteBlocked,
    WriteConflict,
    loggable,
)
from connector.store.database import now

log = structlog.get_logger()

FRESH_HINT_SECONDS = 300.0  # a ticket that is not there yet may appear within this
PATIENT_AFTER = 2  # conflicts in a row, then the ticket waits
PATIENCE_SECONDS = 5.0


class Failures:
    """What becomes of the tickets of one account that failed."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._name = holding.account.name
        self._conflicts = holding.account.conflicts

    def conflicts(self, ticket_id: str) -> int:
        """How often in a row somebody was faster than our write."""
        return self._conflicts.get(ticket_id, 0)

    def over(self, ticket_id: str) -> None:
        """The ticket is well again."""
        self._conflicts.pop(ticket_id, None)

    def row(self, ticket_id: str, body: Mapping[str, Any], error: Exception) -> None:
        """A row of a bulk write failed; `body` is that of its intent."""
        with self._holding.database.read() as conn:
            claim = schedule.as_claimed(conn, self._name, ticket_id, body["wanted"])
        if claim is not None:
            self.ticket(claim, error, seen=body["seen_updated_at"])

    def ticket(self, claim: Claim, error: Exception, *, seen: float | None = None) -> None:
        """A look failed because of its ticket; `seen` is its "last updated", where it was read."""
        name, ticket_id = self._name, claim.ticket_id
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, WriteConflict):
            self._conflict(claim)
        elif isinstance(error, TicketNotFound):
            self._missing(claim)
        elif isinstance(error, TicketReadOnly):
            self._holding.commit(lambda conn: schedule.left_alone(conn, name, claim, reason))
            self._count("read_only")
            log.info(
                "ticket takes no writes", account=name, ticket=ticket_id, reason=loggable(error)
            )
        elif isinstance(error, WriteBlocked) and seen is not None:
            self._blocked(claim, error, seen)
        else:
            parked = self._holding.commit(lambda conn: schedule.again(conn, name, claim, reason))
            kind = evidence.PARKED if parked else evidence.FAILED
            self._holding.commit(lambda conn: evidence.record(conn, name, ticket_id, kind, reason))
            self._count("parked" if parked else "again")
            log.warning(
                "ticket failed", account=name, ticket=ticket_id, reason=loggable(error),
                attempts=claim.attempts, parked=bool(parked),
            )  # fmt: skip

    def _count(self, outcome: str) -> None:
        telemetry.TICKET_FAILURES.labels(self._name, outcome).inc()

    def _conflict(self, claim: Claim) -> None:
        """Somebody was faster. Look again; after two in a row wait for the dust to settle."""
        name, count = self._name, self._conflicts.get(claim.ticket_id, 0) + 1
        self._conflicts[claim.ticket_id] = count
        pause = PATIENCE_SECONDS if count >= PATIENT_AFTER else 0.0

        def work(conn: Connection) -> None:
            schedule.conflicted(conn, name, claim.ticket_id, pause)
            evidence.record(conn, name, claim.ticket_id, evidence.CONFLICT, {"in_a_row": count})

        self._holding.commit(work)
        self._count("conflict")

    def _blocked(self, claim: Claim, error: WriteBlocked, seen: float) -> None:
        """No write would be taken as the ticket stands: it is evaluated, and waits for a change."""
        name, ticket_id, reason = self._name, claim.ticket_id, str(error)

        def work(conn: Connection) -> None:
            schedule.blocked(conn, name, claim, reason, seen)
            if reason != claim.write_blocked:
                evidence.record(conn, name, ticket_id, evidence.BLOCKED, reason)

        self._holding.commit(work)
        self._count("blocked")
        log.warning(
            "ticket takes no writes of ours", account=name, ticket=ticket_id, reason=loggable(error)
        )

    def _missing(self, claim: Claim) -> None:
        """A ticket that is not there may still appear; after five minutes it is gone."""
        name, reason = self._name, "the helpdesk does not know this ticket"

        def work(conn: Connection) -> bool:
            if now(conn) - claim.due_since < FRESH_HINT_SECONDS:
                schedule.again(conn, name, claim, reason, park=False)
                return False
            schedule.gone(conn, name, claim, reason)
            evidence.record(conn, name, claim.ticket_id, evidence.GONE, reason)
            return True

        is_gone = self._holding.commit(work)
        self._count("gone" if is_gone else "missing")
        log.info("ticket not found", account=name, ticket=claim.ticket_id, gone=is_gone)

    def park(self, claim: Claim, reason: str) -> None:
        """Leave a ticket alone at once."""
        name = self._name

        def work(conn: Connection) -> None:
            schedule.park(conn, name, claim.ticket_id, reason)
            evidence.record(conn, name, claim.ticket_id, evidence.PARKED, reason)

        self._holding.commit(work)
        self._count("parked")
        log.error("ticket parked", account=name, ticket=claim.ticket_id, reason=reason)
