"""The scribe: writes notes into tickets, each exactly once.

A note is the one thing we write that is not the same when it is done twice. So the try is on record
before the call, and before any try the ticket's notes are searched for the marker: what a crash or
a lost answer has left open is settled by looking.
"""

import structlog
from sqlalchemy import Connection

from connector.engine import notes
from connector.engine.accounts import DEFAULT_RETRY_SECONDS
from connector.engine.brakes import LAGGING_SECONDS
from connector.engine.holding import Holding, LeaseLost
from connector.engine.notes import Later, Note
from connector.errors import (
    AccountError,
    RateLimited,
    RoleMissing,
    SignInRefused,
    StoreError,
    TicketError,
    WriteConflict,
    loggable,
    unquoted,
)

log = structlog.get_logger()

CALLS_SECONDS = 60.0  # a call, its sign-in and its own short repeats have ended by then
# a note that no read shows so long after the try began was not written
REPEAT_AFTER_SECONDS = CALLS_SECONDS + LAGGING_SECONDS
PAUSE_SECONDS = 60.0  # after a failure of the account
OTHERS_PAUSE_SECONDS = 10.0  # it is probably theirs, too; if not, they come first then
MOST_TRIES = 5  # that ended in a crash or a refusal which may pass
LONGEST_SECONDS = 4 * 86_400.0  # what was at risk so long ago is told too late

SWITCHED_OFF = "notes like this one were switched off before it was written"
CAUSE_OVER = "it was over before the note could be written"
TOO_OLD = "it could not be written for four days"
CRASHED = "the worker ended each time that it was about to be written"


class Scribe:
    """Writes the notes of one account. No failure of a note is one of the account or a ticket."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._account = holding.account
        self._helpdesk = holding.account.helpdesk
        self._name = holding.account.name

    def write_one(self) -> bool:
        """Bring the next note into its ticket; False when none is due.

        Raises `LeaseLost` and `StoreError`. Every other end leaves the note for later, or for good.
        """
        with self._holding.database.read() as conn:
            one = notes.due(conn, self._name)
        if one is None:
            return False
        try:
            self._bring(one)
        except (LeaseLost, StoreError):
            raise
        except Exception as error:
            self._failed(one, error)
        return True

    def _bring(self, one: Note) -> None:
        self._holding.keep()
        if self._helpdesk.has_note(one.ticket_id, one.marker, one.since):
            self._stands(one)
            return
        rest = REPEAT_AFTER_SECONDS - one.sent_ago
        if rest > 0:
            later = Later(seconds=rest, why=one.last_error, attempts=one.attempts)
            self._holding.commit(lambda conn: notes.wait(conn, one, later))
        elif not self._account.writes or (one.cause, one.metric) not in self._account.notes:
            self._holding.commit(lambda conn: notes.withhold(conn, one, SWITCHED_OFF))
        elif not self._still_holds(one):
            self._holding.commit(lambda conn: notes.withhold(conn, one, CAUSE_OVER))
        elif one.attempts >= MOST_TRIES:
            self._give_up(one, one.last_error or CRASHED)
        elif one.age > LONGEST_SECONDS:
            self._give_up(one, TOO_OLD)
        elif self._holding.commit(lambda conn: notes.begin(conn, one, PAUSE_SECONDS)):
            self._holding.before_write()
            self._helpdesk.add_note(one.ticket_id, one.body)
            self._stands(one)

    def _still_holds(self, one: Note) -> bool:
        with self._holding.database.read() as conn:
            return notes.holds(conn, self._name, one)

    def _stands(self, one: Note) -> None:
        self._holding.commit(lambda conn: notes.written(conn, self._name, one))
        log.info("note written", **self._about(one))

    def _give_up(self, one: Note, why: str) -> None:
        self._holding.commit(lambda conn: notes.give_up(conn, self._name, one, why))
        log.warning("note given up", **self._about(one), reason=unquoted(why))

    def _failed(self, one: Note, error: Exception) -> None:
        """The ticket's refusal is final; what may pass is tried again."""
        why = f"{type(error).__name__}: {error}"
        if isinstance(error, TicketError) and not isinstance(error, WriteConflict):
            self._give_up(one, why)
            return
        is_the_accounts = isinstance(error, AccountError) and not isinstance(error, RoleMissing)
        later = Later(
            seconds=_pause(one, error, is_the_accounts=is_the_accounts),
            why=why,
            attempts=one.attempts + (not is_the_accounts),
            # these say that nothing was done; after any other the note may stand in the ticket
            undone=isinstance(error, RateLimited | SignInRefused | WriteConflict),
        )

        def work(conn: Connection) -> None:
            notes.wait(conn, one, later)
            if is_the_accounts:
                notes.all_wait(conn, self._name, min(later.seconds, OTHERS_PAUSE_SECONDS))

        self._holding.commit(work)
        log.warning("note not written yet", **self._about(one), reason=loggable(error))

    def _about(self, one: Note) -> dict[str, str]:
        return {
            "account": self._name, "ticket": one.ticket_id, "metric": one.metric,
            "cause": one.cause,
        }  # fmt: skip


def _pause(one: Note, error: Exception, *, is_the_accounts: bool) -> float:
    asked = error.retry_after if isinstance(error, AccountError) else None
    if isinstance(error, RateLimited):
        return asked or DEFAULT_RETRY_SECONDS
    doubled = PAUSE_SECONDS if is_the_accounts else PAUSE_SECONDS * 2.0**one.attempts
    return max(asked or 0.0, doubled)
