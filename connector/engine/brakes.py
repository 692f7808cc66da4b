"""The brakes: nothing is written again and again against something that undoes it each time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, desc, func, select, update

from connector.engine import evidence
from connector.helpdesks.base import Desired, Plan, Reading
from connector.store.database import now
from connector.store.tables import account as account_table
from connector.store.tables import evidence as evidence_table
from connector.store.tables import ticket

WRITTEN_AT_MOST = 3  # times the same value, each time found changed
WITHIN_SECONDS = 3600.0
CONTESTED_AFTER = 10  # concessions of one field within that time
CONTESTED_SECONDS = 3600.0  # then it is tried again
ANSWERS_AT_MOST = 6  # that go to and fro
OSCILLATING_SECONDS = 600.0
LAGGING_SECONDS = 60.0  # a read that does not show a write that young is an old one

TAGS = "tags"
NATIVE = "native_dates"  #: the helpdesk's own due dates, which it refuses for this ticket
DATES = ("first_response_due_at", "resolution_due_at")


def value_of(wanted: Desired, name: str) -> Any:
    """What is wanted for a field, for our tags, or for the helpdesk's own dates."""
    if name == TAGS:
        return sorted(wanted.tags)
    if name == NATIVE:
        dues = (wanted.first_response_due_at, wanted.resolution_due_at)
        return [due.isoformat() if due else None for due in dues]
    return wanted.fields.get(name)


def standing(conceded: Mapping[str, Any], wanted: Desired) -> dict[str, Any]:
    """The concessions that still stand: for those values, and for no others."""
    return {name: value for name, value in conceded.items() if value == value_of(wanted, name)}


def without(wanted: Desired, reading: Reading, names: Iterable[str]) -> Desired:
    """What is wanted, but for what is given up: that is left as it stands."""
    given_up = set(names)
    if not given_up:
        return wanted
    fields = {name: value for name, value in wanted.fields.items() if name not in given_up}
    tags = reading.tags & wanted.own_tags if TAGS in given_up else wanted.tags
    native = wanted.native and NATIVE not in given_up
    response, resolution = DATES
    return replace(
        wanted,
        fields=fields,
        tags=frozenset(tags),
        native=native,
        first_response_due_at=None if response in given_up else wanted.first_response_due_at,
        resolution_due_at=None if resolution in given_up else wanted.resolution_due_at,
    )


def names_of(plan: Plan) -> frozenset[str]:
    """The fields that a plan writes, and `tags` for any tag."""
    tags = {TAGS} if plan.add_tags or plan.remove_tags else set()
    return frozenset(plan.fields) | tags


def fought_over(conn: Connection, account: str, plan: Plan, fingerprint: str) -> frozenset[str]:
    """What of a plan has been written often enough, and was found changed each time."""
    columns, since = evidence_table.c, now(conn) - WITHIN_SECONDS
    rows = conn.execute(
        select(columns.body)
        .where(
            columns.account == account,
            columns.ticket_id == plan.ticket_id,
            columns.kind == evidence.WRITTEN,
            columns.at > since,
        )
        .order_by(desc(columns.id))
        .limit(WRITTEN_AT_MOST * 2)
    )
    bodies = [row.body for row in rows if row.body.get("fingerprint") == fingerprint]
    times = {name: sum(_wrote(body, name) for body in bodies) for name in names_of(plan)}
    return frozenset(name for name, count in times.items() if count >= WRITTEN_AT_MOST)


def _wrote(body: Mapping[str, Any], name: str) -> bool:
    return bool(body["add_tags"] or body["remove_tags"]) if name == TAGS else name in body["fields"]


def is_young(conn: Connection, account: str, ticket_id: str) -> bool:
    """Whether our latest write of a ticket is so young that a read may not show it yet."""
    columns = evidence_table.c
    latest = conn.scalar(
        select(func.max(columns.at)).where(
            columns.account == account,
            columns.ticket_id == ticket_id,
            columns.kind == evidence.WRITTEN,
        )
    )
    return latest is not None and now(conn) - latest < LAGGING_SECONDS


def overwritten(conn: Connection, account: str, plan: Plan) -> None:
    """Record that something else has replaced what we had written, and count it."""
    body = {"fields": sorted(names_of(plan))}
    evidence.record(conn, account, plan.ticket_id, evidence.OVERWRITTEN, body)
    columns = account_table.c
    conn.execute(
        update(account_table)
        .where(columns.name == account)
        .values(overwritten=columns.overwritten + 1, overwritten_at=now(conn))
    )


def concede(
    conn: Connection, account: str, ticket_id: str, values: Mapping[str, Any], why: str
) -> frozenset[str]:
    """Give fields of a ticket up until another value is wanted; returns those contested now.

    A field that is conceded on many tickets within an hour is written nowhere for an hour.
    """
    where = (ticket.c.account == account, ticket.c.ticket_id == ticket_id)
    held = conn.scalar(select(ticket.c.conceded).where(*where)) or {}
    conn.execute(update(ticket).where(*where).values(conceded={**held, **values}))
    for name in sorted(values):
        evidence.record(conn, account, ticket_id, evidence.CONCEDED, {"field": name, "why": why})
    columns = account_table.c
    raised = columns.conceded + len(values)
    conn.execute(update(account_table).where(columns.name == account).values(conceded=raised))
    return _contest(conn, account, [name for name in values if name != NATIVE])


def _contest(conn: Connection, account: str, names: Iterable[str]) -> frozenset[str]:
    columns, at = evidence_table.c, now(conn)
    recent = conn.execute(
        select(columns.body)
        .where(
            columns.account == account,
            columns.kind == evidence.CONCEDED,
            columns.at > at - WITHIN_SECONDS,
        )
        .limit(1_000)
    )
    fields = [row.body.get("field") for row in recent]
    found = frozenset(name for name in names if fields.count(name) >= CONTESTED_AFTER)
    if found:
        where = account_table.c.name == account
        held = conn.scalar(select(account_table.c.contested).where(where)) or {}
        values = {**held, **dict.fromkeys(sorted(found), at)}
        conn.execute(update(account_table).where(where).values(contested=values))
    return found


def contested(conn: Connection, account: str) -> frozenset[str]:
    """The fields that are written nowhere at the moment: those whose hour is not over."""
    where = account_table.c.name == account
    held = conn.scalar(select(account_table.c.contested).where(where)) or {}
    at = now(conn)
    return frozenset(name for name, since in held.items() if at - since < CONTESTED_SECONDS)


def oscillating(conn: Connection, account: str, ticket_ids: Sequence[str]) -> list[str]:
    """Those of the tickets whose answers have gone to and fro between two for some minutes."""
    if not ticket_ids:
        return []
    columns = evidence_table.c
    many = (
        select(columns.ticket_id)
        .where(
            columns.account == account,
            columns.ticket_id.in_(list(ticket_ids)),
            columns.kind == evidence.EVALUATED,
            columns.at > now(conn) - OSCILLATING_SECONDS,
        )
        .group_by(columns.ticket_id)
        .having(func.count() > ANSWERS_AT_MOST)
    )
    suspects = [row[0] for row in conn.execute(many)]
    return [one for one in suspects if _oscillates(conn, account, one)]


def _oscillates(conn: Connection, account: str, ticket_id: str) -> bool:
    columns = evidence_table.c
    rows = conn.execute(
        select(columns.body)
        .where(
            columns.account == account,
            columns.ticket_id == ticket_id,
            columns.kind == evidence.EVALUATED,
            columns.at > now(conn) - OSCILLATING_SECONDS,
        )
        .order_by(desc(columns.id))
        .limit(ANSWERS_AT_MOST + 1)
    ).all()
    answers = [row.body for row in rows]
    if len(answers) <= ANSWERS_AT_MOST:
        return False
    one, other = answers[0], answers[1]
    return one != other and all(
        answer == (one if place % 2 == 0 else other) for place, answer in enumerate(answers)
    )
