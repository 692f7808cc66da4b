"""Knows what the columns of three kinds of incident logs mean.

Of every kind only the columns named below are read. The logs hold no texts and no replies, so a
public reply of an agent is assumed where an activity plausibly means one; each class says where.
Their instants are local times of a zone that they do not name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

Row = Mapping[str, str]
NEW, OPEN, PENDING, HOLD, SOLVED, CLOSED = "new", "open", "pending", "hold", "solved", "closed"


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


SERVICENOW_STATUS = {
    "New": NEW, "Active": OPEN, "Awaiting User Info": PENDING, "Awaiting Problem": HOLD,
    "Awaiting Vendor": HOLD, "Awaiting Evidence": HOLD, "Resolved": SOLVED, "Closed": CLOSED,
    "-100": "",
}  # fmt: skip
SERVICENOW_REPLY = {
    "Awaiting User Info": "Could you tell us more about this?",
    "Resolved": "This is resolved.",
}
SERVICENOW_PRIORITY = {"1": "urgent", "2": "high", "3": "normal", "4": "low"}
SERVICENOW_CHANNEL = {"Email": "email", "Phone": "phone", "Self service": "web", "IVR": "phone"}


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
                    status=_known(SERVICENOW_STATUS, state, "incident_state"),
                    priority=_known(SERVICENOW_PRIORITY, row["priority"][:1], "priority"),
                    reply=SERVICENOW_REPLY.get(state, "") if state != before else "",
                    agent=_given(row.get("resolved_by", "")),
                )
            )
            before = state
        return Incident(
            id=case,
            created_at=min(opened, steps[0].at),
            requester=_given(rows[0].get("caller_id", "")) or "Unknown caller",
            channel=SERVICENOW_CHANNEL.get(rows[0].get("contact_type", ""), "email"),
            steps=steps,
        )


VOLVO_STATUS = {
    "Accepted+In Progress": OPEN, "Accepted+Assigned": OPEN, "Queued+Awaiting Assignment": OPEN,
    "Accepted+Wait - User": PENDING, "Accepted+Wait - Customer": PENDING,
    "Accepted+Wait": HOLD, "Accepted+Wait - Implementation": HOLD,
    "Accepted+Wait - Vendor": HOLD, "Completed+Resolved": SOLVED, "Completed+In Call": SOLVED,
    "Completed+Cancelled": SOLVED, "Completed+Closed": CLOSED, "Unmatched+Unmatched": "",
}  # fmt: skip
VOLVO_REPLY = {
    "Accepted+Wait - User": "Could you tell us more about this?",
    "Accepted+Wait - Customer": "Could you tell us more about this?",
    "Completed+Resolved": "This is resolved.",
    "Completed+In Call": "This was solved on the phone.",
}


class VolvoIT:
    """The incidents of Volvo IT (BPI challenge 2013): a row for each change of status.

    `caseid` is the case, `task` status and substatus, `user` the agent, `end_timestamp` the
    instant; the first row is the creation. There are no priorities, requesters and channels. The
    first acceptance is a public acknowledgement, Wait - User and Wait - Customer a public question,
    Resolved and In Call (solved while the user was on the phone) a public answer.
    """

    name = "Volvo IT incidents"
    columns = frozenset({"caseid", "task", "user", "end_timestamp"})
    case = "caseid"
    time_zone = "Europe/Stockholm"

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the changes tell."""
        steps, before, accepted = [], "", False
        for row in sorted(rows, key=lambda row: row["end_timestamp"]):
            task = row["task"]
            reply = VOLVO_REPLY.get(task, "") if task != before else ""
            if task.startswith("Accepted+") and not accepted:
                accepted, reply = True, reply or "We are looking into it."
            at = _local(datetime.fromisoformat(row["end_timestamp"]), zone)
            status = _known(VOLVO_STATUS, task, "task")
            steps.append(Step(at=at, status=status, reply=reply, agent=row["user"]))
            before = task
        return Incident(
            id=case,
            created_at=steps[0].at,
            requester=f"Requester of {case}",
            channel="phone",
            steps=steps,
        )


ITALIAN_STATUS = {
    "Assign seriousness": "", "Insert ticket": "", "Take in charge ticket": OPEN, "Wait": HOLD,
    "Require upgrade": HOLD, "Create SW anomaly": HOLD, "Resolve SW anomaly": OPEN,
    "Schedule intervention": OPEN, "Resolve ticket": SOLVED, "RESOLVED": SOLVED,
    "INVALID": SOLVED, "DUPLICATE": SOLVED, "VERIFIED": "", "Closed": CLOSED,
}  # fmt: skip
ITALIAN_REPLY = {
    "Schedule intervention": "We shall come by.",
    "Resolve ticket": "This is resolved.",
}
ITALIAN_PRIORITY = {"Value 1": "low", "Value 2": "normal", "Value 4": "high", "Value 3": "urgent"}


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

    def incident(self, case: str, rows: Sequence[Row], zone: ZoneInfo) -> Incident:
        """The incident that the activities tell."""
        steps, taken = [], False
        for row in sorted(rows, key=lambda row: row["Complete Timestamp"]):
            activity = row["Activity"]
            reply = ITALIAN_REPLY.get(activity, "")
            if activity == "Take in charge ticket" and not taken:
                taken, reply = True, "We are looking into it."
            written = row["Complete Timestamp"]
            steps.append(
                Step(
                    at=_local(datetime.strptime(written, "%Y/%m/%d %H:%M:%S.%f"), zone),  # noqa: DTZ007
                    status=_known(ITALIAN_STATUS, activity, "Activity"),
                    priority=ITALIAN_PRIORITY.get(row["seriousness_2"], ""),
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
