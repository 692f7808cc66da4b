"""One look for a person: the same answer as the lane's, and nothing is stored or written."""

from connector.engine import accounts
from connector.engine.context import Account
from connector.engine.journal import needs_history
from connector.engine.look import look, recall
from connector.engine.schedule import Claim
from connector.store.database import Database, now
from mappings.evaluate import Evaluation


def explain_ticket(database: Database, account: Account, ticket_id: str) -> Evaluation:
    """The evaluation of a ticket as it stands. Raises `AccountError` or `TicketError`."""
    account.helpdesk.prepare()
    reading = account.helpdesk.read(ticket_id)
    with database.read() as conn:
        offset, at = accounts.clock_offset(conn, account.name), now(conn)
        memory = recall(conn, account.name, [ticket_id], offset)[ticket_id]
    asked = needs_history(memory.past, reading, needed=account.needs_past)
    told = account.helpdesk.history(reading) if asked else None
    claim = Claim(
        ticket_id=ticket_id,
        wanted=0,
        attempts=0,
        rank=0,
        seen_updated_at=None,
        written_fingerprint=None,
        due_since=at,
        last_error=None,
    )
    return look(account, claim, reading, memory, told, at=at, offset=offset).evaluation
