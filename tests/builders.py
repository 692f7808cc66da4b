"""Tickets, policies and local times for tests: short, keyword-only, with sensible defaults."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import mappings
from mappings.document.contract import Overlay, parse_contract
from mappings.document.policy import load_policy
from mappings.policy import Metric, Policy
from mappings.ticket import PRIORITY, STATUS, WAITING, Change, Channel, Reply, Ticket

LONDON = "Europe/London"
YEAR = 2026  #: of instants that name none
RANKS = {"critical": "1", "high": "2", "medium": "3", "low": "4"}
WAITS = {"pending": "customer", "on_hold": "third_party"}
POLICIES = Path(str(mappings.__file__)).parent / "policies"
CONTRACTS = Path(str(mappings.__file__)).parent / "contracts"

#: what happened: "reply", "call" (an agent's phone conversation), or the values that changed
#: (`severity` and `status` as a person says it)
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


def user_support(zone: str | None = LONDON) -> Policy:
    """The shipped policy "user-support" for an account in `zone`."""
    return shipped("user-support", zone)


@cache
def shipped(name: str, zone: str | None = LONDON, contracts: tuple[str, ...] = ()) -> Policy:
    """A shipped policy for an account in `zone`, with contracts as `a_policy` takes them."""
    text = (POLICIES / f"{name}.yaml").read_text(encoding="utf-8")
    return a_policy(text=text, zone=zone, contracts=contracts)


def a_policy(*, text: str, zone: str | None = LONDON, contracts: Iterable[str] = ()) -> Policy:
    """The policy in `text`; contracts are texts (of several lines) or names of shipped ones."""
    overlays = tuple(_contract(one) for one in contracts)
    return load_policy(text, "policy.yaml", time_zone=zone, contracts=overlays)


def _contract(text: str) -> Overlay:
    if "\n" in text:
        return parse_contract(text, "contract.yaml")
    file = CONTRACTS / f"{text}.yaml"
    return parse_contract(file.read_text(encoding="utf-8"), file.name)


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
    mapped: Iterable[str] = ("workaround",),
    plans: Iterable[str] = (),
    organization: str | None = None,
    domains: Iterable[str] = (),
    own_dues: Mapping[str, datetime] | None = None,
    calls: Iterable[datetime] = (),
    **values: str | None,
) -> Ticket:
    """A ticket that was opened at `at` with these values, and what happened to it since.

    `severity` sets the helpdesk's priority; `pending` and `on_hold` set the cause of waiting.
    `mapped` are the fields that the account has, filled or not; `own_dues` are the helpdesk's own
    dates, by metric.
    """
    now = _named({"severity": severity, "status": status, "class": kind, **values})
    replies, changes = [], []
    spoken = [Reply(at=when) for when in calls]
    for when, happening in events:
        if isinstance(happening, str):
            (spoken if happening == "call" else replies).append(Reply(at=when))
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
        calls=tuple(spoken),
        changes=tuple(changes),
        known_since=at if known else None,
        outbound=outbound,
        mapped=frozenset(mapped),
        plans=tuple(plans),
        organization=organization,
        domains=tuple(domains),
        own_dues={Metric(metric): due for metric, due in (own_dues or {}).items()},
    )


def _named(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values by the names of `mappings.ticket`."""
    named = {name: value for name, value in values.items() if name != "severity"}
    if "severity" in values:
        given = values["severity"]
        if given or PRIORITY not in named:
            named[PRIORITY] = RANKS[given] if given else None
    if STATUS in values:
        named[WAITING] = WAITS.get(str(values[STATUS]))
    if "assessed" in named:
        named["severity"] = named.pop("assessed")
    return named
