"""Reads three kinds of incident logs as ticket histories; knows what each of their columns means.

Of every kind only the columns named below are read. The logs hold no texts and no replies, so a
public reply of an agent is assumed where an activity plausibly means one; each class says where.
Their instants are local times of a zone that they do not name.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from sandbox.histories import Actor, Event, EventKind, History

Row = Mapping[str, str]
NEW, OPEN, PENDING, HOLD, SOLVED, CLOSED = "new", "open", "pending", "hold", "solved", "closed"


class LogError(ValueError):
    """A file that is no log of a known kind; the text says where and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one row says: the status and priority from then on, and whether the agent replied.

    An empty status or priority leaves the one before.
    """

    at: datetime
    status: str = ""
    priority: str = ""
    reply: str = ""
    agent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """One case of a log. `steps` are in the order of the log's instants."""

    id: str
    created_at: datetime
    requester: str
    channel: str
    steps: Sequence[Step]


class LogKind(Protocol):
    """One kind of log."""

    name: str
    #: columns by which the kind is known
    columns: frozenset[str]
    #: the column that names the case
    case: str
    #: IANA zone of the company where the log comes from, as far as that is known
    time_zone: str

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the rows of one case tell. Raises `ValueError`."""


class ServiceNow:
    """The incident event log of a ServiceNow instance: a row for each update of an incident.

    `number` is the case, `opened_at` its creation, `sys_updated_at` (and `sys_mod_count` within a
    minute) the order and the instant of the update, both day first. `incident_state` is the status,
    `priority` the priority, `contact_type` the channel, `caller_id` the requester and `resolved_by`
    the agent. A change to Awaiting User Info is a public question, one to Resolved a public answer.
    """

    name = "ServiceNow incidents"
    columns = frozenset({"number", "incident_state", "sys_updated_at", "opened_at", "priority"})
    case = "number"
    time_zone = "Europe/London"  # not known
    _STATUS = {
        "New": NEW, "Active": OPEN, "Awaiting User Info": PENDING, "Awaiting Problem": HOLD,
        "Awaiting Vendor": HOLD, "Awaiting Evidence": HOLD, "Resolved": SOLVED, "Closed": CLOSED,
        "-100": "",
    }  # fmt: skip
    _REPLY = {
        "Awaiting User Info": "Could you tell us more about this?",
        "Resolved": "This is resolved.",
    }
    _PRIORITY = {"1": "urgent", "2": "high", "3": "normal", "4": "low"}
    _CHANNEL = {"Email": "email", "Phone": "phone", "Self service": "web", "IVR": "phone"}

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the updates tell."""
        opened = _day_first(rows[0]["opened_at"], zone)
        told = sorted(rows, key=lambda row: (_updated(row, zone), int(row["sys_mod_count"])))
        steps, before = [], ""
        for row in told:
            state = row["incident_state"]
            steps.append(
                Step(
                    at=_updated(row, zone),
                    status=_known(self._STATUS, state, "incident_state"),
                    priority=_known(self._PRIORITY, row["priority"][:1], "priority"),
                    reply=self._REPLY.get(state, "") if state != before else "",
                    agent=_given(row.get("resolved_by", "")),
                )
            )
            before = state
        return Incident(
            id=case,
            created_at=min(opened, steps[0].at),
            requester=_given(rows[0].get("caller_id", "")) or "Unknown caller",
            channel=self._CHANNEL.get(rows[0].get("contact_type", ""), "email"),
            steps=steps,
        )


class VolvoIT:
    """The incidents of Volvo IT (BPI challenge 2013): a row for each change of status.

    `caseid` is the case, `task` status and substatus, `user` the agent, `end_timestamp` the instant;
    the first row is the creation. There are no priorities, requesters and channels. The first
    acceptance is a public acknowledgement, Wait - User and Wait - Customer a public question,
    Resolved and In Call (solved while the user was on the phone) a public answer.
    """

    name = "Volvo IT incidents"
    columns = frozenset({"caseid", "task", "user", "end_timestamp"})
    case = "caseid"
    time_zone = "Europe/Stockholm"
    _STATUS = {
        "Accepted+In Progress": OPEN, "Accepted+Assigned": OPEN, "Queued+Awaiting Assignment": OPEN,
        "Accepted+Wait - User": PENDING, "Accepted+Wait - Customer": PENDING,
        "Accepted+Wait": HOLD, "Accepted+Wait - Implementation": HOLD,
        "Accepted+Wait - Vendor": HOLD, "Completed+Resolved": SOLVED, "Completed+In Call": SOLVED,
        "Completed+Cancelled": SOLVED, "Completed+Closed": CLOSED, "Unmatched+Unmatched": "",
    }  # fmt: skip
    _REPLY = {
        "Accepted+Wait - User": "Could you tell us more about this?",
        "Accepted+Wait - Customer": "Could you tell us more about this?",
        "Completed+Resolved": "This is resolved.",
        "Completed+In Call": "This was solved on the phone.",
    }

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the changes tell."""
        steps, before, accepted = [], "", False
        for row in sorted(rows, key=lambda row: row["end_timestamp"]):
            task = row["task"]
            reply = self._REPLY.get(task, "") if task != before else ""
            if task.startswith("Accepted+") and not accepted:
                accepted, reply = True, reply or "We are looking into it."
            at = _local(datetime.fromisoformat(row["end_timestamp"]), zone)
            status = _known(self._STATUS, task, "task")
            steps.append(Step(at=at, status=status, reply=reply, agent=row["user"]))
            before = task
        return Incident(
            id=case,
            created_at=steps[0].at,
            requester=f"Requester of {case}",
            channel="phone",
            steps=steps,
        )


class ItalianHelpdesk:
    """The helpdesk of an Italian software company: a row for each activity.

    `Case ID` is the case, `Activity` what was done, `Resource` the agent, `Complete Timestamp` the
    instant, `customer` the requester; the first row is the creation. `seriousness_2` is the
    priority: its values are anonymised and their true order is unknown, so the rarer one is read as
    the graver one, only in order that changes of priority are replayed at all. The first Take in
    charge is a public acknowledgement, Schedule intervention a public reply, Resolve a public
    answer.
    """

    name = "Italian helpdesk"
    columns = frozenset({"Case ID", "Activity", "Resource", "Complete Timestamp", "seriousness_2"})
    case = "Case ID"
    time_zone = "Europe/Rome"
    _STATUS = {
        "Assign seriousness": "", "Insert ticket": "", "Take in charge ticket": OPEN, "Wait": HOLD,
        "Require upgrade": HOLD, "Create SW anomaly": HOLD, "Resolve SW anomaly": OPEN,
        "Schedule intervention": OPEN, "Resolve ticket": SOLVED, "RESOLVED": SOLVED,
        "INVALID": SOLVED, "DUPLICATE": SOLVED, "VERIFIED": "", "Closed": CLOSED,
    }  # fmt: skip
    _REPLY = {
        "Schedule intervention": "We shall come by.",
        "Resolve ticket": "This is resolved.",
    }
    _PRIORITY = {"Value 1": "low", "Value 2": "normal", "Value 4": "high", "Value 3": "urgent"}

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the activities tell."""
        steps, taken = [], False
        for row in sorted(rows, key=lambda row: row["Complete Timestamp"]):
            activity = row["Activity"]
            reply = self._REPLY.get(activity, "")
            if activity == "Take in charge ticket" and not taken:
                taken, reply = True, "We are looking into it."
            written = row["Complete Timestamp"]
            steps.append(
                Step(
                    at=_local(datetime.strptime(written, "%Y/%m/%d %H:%M:%S.%f"), zone),  # noqa: DTZ007
                    status=_known(self._STATUS, activity, "Activity"),
                    priority=self._PRIORITY.get(row["seriousness_2"], ""),
                    reply=reply,
                    agent=f"Agent {row['Resource']}",
                )
            )
        return Incident(
            id=case,
            created_at=steps[0].at,
            requester=f"Customer {rows[0].get('customer') or '?'}",
            channel="web",
            steps=steps,
        )


KINDS: tuple[LogKind, ...] = (ServiceNow(), VolvoIT(), ItalianHelpdesk())


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


def _updated(row: Row, zone: ZoneInfo) -> datetime:
    return _day_first(row["sys_updated_at"], zone)


def _day_first(text: str, zone: ZoneInfo) -> datetime:
    """`29-02-2016 01:16` and `29/2/2016 12:54` as instants."""
    return _local(datetime.strptime(text.replace("/", "-"), "%d-%m-%Y %H:%M"), zone)  # noqa: DTZ007


def _local(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local time, cut to the second; of a repeated one the first is meant."""
    return wall.replace(tzinfo=zone, microsecond=0).astimezone(UTC)


def _known(words: Mapping[str, str], word: str, column: str) -> str:
    if word not in words:
        raise ValueError(f"{column} '{word}' is unknown; known are {', '.join(words)}")
    return words[word]


def _given(text: str) -> str:
    """A question mark is how these logs write that nothing is known."""
    return "" if text.strip() in ("", "?") else " ".join(text.split())
