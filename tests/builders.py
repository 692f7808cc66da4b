"""Tickets, policies and local times for tests: short, keyword-only, with sensible defaults."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import mappings
from mappings.document.policy import load_policy
from mappings.policy import Policy
from mappings.ticket import PRIORITY, STATUS, WAITING, Change, Channel, Reply, Ticket

LONDON = "Europe/London"
YEAR = 2026  #: of instants that name none
RANKS = {"critical": "1", "high": "2", "medium": "3", "low": "4"}
WAITS = {"pending": "customer", "on_hold": "third_party"}
POLICIES = Path(str(mappings.__file__)).parent / "policies"

#: what happened: "reply", or the values that changed (`severity` and `status` as a person says it)
Happening = str | Mapping[str, str | None]


def local(text: str, zone: str = LONDON) -> datetime:
    """The instant at which the wall in `zone` shows "2026-03-06 17:45".

    A weekday may lead; the year may be left out.
    """
    *weekday, day, time = text.split()
    day = day if day.count("-") == 2 else f"{YEAR}-{day}"
    wall = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=ZoneInfo(zone))
    if weekday and weekday != [f"{wall:%a}"]:
        raise ValueError(f"{text}: {day} is a {wall:%a}")
    return wall.astimezone(UTC)


def shown(at: datetime | None, zone: str = LONDON) -> str | None:
    """An instant as the wall in `zone` shows it: "Fri 03-06 17:45", seconds only if any."""
    if at is None:
        return None
    wall = at.astimezone(ZoneInfo(zone))
    year = "" if wall.year == YEAR else "%Y-"
    return wall.strftime(f"%a {year}%m-%d %H:%M" + (":%S" if wall.second else ""))


def history(text: str, *, day: str = "", zone: str = LONDON) -> list[tuple[datetime, Happening]]:
    """What happened, as in "03-02 11:00 reply; 03-02 12:00 status=on_hold, severity=high".

    `day` is put before every time.
    """
    found: list[tuple[datetime, Happening]] = []
    for event in filter(None, map(str.strip, text.split(";"))):
        when, what = re.split(r"(?<=:\d\d) ", f"{day}{event}", maxsplit=1)
        at = local(when, zone)
        pairs = dict(pair.strip().split("=") for pair in what.split(",") if "=" in pair)
        found.append((at, {k: v or None for k, v in pairs.items()} if pairs else what))
    return found


@cache
def user_support(zone: str | None = LONDON) -> Policy:
    """The shipped policy "user-support" for an account in `zone`."""
    return a_policy(text=(POLICIES / "user-support.yaml").read_text(encoding="utf-8"), zone=zone)


def a_policy(*, text: str, zone: str | None = LONDON) -> Policy:
    """The policy in `text`."""
    return load_policy(text, "policy.yaml", time_zone=zone)


def a_ticket(
    *,
    at: datetime,
    severity: str | None = None,
    status: str = "open",
    channel: str = "portal",
    kind: str = "incident",
    events: Iterable[tuple[datetime, Happening]] = (),
    known: bool = True,
    reported: datetime | None = None,
    outbound: bool = False,
    **values: str | None,
) -> Ticket:
    """A ticket that was opened at `at` with these values, and what happened to it since.

    `severity` sets the helpdesk's priority; `pending` and `on_hold` set the cause of waiting.
    """
    now = _named({"severity": severity, "status": status, "class": kind, **values})
    replies, changes = [], []
    for when, happening in events:
        if isinstance(happening, str):
            replies.append(Reply(at=when))
            continue
        for name, after in _named(happening).items():
            if now.get(name) != after:
                changes.append(Change(at=when, field=name, before=now.get(name), after=after))
            now[name] = after
    return Ticket(
        id="1",
        created_at=at,
        reported_at=reported or at,
        channel=Channel(channel),
        values=now,
        replies=tuple(replies),
        changes=tuple(changes),
        known_since=at if known else None,
        outbound=outbound,
    )


def _named(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values by the names of `mappings.ticket`."""
    named = {name: value for name, value in values.items() if name != "severity"}
    if "severity" in values:
        given = values["severity"]
        named[PRIORITY] = RANKS[given] if given else None
    if STATUS in values:
        named[WAITING] = WAITS.get(str(values[STATUS]))
    if "assessed" in named:
        named["severity"] = named.pop("assessed")
    return named
