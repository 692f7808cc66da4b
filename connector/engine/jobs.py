"""Bulk writes: two passes, an intent before the call and the job's rows after it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from connector.engine import evidence, schedule, writes
from connector.engine.failures import Failures
from connector.engine.holding import Holding
from connector.engine.look import Look, keep, tally_of
from connector.engine.writes import OpenIntent, Sent
from connector.errors import ConnectorError, OutcomeUnknown, WriteRefused
from connector.helpdesks.base import Job
from connector.store.database import now

FIRST_LOOK_SECONDS = 0.15
LONGEST_LOOK_SECONDS = 2.0
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
            )
            for one in looks
            if one.plan is not None
        ]

        def intend(conn: Connection) -> tuple[int, list[Look]]:
            ordered = sorted(looks, key=lambda one: one.claim.ticket_id)
            new = [one for one in ordered if keep(conn, self._account, one)]
            return writes.intend(conn, self._holding.lease, sent), new

        intent_id, new = self._holding.commit(intend)
        tally_of(looks, new, written=True)
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

        def work(conn: Connection) -> None:
            writes.close(conn, self._name, intent.id)
            for ticket_id, body in sorted(intent.tickets.items()):
                if errors[ticket_id] is None:
                    self._written(conn, ticket_id, body)

        self._holding.commit(work)
        for ticket_id, error in errors.items():
            if error is not None:
                self._failures.row(ticket_id, intent.tickets[ticket_id], error)
            else:
                self._failures.over(ticket_id)
                writes.log_written(self._name, ticket_id, intent.tickets[ticket_id])

    def _written(self, conn: Connection, ticket_id: str, body: Mapping[str, Any]) -> None:
        kept = ("fields", "add_tags", "remove_tags", "remarks", "fingerprint")
        name = self._name
        evidence.record(
            conn, name, ticket_id, evidence.WRITTEN, {part: body[part] for part in kept}
        )
        schedule.ended(
            conn, name, ticket_id, wanted=body["wanted"],
            look_at=schedule.by_our_clock(conn, name, body["next_change"]),
            written_fingerprint=body["fingerprint"], seen_updated_at=body["seen_updated_at"],
        )  # fmt: skip
