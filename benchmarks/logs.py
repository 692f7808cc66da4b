"""Reads an incident log of a known kind as ticket histories."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.kinds import CLOSED, KINDS, NEW, OPEN, SOLVED, Incident, LogKind, Row
from sandbox.histories import Actor, Event, EventKind, History


class LogError(ValueError):
    """A file that is no log of a known kind; the text says where and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A log that was read. `histories` are in the order of their creation."""

    kind: LogKind
    time_zone: str
    histories: Sequence[History]

    @property
    def ends_at(self) -> datetime:
        """The latest instant of the log."""
        return max(history.events[-1].at for history in self.histories)


def read_log(
    path: Path, *, time_zone: str | None = None, limit: int | None = None, close: bool = False
) -> Log:
    """Read a log. `limit` takes the first cases only, `close` lets tickets end as closed.

    Raises `LogError` for a file of an unknown kind and for a row that cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        kind = _kind(reader.fieldnames or (), path)
        cases = _cases(reader, kind)
    zone_name = time_zone or kind.time_zone
    zone = ZoneInfo(zone_name)
    histories = []
    for case in list(cases)[:limit]:
        try:
            incident = kind.incident(case, cases[case], zone)
        except (ValueError, KeyError) as error:
            raise LogError(f"{path}: case {case}: {error}") from None
        histories.append(history_of(incident, close=close))
    if not histories:
        raise LogError(f"{path}: there is no case below the header")
    histories.sort(key=lambda history: history.created_at)
    return Log(kind=kind, time_zone=zone_name, histories=histories)


def history_of(incident: Incident, *, close: bool) -> History:
    """The incident in the words of the sandbox: only what changes is an event."""
    first = incident.steps[0]
    events = [Event(at=incident.created_at, kind=EventKind.CREATED, by=Actor.CUSTOMER)]
    status, priority = NEW, first.priority
    last = len(incident.steps) - 1
    for place, step in enumerate(incident.steps):
        at = max(step.at, events[-1].at)  # an hour that the clocks repeat is told only once
        agent = step.agent or None
        if step.reply:
            events.append(Event(at=at, kind=EventKind.COMMENT, author=agent, value=step.reply))
        if step.priority and step.priority != priority:
            priority = step.priority
            events.append(Event(at=at, kind=EventKind.PRIORITY, author=agent, value=priority))
        # a ticket once closed stays closed on a helpdesk, so only the end of a log may close it
        now = SOLVED if step.status == CLOSED and not (close and place == last) else step.status
        if now == NEW and status != NEW:
            now = OPEN  # no helpdesk calls a ticket new again
        if now and now != status:
            status = now
            events.append(Event(at=at, kind=EventKind.STATUS, author=agent, value=status))
    return History(
        external_id=incident.id,
        subject=f"Incident {incident.id}",
        requester=incident.requester,
        channel=incident.channel,
        priority=first.priority or None,
        events=tuple(events),
    )


def _kind(columns: Iterable[str], path: Path) -> LogKind:
    found = frozenset(columns)
    for kind in KINDS:
        if kind.columns <= found:
            return kind
    known = "; ".join(f"{kind.name}: {', '.join(sorted(kind.columns))}" for kind in KINDS)
    raise LogError(f"{path}: the header is of no known kind of log; known are {known}")


def _cases(rows: Iterator[Row], kind: LogKind) -> dict[str, list[Row]]:
    cases: dict[str, list[Row]] = {}
    for row in rows:
        cases.setdefault(row[kind.case], []).append(row)
    return cases
