"""The policies of an account through time: which version judges a ticket, which tags are ours."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, case, or_, select, update

from connector.engine import accounts
from connector.engine.context import Account
from connector.engine.rank import Rank
from connector.errors import SettingsError
from connector.store import versions
from connector.store.database import Database, now
from connector.store.documents import Source, load
from connector.store.tables import account as account_table
from connector.store.tables import ticket
from connector.store.versions import Recorded
from mappings.assignment import Assignment, Version, version_of
from mappings.conditions import Condition
from mappings.errors import MappingError
from mappings.policy import JudgeBy, Policy
from mappings.tags import own_tags

log = structlog.get_logger()

NATIVE = "native"  #: the mode in which the helpdesk's own due dates are written
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What the configuration says: a policy for the tickets of which a condition holds."""

    when: Condition
    policy: Policy
    source: Source


def as_written(choices: Sequence[Choice]) -> tuple[Assignment, ...]:
    """The assignments by today's files alone."""
    return tuple(
        Assignment(when=one.when, versions=(Version(policy=one.policy, in_force_from=EVER),))
        for one in choices
    )


def refuse_inherited(account: Account) -> None:
    """Raise `SettingsError` where dates of the helpdesk would be read and written over."""
    if account.mode != NATIVE:
        return
    for one in account.assignments:
        wrong = next((policy for policy in one.judging if policy.inherits), None)
        if wrong is None:
            continue
        earlier = wrong is not one.newest
        which = "an earlier version of policy" if earlier else "policy"
        also = ", or write judge_by: latest in the policy" if earlier else ""
        raise SettingsError(
            f"account {account.name}: {which} '{wrong.id}' takes the helpdesk's own due dates "
            "(inherit: true), and mode: native writes these very dates, so that they would never "
            f"change again; use mode: own_fields{also}"
        )


def take_in(database: Database, account: Account, choices: Sequence[Choice]) -> Account:
    """Record what the files say today, and give the account every version it has had.

    Where that, the mode or the prefix differs from what the account was served by before, its
    tickets that are not over are looked at again.
    """
    seen = _seen(choices)

    def record(conn: Connection) -> list[Recorded]:
        return versions.record(conn, account.name, _from_now(conn, account.name, seen))

    known = database.run(record)
    # to read old policies takes a while, and nobody may wait for the database meanwhile
    served, basis = _served(account, choices, known), _basis(account, choices, known)
    database.run(lambda conn: _look_again_if_new(conn, account.name, basis))
    return served


def as_recorded(database: Database, account: Account, choices: Sequence[Choice]) -> Account:
    """The account as it will be served from the worker's next start on; nothing is stored."""
    with database.read() as conn:
        known = versions.recorded(conn, account.name)
        seen = _from_now(conn, account.name, _seen(choices))
    return _served(account, choices, [*known, *versions.news(known, seen)])


def _seen(choices: Sequence[Choice]) -> list[Recorded]:
    """The versions of today; one policy may be chosen under several conditions."""
    found = {
        one.policy.id: Recorded(
            policy=one.policy.id,
            version=version_of(one.policy),
            in_force_from=0.0,
            source=one.source,
            tags=own_tags([one.policy], ""),
        )
        for one in choices
    }
    return list(found.values())


def _from_now(conn: Connection, name: str, seen: Sequence[Recorded]) -> list[Recorded]:
    at = now(conn) + accounts.clock_offset(conn, name)
    return [replace(one, in_force_from=at) for one in seen]


def _served(account: Account, choices: Sequence[Choice], known: Sequence[Recorded]) -> Account:
    loaded = {version_of(one.policy): one.policy for one in choices}
    of_policy = {one.policy.id: _versions(account, one.policy, known, loaded) for one in choices}
    names = frozenset(account.prefix + tag for one in known for tag in one.tags)
    return replace(
        account,
        assignments=tuple(
            Assignment(when=one.when, versions=of_policy[one.policy.id]) for one in choices
        ),
        own_tags=account.own_tags | names,
    )


def _versions(
    account: Account, policy: Policy, known: Sequence[Recorded], loaded: dict[str, Policy]
) -> tuple[Version, ...]:
    mine = [one for one in known if one.policy == policy.id]
    found = []
    for one in mine[-1:] if policy.judge_by is JudgeBy.LATEST else mine:
        if one.version not in loaded:
            try:
                loaded[one.version] = load(one.source, account.prefix)
            except MappingError as error:  # written for another release of deskclock
                log.error(
                    "an earlier version of a policy can no longer be read; the one before it, or "
                    "else the next, judges its tickets",
                    account=account.name, policy=one.policy, version=one.version, reason=str(error),
                )  # fmt: skip
                continue
        at = datetime.fromtimestamp(one.in_force_from, UTC)
        found.append(Version(policy=loaded[one.version], in_force_from=at))
    return tuple(found)


def _basis(account: Account, choices: Sequence[Choice], known: Sequence[Recorded]) -> str:
    """A fingerprint of what the answers of an account rest on beside its tickets."""
    chosen = {one.policy.id for one in choices}
    parts = [
        account.mode,
        account.prefix,
        *(f"{one.when!r} {one.policy.id}" for one in choices),
        *(f"{one.policy} {one.version}" for one in known if one.policy in chosen),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _look_again_if_new(conn: Connection, name: str, basis: str) -> None:
    where = account_table.c.name == name
    if conn.scalar(select(account_table.c.basis).where(where)) != basis:
        conn.execute(update(account_table).where(where).values(basis=basis))
        _look_again(conn, name)


def _look_again(conn: Connection, name: str) -> None:
    """Every ticket that is not over, parked ones too; what is due keeps its better rank."""
    at, columns = now(conn), ticket.c
    is_due = columns.look_at <= at
    conn.execute(
        update(ticket)
        .where(
            columns.account == name,
            columns.is_over.is_(False),
            or_(columns.evaluation.is_not(None), columns.parked.is_not(None)),
        )
        .values(
            parked=None,
            attempts=0,
            not_before=0.0,
            look_at=case((is_due, columns.look_at), else_=at),
            rank=case((is_due & (columns.rank < Rank.BACKFILL), columns.rank), else_=Rank.BACKFILL),
            wanted=columns.wanted + 1,
        )
    )
