"""Freshdesk's own SLA policies and business hours, and how much time they give a ticket."""

import threading
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.clock import Clock
from sandbox.freshdesk.errors import BLANK, Flaw, flawed
from sandbox.freshdesk.kinds import (
    ID,
    LIST,
    PAIRS,
    TEXT,
    TRUTH,
    blank_flaws,
    is_id,
    kind_flaws,
)
from sandbox.state import Doc, Row, State

_FIRST_ID = 43_000_088_326
_HOURS_ID = 43_000_022_101
_ZONE = "London"
_ZONES = {"London": "Europe/London"}  # a Rails name -> the IANA one
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FARTHEST_DAYS = 3660
# Hours to respond and to resolve, by priority, around the clock.
_TARGETS = {4: (1, 8), 3: (4, 24), 2: (8, 48), 1: (24, 72)}
_APPLIES = {
    "company_ids": "company_id", "group_ids": "group_id", "sources": "source",
    "ticket_types": "type", "product_ids": "product_id",
}  # fmt: skip
_TIMES = ("respond_within", "resolve_within")
_LEAST_NEXT = 30  # seconds
_KINDS = {
    "name": TEXT, "description": TEXT, "active": TRUTH, "position": ID, "sla_target": PAIRS,
    "applicable_to": PAIRS, "escalation": PAIRS,
}  # fmt: skip
_FILLED = ("name", "active", "position", "sla_target")
_MOST_SECONDS = 31_536_000  # of a target: a year


class Policies:
    """The account's SLA policies: the first by position that applies wins, the default last."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.RLock()
        self._all: dict[int, Doc] = {int(d["id"]): d for d in state.all("sla_policy")}
        if not self._all:
            self._store(_default(clock.stamp()))
        self.hours = _business_hours(clock.stamp())

    def all(self) -> list[Doc]:
        """The policies by position, with text ids as live accounts show them."""
        ordered = sorted(self._all.values(), key=lambda doc: (doc["position"], doc["id"]))
        return [doc | {"id": str(doc["id"])} for doc in ordered]

    def get(self, policy_id: int) -> Doc | None:
        """One policy, or None."""
        found = self._all.get(policy_id)
        return None if found is None else found | {"id": str(policy_id)}

    def create(self, wanted: Mapping[str, Any]) -> Doc:
        """Create a policy before the default one. Raises FreshdeskError 400 for a wrong one."""
        missing = [name for name in ("name", "sla_target", "applicable_to") if not wanted.get(name)]
        flaws = [Flaw(field=name, message=BLANK, code="missing_field") for name in missing]
        if flaws or (flaws := _flaws(wanted)):
            raise flawed(flaws)
        at = self._clock.stamp()
        with self._lock:
            default = next(doc for doc in self._all.values() if doc["is_default"])
            place = default["position"]
            self._store(default | {"position": place + 1})
            blank = {
                "id": self._state.next_id("sla_policy", start=_FIRST_ID + 1), "name": "",
                "description": None, "active": True, "is_default": False, "position": place,
                "sla_target": {}, "applicable_to": {}, "escalation": {}, "created_at": at,
                "updated_at": at,
            }  # fmt: skip
            return self._store(blank | _given(wanted))

    def update(self, policy_id: int, wanted: Mapping[str, Any]) -> Doc:
        """Change a policy. Raises FreshdeskError 400 for a wrong one."""
        flaws = _flaws(wanted)
        if flaws:
            raise flawed(flaws)
        with self._lock:
            changes = _given(wanted) | {"updated_at": self._clock.stamp()}
            return self._store(self._all[policy_id] | changes)

    def dates(self, ticket: Doc, pauses: list[tuple[datetime, datetime]]) -> dict[str, datetime]:
        """The due dates that the policy gives a ticket which was created at its first second."""
        policy = self._policy_of(ticket)
        target = policy["sla_target"].get(f"priority_{ticket['priority']}") or {}
        hours = self.hours if target.get("business_hours") else None
        created = datetime.fromisoformat(ticket["created_at"])
        stood = sum(_between(hours, start, end) for start, end in pauses)
        names = zip(("fr_due_by", "due_by"), _TIMES, strict=True)
        return {
            due: _later(hours, created, target[name] + stood)
            for due, name in names
            if target.get(name)
        }

    def _policy_of(self, ticket: Doc) -> Doc:
        ordered = sorted(self._all.values(), key=lambda doc: doc["position"])
        usable = [doc for doc in ordered if doc["active"] or doc["is_default"]]
        return next(doc for doc in usable if doc["is_default"] or _applies(doc, ticket))

    def _store(self, doc: Doc) -> Doc:
        self._state.put(Row(kind="sla_policy", id=doc["id"], doc=doc))
        self._all[doc["id"]] = doc
        return doc | {"id": str(doc["id"])}


def _default(at: str) -> Doc:
    targets = {
        f"priority_{priority}": {
            "respond_within": respond * 3600, "resolve_within": resolve * 3600,
            "next_respond_within": None, "business_hours": False, "escalation_enabled": True,
        }
        for priority, (respond, resolve) in _TARGETS.items()
    }  # fmt: skip
    return {
        "id": _FIRST_ID, "name": "Default SLA Policy", "description": "default policy",
        "active": True, "is_default": True, "position": 1, "sla_target": targets,
        "applicable_to": {}, "escalation": {}, "created_at": at, "updated_at": at,
    }  # fmt: skip


def _business_hours(at: str) -> Doc:
    day = {"start_time": "09:00:00 am", "end_time": "05:00:00 pm"}
    return {
        "id": str(_HOURS_ID), "name": "Default", "description": "Default business hours",
        "is_default": True, "time_zone": _ZONE, "created_at": at, "updated_at": at,
        "business_hours": {name: dict(day) for name in _DAYS[:5]}, "holidays": {},
    }  # fmt: skip


def _given(wanted: Mapping[str, Any]) -> Doc:
    return {name: wanted[name] for name in _KINDS if name in wanted}


def _flaws(wanted: Mapping[str, Any]) -> list[Flaw]:
    flaws = [*kind_flaws(wanted, _KINDS), *blank_flaws(wanted, _FILLED)]
    applies = wanted.get("applicable_to")
    if flaws:
        return flaws
    flaws = kind_flaws(applies or {}, dict.fromkeys(_APPLIES, LIST), "applicable_to.")
    targets = wanted.get("sla_target", {})
    return flaws + [
        flaw for name, target in targets.items() for flaw in _target_flaws(name, target)
    ]


def _target_flaws(name: str, target: Any) -> Iterator[Flaw]:
    place = f"sla_target.{name}"
    if name not in {f"priority_{priority}" for priority in _TARGETS} or not isinstance(
        target, dict
    ):
        yield Flaw(field=place, message="Unexpected/invalid field in request", code="invalid_field")
        return
    for key in _TIMES:
        if not is_id(target.get(key)) or target[key] > _MOST_SECONDS:
            text = "It should be a/an Positive Integer"
            yield Flaw(field=f"{place}.{key}", message=text, code="datatype_mismatch")
    after = target.get("next_respond_within")
    if after is not None and (not isinstance(after, int) or after < _LEAST_NEXT):
        text = f"It should be at least {_LEAST_NEXT}"
        yield Flaw(field=f"{place}.next_respond_within", message=text)


def _applies(policy: Doc, ticket: Doc) -> bool:
    wanted = policy["applicable_to"] or {}
    return all(
        ticket[name] in wanted[listed] for listed, name in _APPLIES.items() if wanted.get(listed)
    )


def _later(hours: Doc | None, start: datetime, seconds: float) -> datetime:
    """The instant at which that many open seconds have gone by."""
    if hours is None:
        return start + timedelta(seconds=seconds)
    left = timedelta(seconds=seconds)
    for opens, closes in _spans(hours, start):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    return start + timedelta(days=_FARTHEST_DAYS)


def _between(hours: Doc | None, start: datetime, end: datetime) -> float:
    """Open seconds from one instant to another."""
    if hours is None:
        return (end - start).total_seconds()
    total = 0.0
    for opens, closes in _spans(hours, start):
        if opens >= end:
            break
        total += (min(closes, end) - opens).total_seconds()
    return total


def _spans(hours: Doc, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open stretches from `start` on."""
    zone = ZoneInfo(_ZONES[hours["time_zone"]])
    day = start.astimezone(zone).date()
    for offset in range(_FARTHEST_DAYS):
        on = day + timedelta(days=offset)
        told = hours["business_hours"].get(_DAYS[on.weekday()])
        if told is None:
            continue
        closes = _at(on, told["end_time"], zone)
        if closes > start:
            yield max(start, _at(on, told["start_time"], zone)), closes


def _at(on: date, text: str, zone: ZoneInfo) -> datetime:
    hour, minute, second = (int(part) for part in text[:8].split(":"))
    noon = 12 if text.endswith("pm") else 0
    return datetime.combine(on, time(hour % 12 + noon, minute, second), zone)
