"""The versions that the policies of an account have had, and from when each was in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from connector.store.documents import Source, source_of
from connector.store.tables import account, policy_version


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A policy as it read from an instant on."""

    policy: str
    version: str
    #: epoch seconds of the helpdesk's clock
    in_force_from: float
    source: Source
    #: every tag that it can set, without the account's prefix
    tags: frozenset[str]


def recorded(conn: Connection, name: str) -> list[Recorded]:
    """The versions of an account's policies in the order in which they came into force."""
    query = (
        select(policy_version).where(policy_version.c.account == name).order_by(policy_version.c.id)
    )
    return [_recorded(row) for row in conn.execute(query)]


def _recorded(row: Any) -> Recorded:
    return Recorded(
        policy=row.policy,
        version=row.version,
        in_force_from=row.in_force_from,
        source=source_of(row.source),
        tags=frozenset(row.tags),
    )


def record(conn: Connection, name: str, seen: Sequence[Recorded]) -> list[Recorded]:
    """Record what is seen of each policy where it reads otherwise than before.

    Returns all of the account's versions. A text that comes back is a new row: what was reported
    while another was in force stays judged by that one.
    """
    # two workers that start together must not both record the same change
    conn.execute(select(account.c.name).where(account.c.name == name).with_for_update())
    known = recorded(conn, name)
    fresh = news(known, seen)
    for one in fresh:
        conn.execute(
            insert(policy_version).values(
                account=name,
                policy=one.policy,
                version=one.version,
                in_force_from=one.in_force_from,
                source=one.source.as_body(),
                tags=sorted(one.tags),
            )
        )
    return [*known, *fresh]


def news(known: Sequence[Recorded], seen: Sequence[Recorded]) -> list[Recorded]:
    """What reads otherwise than the newest version of its policy."""
    newest = {one.policy: one.version for one in known}
    return [one for one in seen if newest.get(one.policy) != one.version]
