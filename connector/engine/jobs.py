"""Bulk writes: two passes, an intent before the call and the job's rows after it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from connector import telemetry
from connector.engine import accounts, evidence, lag, schedule, writes
from connector.engine.failures import Failures
from connector.engine.holding import Holding
from connector.engine.keeping import keep, tally_of
from connector.engine.look import Look
from connector.engine.schedule import Ending
from connector.engine.writes import OpenIntent, Sent
from connector.errors import ConnectorError, OutcomeUnknown, WriteRefused
from connector.helpdesks.base import Job
from connector.store.chain import Line
from connector.store.database import now

FIRST_LOOK_SECONDS = 0.15
LONGEST_LOOK_SECONDS = 2.0
KEPT = ("fields", "add_tags", "remove_tags", "remarks", "fingerprint")  # of an intent, as evidence
MANY_JOBS = 14  # of the 30 that Zendesk allows: then their outcome is waited for


class Jobs:
    """The bulk writes of one account that are on their way."""

    def __init__(self, holding: Holding, failures: Failures) -> None:
        self._holding = holding
        self._failures = failures
        self._account = holding.account
        self._helpdesk = holding.account.helpdesk
        self._name = holding.account.name
        #: how many had no outcome at the last look
        self.open = 0
        #: not before this instant (monotonic) is the helpdesk asked again
        self.next_look = float("-inf")
        self._asked = float("-inf")
        #: what an earlier holder left open has been read
        self._known = False
        #: intent -> when the hints of its tickets came; of those that this process sent
        self._hinted: dict[int, dict[str, float | None]] = {}

    def write(self, looks: Sequence[Look]) -> None:
        """Send one bulk write. Raises `AccountError`; of an unknown outcome the intent tells."""
        self._holding.before_write()
        sent = [
            Sent(
                plan=one.plan,
                fingerprint=one.fingerprint,
                next_change=one.next_change,
                wanted=one.claim.wanted,
                seen_updated_at=one.reading.updated_at.timestamp(),
                is_breach=one.is_breach,
            )
            for one in looks
            if one.plan is not None
        ]

        def intend(conn: Connection) -> tuple[int, list[Look]]:
            new = keep(conn, self._account, looks)
            return writes.intend(conn, self._holding.lease, sent), new

        intent_id, new = self._holding.commit(intend)
        tally_of(looks, new, written=True)
        telemetry.BATCH_TICKETS.labels(self._name, "write").observe(len(sent))
        self._hinted[intent_id] = {one.claim.ticket_id: lag.hinted(one.claim) for one in looks}
        try:
            job = self._helpdesk.write_many([one.plan for one in sent])
        except OutcomeUnknown:
            raise  # the intent stays and is settled by looking
        except ConnectorError:
            self._forget(intent_id)
            raise
        self._holding.commit(lambda conn: writes.answered(conn, intent_id, job.id))
        if not self.open:  # else the jobs before this one are asked for in their turn
            self.next_look = self._holding.monotonic() + FIRST_LOOK_SECONDS
        self.open += 1

    def settle(self, *, busy: bool = False) -> int:
        """Close the bulk writes that have an outcome; returns how many have none yet.

        `busy`: there is other work, so that nobody waits for the outcome of a few.
        """
        if self._known and self._holding.monotonic() < self._next_look(busy):
            return self.open
        with self._holding.database.read() as conn:
            intents, at = writes.open_intents(conn, self._name), now(conn)
        jobs = self._ask(intents, at) if intents else {}
        self._known = True
        self.open = 0
        for intent in intents:
            job = jobs.get(intent.job_id or "")
            if job is not None and job.done:
                self._close(intent, job)
            elif at >= intent.settle_at:  # no answer: the tickets are still due and are looked at
                self._forget(intent.id, "the helpdesk never said how a bulk write ended")
            else:
                self.open += 1
        return self.open

    def _next_look(self, busy: bool) -> float:
        if not self.open:
            return float("inf")
        patient = busy and self.open < MANY_JOBS
        return (
            max(self.next_look, self._asked + LONGEST_LOOK_SECONDS) if patient else self.next_look
        )

    def _forget(self, intent_id: int, error: str | None = None) -> None:
        self._hinted.pop(intent_id, None)
        self._holding.commit(lambda conn: writes.close(conn, self._name, intent_id, error))

    def _ask(self, intents: Sequence[OpenIntent], at: float) -> dict[str, Job]:
        ids = [intent.job_id for intent in intents if intent.job_id]
        if not ids or self._holding.monotonic() < self.next_look:
            return {}
        self._asked = self._holding.monotonic()
        found = {job.id: job for job in self._helpdesk.jobs(ids)}
        oldest = at - min(intent.created_at for intent in intents)
        pause = min(max(FIRST_LOOK_SECONDS, oldest / 4), LONGEST_LOOK_SECONDS)
        self.next_look = self._holding.monotonic() + pause
        return found

    def _close(self, intent: OpenIntent, job: Job) -> None:
        silent = WriteRefused("the bulk job ended without a word about this ticket")
        errors: dict[str, Exception | None] = dict.fromkeys(intent.tickets, silent)
        errors |= {row.ticket_id: row.error for row in job.rows if row.ticket_id in errors}

        def work(conn: Connection) -> float:
            writes.close(conn, self._name, intent.id)
            done = [one for one in sorted(errors) if errors[one] is None]
            self._written(conn, {one: intent.tickets[one] for one in done})
            return now(conn)

        at = self._holding.commit(work)
        hinted = self._hinted.pop(intent.id, {})
        written = [since for one, since in hinted.items() if errors.get(one) is None]
        lag.note_written(self._name, written, at)
        for ticket_id, error in errors.items():
            if error is not None:
                self._failures.row(ticket_id, intent.tickets[ticket_id], error)
            else:
                self._failures.over(ticket_id)
                writes.log_written(self._name, ticket_id, intent.tickets[ticket_id])

    def _written(self, conn: Connection, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        """Tickets of a bulk write, in order, that were written as their intents say."""
        lines = [
            Line(ticket_id=one, kind=evidence.WRITTEN, body={part: body[part] for part in KEPT})
            for one, body in bodies.items()
        ]
        evidence.record_all(conn, self._name, lines)
        offset = accounts.clock_offset(conn, self._name)
        schedule.ended(conn, self._name, [_ending(*one, offset) for one in bodies.items()])


def _ending(ticket_id: str, body: Mapping[str, Any], offset: float) -> Ending:
    change = body["next_change"]
    return Ending(
        ticket_id=ticket_id,
        wanted=body["wanted"],
        look_at=None if change is None else change - offset,
        is_breach=body.get("is_breach", False),  # an older deskclock has not said
        seen_updated_at=body["seen_updated_at"],
        written_fingerprint=body["fingerprint"],
    )
