"""The tables: what is stored, in which unit, and what an empty value means.

Every instant is in epoch seconds (UTC). Identifiers are the helpdesk's own, as text. Only what
cannot be asked again is truth here; `state`, `severity` and `evaluation` of a ticket are for
showing and comparing.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only an INTEGER upwards
_Body = JSON(none_as_null=True)


def _key(name: str, comment: str) -> Column[str]:
    return Column(name, Text, primary_key=True, comment=comment)


def _count(name: str, comment: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0", comment=comment)


def _instant(name: str, comment: str) -> Column[float]:
    """An instant that is always set; 0 is long ago."""
    return Column(name, Double, nullable=False, server_default="0", comment=comment)


account = Table(
    "account",
    metadata,
    _key("name", "the account's name in deskclock.yaml"),
    Column("kind", Text, nullable=False, comment="which helpdesk: zendesk or freshdesk"),
    Column("vendor_account_id", Text, comment="the helpdesk's own id of the account, once known"),
    Column("own_user_id", Text, comment="the helpdesk's id of the user that we are there"),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="ok",
        comment="ok, or why nothing is done for it: held, sign_in_needed and others",
    ),
    _instant("held_until", "no call to the helpdesk before this instant"),
    _count("failures", "failures of the account in a row"),
    Column("last_error", Text, comment="the latest failure, in words"),
    Column("lease_holder", Text, comment="the worker that drains the account; empty: none"),
    _count("lease_fence", "raised by every take-over, so that an old holder is known"),
    _instant("lease_until", "the lease ends at this instant"),
    Column(
        "clock_offset",
        Double,
        nullable=False,
        server_default="0",
        comment="the helpdesk's clock minus the database's, seconds",
    ),
    Column("clock_samples", _Body, comment="the latest offsets that were measured, seconds"),
    _instant("clock_checked_at", "when the offset was last measured"),
    Column("basis", Text, comment="fingerprint of the policies and the mode that it was served by"),
    Column("advice", _Body, comment="what an admin should know of its set-up, a line each"),
    Column("contested", _Body, comment="fields that are no longer written: name -> since when"),
    _count("overwritten", "how often something else had replaced what we wrote"),
    _instant("overwritten_at", "when that was last found"),
    _count("conceded", "fields of single tickets that were given up so far"),
    _instant("reconciled_at", "when its open tickets were last asked for, whether or not changed"),
    comment="one helpdesk account and how it stands; never touched by the intake",
)

ticket = Table(
    "ticket",
    metadata,
    _key("account", "account.name"),
    _key("ticket_id", "the helpdesk's id of the ticket"),
    Column("look_at", Double, comment="look at it from this instant on; empty: nothing to do"),
    Column("echo_at", Double, comment="our own write was echoed during a look: look again then"),
    _count("rank", "-1 breach, 0 hint or timer, 1 retry, 2 backfill and re-evaluation"),
    _instant("not_before", "backoff or quiet period; no hint lowers it"),
    _count("wanted", "raised by every hint, so that one that comes during a look is seen"),
    _count("attempts", "looks begun since the last that succeeded"),
    Column("parked", Text, comment="why it is left alone until somebody asks; empty: it is not"),
    Column("seen_updated_at", Double, comment="the newest 'last updated' that the helpdesk showed"),
    Column("written_fingerprint", Text, comment="fingerprint of the values that we last wrote"),
    Column("open_intent", _Id, comment="intent.id of a bulk write without an answer yet"),
    Column("last_error", Text, comment="the latest failure of this ticket, in words"),
    Column("evaluation", _Body, comment="the latest evaluation, in codes and figures"),
    Column("evaluated_at", Double, comment="the `now` of the latest look"),
    Column("state", Text, comment="state of that evaluation, such as at_risk"),
    Column("severity", Text, comment="severity id of that evaluation"),
    Column("next_due_at", Double, comment="the next due instant of that evaluation"),
    Column(
        "is_over",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="solved, closed or cancelled at that evaluation",
    ),
    Column(
        "was_over",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="solved when a backfill met it first: left as it stands until it changes",
    ),
    Column("hinted_at", Double, comment="the latest delivery of a webhook about it; empty: none"),
    Column("write_blocked", Text, comment="why no write is tried until the ticket changes"),
    Column("conceded", _Body, comment="fields given up until we want another value: name -> value"),
    Column("created", Double, nullable=False, comment="when this row was made: the first hint"),
    Column("timer_at", Double, comment="the answer changes by itself then; empty: never"),
    Column("requester_id", Text, comment="the helpdesk's id of the customer, to forget him by"),
    comment="one row per ticket drives everything: queue, timer, retry and coalescer",
)
Index(
    "ix_ticket_claim",
    ticket.c.account,
    ticket.c.rank,
    ticket.c.look_at,
    postgresql_where=and_(ticket.c.look_at.is_not(None), ticket.c.parked.is_(None)),
    sqlite_where=and_(ticket.c.look_at.is_not(None), ticket.c.parked.is_(None)),
)
for _name in ("parked", "write_blocked"):  # few tickets, shown on every status page
    Index(
        f"ix_ticket_{_name}",
        ticket.c.account,
        ticket.c[_name],
        postgresql_where=ticket.c[_name].is_not(None),
        sqlite_where=ticket.c[_name].is_not(None),
    )
Index("ix_ticket_hinted", ticket.c.account, ticket.c.hinted_at)
for _name in ("timer_at", "requester_id"):
    Index(
        f"ix_ticket_{_name}",
        ticket.c.account,
        ticket.c[_name],
        postgresql_where=ticket.c[_name].is_not(None),
        sqlite_where=ticket.c[_name].is_not(None),
    )
Index("ix_ticket_evaluated", ticket.c.account, ticket.c.is_over, ticket.c.evaluated_at)

delivery = Table(
    "delivery",
    metadata,
    _key("account", "account.name"),
    _key("delivery_id", "the helpdesk's own id of the delivery"),
    Column("ticket_id", Text, comment="the ticket that it was about"),
    Column("received_at", Double, nullable=False, index=True, comment="when it was stored"),
    comment="webhook deliveries that were accepted, so that a repeated one is known",
)

history = Table(
    "history",
    metadata,
    _key("account", "account.name"),
    _key("ticket_id", "the helpdesk's id of the ticket"),
    Column("body", _Body, nullable=False, comment="in the form of connector/engine/journal"),
    Column("ticket", _Body, comment="as it was last read, in our words, while it is not over"),
    comment="what is known of a ticket's past",
)

observation = Table(
    "observation",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order of arrival"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("ticket_id", Text, nullable=False, comment="the helpdesk's id of the ticket"),
    Column("field", Text, nullable=False, comment="the value that changed, by our name"),
    Column("before", Text, comment="the value before; empty: unset"),
    Column("after", Text, comment="the value after; empty: unset"),
    Column("at", Double, comment="when it changed, as the delivery says; empty: it does not"),
    Column("received_at", Double, nullable=False, comment="when it was stored"),
    Index(None, "account", "ticket_id"),
    sqlite_autoincrement=True,
    comment="what deliveries said about values; fills the history, is never written back from",
)

intent = Table(
    "intent",
    metadata,
    Column("id", _Id, primary_key=True, comment="never used twice"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("created_at", Double, nullable=False, comment="when the write was about to be sent"),
    Column("settle_at", Double, nullable=False, comment="without an answer, look at this instant"),
    Column("job_id", Text, comment="the helpdesk's id of the job; empty: no answer yet"),
    Column("fence", Integer, nullable=False, comment="account.lease_fence of the worker that sent"),
    sqlite_autoincrement=True,
    comment="bulk writes that were sent, or were about to be, and have no outcome yet",
)

intent_ticket = Table(
    "intent_ticket",
    metadata,
    Column(
        "intent_id",
        _Id,
        ForeignKey("intent.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="intent.id",
    ),
    _key("account", "account.name"),
    _key("ticket_id", "the helpdesk's id of the ticket"),
    Column("fingerprint", Text, nullable=False, comment="fingerprint of the desired values"),
    Column("body", _Body, nullable=False, comment="the desired values"),
    comment="the tickets of a bulk write",
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order of writing"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("ticket_id", Text, nullable=False, comment="the helpdesk's id of the ticket"),
    Column("at", Double, nullable=False, comment="when it happened"),
    Column("kind", Text, nullable=False, comment="what kind of event"),
    Column("body", _Body, nullable=False, comment="what happened"),
    Column("number", Integer, comment="its place in the account's chain; empty: not linked yet"),
    Column("salt", Text, comment="makes the digest unguessable; empty: the line was forgotten"),
    Column("digest", Text, comment="SHA-256 of salt, ticket, kind and body"),
    Column("hash", Text, comment="SHA-256 of the line before, account, number, instant, digest"),
    Index(None, "account", "ticket_id", "id"),
    sqlite_autoincrement=True,
    comment="what was decided and done for a ticket, a line each",
)

Index("ix_evidence_number", evidence.c.account, evidence.c.number, unique=True)
Index(
    "ix_evidence_unlinked",
    evidence.c.account,
    evidence.c.id,
    postgresql_where=evidence.c.number.is_(None),
    sqlite_where=evidence.c.number.is_(None),
)
Index(
    "ix_evidence_conceded",
    evidence.c.account,
    evidence.c.at,
    postgresql_where=evidence.c.kind == "conceded",
    sqlite_where=evidence.c.kind == "conceded",
)

chain = Table(
    "chain",
    metadata,
    _key("account", "account.name"),
    _count("number", "of the newest line; 0: there is none"),
    Column("hash", Text, comment="of the newest line; empty: there is none"),
    _count("pruned_number", "of the newest line that was deleted for its age; 0: none was"),
    Column("pruned_hash", Text, comment="of that line; empty: none was"),
    Column("pruned_at", Double, comment="when lines were last deleted; empty: never"),
    Column(
        "signature",
        Text,
        comment="of account and the three before, with our key; empty: never pruned",
    ),
    comment="where an account's evidence begins and ends, so that no line can be taken away",
)

policy_version = Table(
    "policy_version",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order in which they came into force"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("policy", Text, nullable=False, comment="id of the policy"),
    Column("version", Text, nullable=False, comment="hash of what it comes to"),
    Column("in_force_from", Double, nullable=False, comment="first sight, by the helpdesk's clock"),
    Column("source", _Body, nullable=False, comment="the texts from which it is loaded again"),
    Column("tags", _Body, nullable=False, comment="every tag it can set, without the prefix"),
    Index(None, "account", "id"),
    sqlite_autoincrement=True,
    comment="the policies that an account has had; a row for each time that one came into force",
)

ticket_exception = Table(
    "ticket_exception",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order of writing"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("ticket_id", Text, nullable=False, comment="the helpdesk's id of the ticket"),
    Column("metric", Text, comment="the metric whose due it gives; empty: every metric"),
    Column("until", Double, nullable=False, comment="the due that was promised instead"),
    Column("reference", Text, nullable=False, comment="where it was promised in writing"),
    Column("written_at", Double, nullable=False, comment="by the helpdesk's clock"),
    Column("written_by", Text, comment="who wrote it down; empty: nobody said"),
    Column("withdrawn_at", Double, comment="by the helpdesk's clock; empty: it stands"),
    Column("withdrawn_by", Text, comment="who took it back; empty: nobody said"),
    Index(None, "account", "ticket_id"),
    sqlite_autoincrement=True,
    comment="dues that were promised otherwise for single tickets",
)

notice = Table(
    "notice",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order of writing"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("ticket_id", Text, nullable=False, comment="the helpdesk's id of the ticket"),
    Column("step", Text, nullable=False, comment="id of the step of the ladder"),
    Column("metric", Text, nullable=False, comment="the metric on whose clock it was reached"),
    Column("started_at", Double, nullable=False, comment="start of that clock: which cycle"),
    Column("reached_at", Double, nullable=False, comment="when the step was reached"),
    Column(
        "stands", Boolean, nullable=False, comment="whether it is reached since without a break"
    ),
    Column("state", Text, nullable=False, comment="due, sent, withheld or given_up"),
    Column("message_id", Text, nullable=False, comment="id of the message, the same at each try"),
    Column("body", Text, nullable=False, comment="the message, exactly as it is signed"),
    _count("attempts", "tries begun"),
    _instant("not_before", "no try before this instant"),
    Column("last_error", Text, comment="why the latest try failed, or why none is made"),
    Column("created_at", Double, nullable=False, comment="when it was stored"),
    Column("sent_at", Double, comment="when the receiver took it"),
    Index(None, "account", "ticket_id"),
    sqlite_autoincrement=True,
    comment="steps of escalation ladders that were reached, and whether somebody was told",
)
Index(
    "ix_notice_due",
    notice.c.account,
    notice.c.not_before,
    postgresql_where=notice.c.state == "due",
    sqlite_where=notice.c.state == "due",
)

note = Table(
    "note",
    metadata,
    Column("id", _Id, primary_key=True, comment="rises in the order of writing"),
    Column("account", Text, nullable=False, comment="account.name"),
    Column("ticket_id", Text, nullable=False, comment="the helpdesk's id of the ticket"),
    Column("metric", Text, nullable=False, comment="the metric that it is about"),
    Column("cause", Text, nullable=False, comment="why it is written: at_risk or breached"),
    Column("started_at", Double, nullable=False, comment="start of that clock: which cycle"),
    Column("state", Text, nullable=False, comment="due, sending, written, withheld or given_up"),
    Column("marker", Text, nullable=False, comment="stands in the note, and in no other"),
    Column("body", Text, nullable=False, comment="what is written, the marker included"),
    _count("attempts", "tries begun"),
    _instant("not_before", "no try before this instant"),
    Column("sending_at", Double, comment="the latest try began; empty: there was none"),
    Column("last_error", Text, comment="why the latest try failed, or why none is made"),
    Column("created_at", Double, nullable=False, comment="when it was stored"),
    Column("written_at", Double, comment="when it was known to stand in the ticket"),
    Index("ix_note_cycle", "account", "ticket_id", "metric", "cause", "started_at", unique=True),
    sqlite_autoincrement=True,
    comment="private notes that were, or are to be, written into tickets; each exactly once",
)
Index(
    "ix_note_due",
    note.c.account,
    note.c.not_before,
    postgresql_where=note.c.state.in_(("due", "sending")),
    sqlite_where=note.c.state.in_(("due", "sending")),
)

wake = Table(
    "wake",
    metadata,
    _key("account", "account.name"),
    _instant("sent_at", "a message that asks for a drain was sent, and none has begun since"),
    comment="messages to the fleet that are on their way, at most one an account",
)

sync = Table(
    "sync",
    metadata,
    _key("account", "account.name"),
    _key("feed", "changes: what is new; full: a backfill"),
    Column("since", Double, nullable=False, comment="it began at this instant, helpdesk's clock"),
    Column("cursor", _Body, comment="where the next page begins; empty: at `since`"),
    Column("next_at", Double, comment="the next page is due at this instant; empty: it is over"),
    Column(
        "paused",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="stopped by somebody; it goes on where it was",
    ),
    Column("position", Double, comment="everything before it was seen, helpdesk's clock"),
    Column(
        "body", _Body, nullable=False, comment="figures for showing, in the form of engine/sync"
    ),
    Column("last_error", Text, comment="why the latest page failed, in words"),
    Column("started_at", Double, nullable=False, comment="when it was asked for"),
    Column("ended_at", Double, comment="when it last came to the end"),
    comment="how far what changed has been read, a row per account and feed",
)

past_event = Table(
    "past_event",
    metadata,
    _key("account", "account.name"),
    _key("ticket_id", "the helpdesk's id of the ticket"),
    Column(
        "number",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="of the page that they came with",
    ),
    Column("rows", _Body, nullable=False, comment="in the form of the helpdesk's folder"),
    comment="what a backfill has read of tickets' pasts; each goes when its ticket is looked at",
)

budget = Table(
    "budget",
    metadata,
    _key("account", "account.name"),
    _key("bucket", "the limit, by the name that the helpdesk's folder gives it"),
    Column("minutes", Integer, nullable=False, server_default="1", comment="length of its window"),
    Column(
        "allowance", Integer, comment="calls per window that the helpdesk allows; empty: unknown"
    ),
    Column("share", Integer, comment="of these, ours at most; empty: unknown"),
    Column("remaining", Integer, comment="calls left as far as we know; empty: it was not told"),
    _instant("window_ends", "until this instant no more are expected to be left"),
    _count("used", "calls of ours within one window's length before the latest"),
    Column("recent", _Body, comment="when these were made: [instant of the first, how many]"),
    _instant("blocked_until", "a refusal: no call before this instant"),
    _count("refusals", "answers of 429 so far"),
    _count("waits", "calls that were not made because our share was used up"),
    _instant("waited", "seconds that were waited so far"),
    _instant("waiting_until", "the seconds before this instant are counted"),
    _instant("updated_at", "the latest call"),
    comment="what is left of each of the helpdesk's limits, shared by all processes",
)

secret = Table(
    "secret",
    metadata,
    _key("account", "account.name"),
    _key("name", "what it is, such as oauth"),
    Column("value", Text, nullable=False, comment="encrypted (Fernet); empty: forgotten"),
    _count("generation", "raised by every write, so that what was read is known to still stand"),
    Column("lease_holder", Text, comment="who renews it at the moment; empty: nobody"),
    _instant("lease_until", "that ends at this instant"),
    Column("updated_at", Double, nullable=False, comment="when it was written"),
    comment="secrets that the helpdesk gave us, encrypted",
)

heartbeat = Table(
    "heartbeat",
    metadata,
    _key("name", "the process: 'worker', or 'worker:' and which of several"),
    Column("at", Double, nullable=False, comment="when it last said that it is alive"),
    Column("body", _Body, nullable=False, comment="what it says about itself"),
    comment="the processes that are alive",
)
