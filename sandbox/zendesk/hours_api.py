"""Zendesk's API about business hours, and about the account's own SLA policies."""

import re
from datetime import date
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.state import Doc, Row
from sandbox.zendesk.account import Account
from sandbox.zendesk.errors import invalid, not_found
from sandbox.zendesk.native import sla_policies
from sandbox.zendesk.parsing import envelope
from sandbox.zendesk.wire import base_url, json_body

_FIRST_SCHEDULE, _FIRST_HOLIDAY = 900_800_000_001, 900_810_000_001
_WEEK, _DAY = 10_080, 1440  # minutes
_RAILS_ZONE = re.compile(r"[A-Z][A-Za-z .&()'-]+")


class HoursApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._state = account.core.state

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        every = "/api/v2/business_hours/schedules"
        one = every + "/<int:schedule_id>"
        holiday = one + "/holidays/<int:holiday_id>"
        routes: tuple[tuple[str, str, Any], ...] = (
            ("GET", every, self.schedules),
            ("POST", every, self.create_schedule),
            ("GET", one, self.schedule),
            ("PUT", one, self.update_schedule),
            ("DELETE", one, self.delete_schedule),
            ("PUT", one + "/workweek", self.set_workweek),
            ("GET", one + "/holidays", self.holidays),
            ("POST", one + "/holidays", self.create_holiday),
            ("GET", holiday, self.holiday),
            ("PUT", holiday, self.update_holiday),
            ("DELETE", holiday, self.delete_holiday),
            ("GET", "/api/v2/slas/policies", self.policies),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"hours {view.__name__}", view, methods=[method])

    def schedules(self) -> Response:
        """All schedules."""
        return jsonify({"schedules": self._state.all("schedule")})

    def create_schedule(self) -> tuple[Response, int]:
        """Create a schedule: Monday to Friday, nine to five, until its work week is set."""
        wanted, at = envelope(json_body(), "schedule"), self._account.core.clock.stamp()
        week = [
            {"start_time": day * _DAY + 540, "end_time": day * _DAY + 1020} for day in range(1, 6)
        ]
        doc: Doc = {
            "id": self._state.next_id("schedule", start=_FIRST_SCHEDULE),
            **_named(wanted),
            "intervals": week,
            "created_at": at,
            "updated_at": at,
        }
        return jsonify({"schedule": self._stored("schedule", doc)}), 201

    def schedule(self, schedule_id: int) -> Response:
        """One schedule."""
        return jsonify({"schedule": self._found("schedule", schedule_id)})

    def update_schedule(self, schedule_id: int) -> Response:
        """Rename a schedule, or give it another time zone."""
        doc = self._found("schedule", schedule_id)
        doc |= _named({**doc, **envelope(json_body(), "schedule")})
        return jsonify({"schedule": self._stored("schedule", doc)})

    def delete_schedule(self, schedule_id: int) -> tuple[str, int]:
        """Delete a schedule with its holidays."""
        self._found("schedule", schedule_id)
        for holiday in self._state.children("holiday", schedule_id):
            self._state.remove("holiday", holiday["id"])
        self._state.remove("schedule", schedule_id)
        return "", 204

    def set_workweek(self, schedule_id: int) -> Response:
        """Set the open hours, in minutes since Sunday midnight of the schedule's zone."""
        doc = self._found("schedule", schedule_id)
        doc["intervals"] = _intervals(envelope(json_body(), "workweek").get("intervals"))
        self._stored("schedule", doc)
        return jsonify({"workweek": {"intervals": doc["intervals"]}})

    def holidays(self, schedule_id: int) -> Response:
        """A schedule's holidays."""
        self._found("schedule", schedule_id)
        return jsonify({"holidays": self._state.children("holiday", schedule_id)})

    def create_holiday(self, schedule_id: int) -> tuple[Response, int]:
        """Add a holiday: whole days, the last one included."""
        self._found("schedule", schedule_id)
        key = self._state.next_id("holiday", start=_FIRST_HOLIDAY)
        doc = {"id": key, **self._days(envelope(json_body(), "holiday"))}
        return jsonify({"holiday": self._stored("holiday", doc, parent=schedule_id)}), 201

    def holiday(self, schedule_id: int, holiday_id: int) -> Response:
        """One holiday."""
        return jsonify({"holiday": self._holiday(schedule_id, holiday_id)})

    def update_holiday(self, schedule_id: int, holiday_id: int) -> Response:
        """Change a holiday."""
        doc = self._holiday(schedule_id, holiday_id)
        doc |= self._days({**doc, **envelope(json_body(), "holiday")})
        return jsonify({"holiday": self._stored("holiday", doc, parent=schedule_id)})

    def delete_holiday(self, schedule_id: int, holiday_id: int) -> tuple[str, int]:
        """Delete a holiday."""
        self._holiday(schedule_id, holiday_id)
        self._state.remove("holiday", holiday_id)
        return "", 204

    def policies(self) -> Response:
        """The account's own SLA policies."""
        policies = sla_policies(base_url())
        beside: Doc = {"count": len(policies), "next_page": None, "previous_page": None}
        return jsonify({"sla_policies": policies, **beside})

    def _holiday(self, schedule_id: int, holiday_id: int) -> Doc:
        known = self._state.children("holiday", schedule_id)
        found = next((holiday for holiday in known if holiday["id"] == holiday_id), None)
        if found is None:
            raise not_found()
        return found

    def _days(self, wanted: Doc) -> Doc:
        """Name and days of a holiday, at most two years from today."""
        start, end = _day(wanted, "start_date"), _day(wanted, "end_date")
        today = self._account.core.clock.now().date()
        far = abs((start - today).days) > 731 or abs((end - today).days) > 731
        if end < start or far or not str(wanted.get("name") or "").strip():
            raise invalid("base", "Holiday: name or dates are invalid")
        return {
            "name": wanted["name"],
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
        }

    def _found(self, kind: str, key: int) -> Doc:
        doc = self._state.get(kind, key)
        if doc is None:
            raise not_found()
        return doc

    def _stored(self, kind: str, doc: Doc, *, parent: int | None = None) -> Doc:
        if "updated_at" in doc:
            doc["updated_at"] = self._account.core.clock.stamp()
        self._state.put(Row(kind=kind, id=doc["id"], doc=doc, parent=parent))
        return doc


def _named(wanted: Doc) -> Doc:
    zone = str(wanted.get("time_zone") or "")
    if not _RAILS_ZONE.fullmatch(zone):
        raise invalid("time_zone", f"Time zone: {zone} is not one that Rails names")
    if not str(wanted.get("name") or "").strip():
        raise invalid("name", "Name: cannot be blank")
    return {"name": wanted["name"], "time_zone": zone}


def _intervals(wanted: Any) -> list[Doc]:
    try:
        pairs = sorted((int(one["start_time"]), int(one["end_time"])) for one in wanted)
    except (TypeError, KeyError, ValueError) as error:
        raise invalid("intervals", "Intervals: start_time and end_time are needed") from error
    previous = 0
    for start, end in pairs:
        same_day = start // _DAY == (end - 1) // _DAY
        if not (previous <= start < end <= _WEEK and same_day):
            raise invalid("intervals", f"Intervals: {start} to {end} is not within a day")
        previous = end
    return [{"start_time": start, "end_time": end} for start, end in pairs]


def _day(wanted: Doc, name: str) -> date:
    try:
        return date.fromisoformat(str(wanted.get(name)))
    except ValueError as error:
        raise invalid(name, f"{name}: {wanted.get(name)} is not a valid date") from error
