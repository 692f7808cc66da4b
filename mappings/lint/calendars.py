"""Findings about calendars: hours that never come, or that were hardly meant."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mappings.document.calendar import HolidayFileError, Read, remarks
from mappings.document.policy import targets_in
from mappings.document.policy_form import CalendarDocument, PolicyDocument
from mappings.errors import NeverOpen
from mappings.lint.findings import Found
from mappings.lint.gaps import ZONE_GAP


def calendar_findings(
    document: PolicyDocument, written: Mapping[str, CalendarDocument], now: datetime, read: Read
) -> Found:
    """`written` are the calendars before their holidays are expanded to dates."""
    used = _used(document)
    for name, calendar in document.calendars.items():
        path = ("calendars", name)
        if name not in used:
            yield "calendar-unused", path, f"no target counts on the calendar '{name}'"
        try:
            calendar.to_schedule(name).next_open(now)
        except NeverOpen:
            message = f"calendar '{name}' has no open time in the next 400 days"
            yield "never-open", path, message
        else:
            yield from _remarks(name, written[name], read)


def zone_findings(document: PolicyDocument, undecided: frozenset[str]) -> Found:
    """`undecided` are the calendars whose zone nobody has chosen."""
    if not undecided:
        return
    text = next((gap.text for gap in document.gaps if gap.id == ZONE_GAP), None)
    why = text or "the document names no time zone"
    names = ", ".join(f"'{name}'" for name in sorted(undecided))
    yield (
        "zone-undecided",
        ("calendars", min(undecided), "time_zone"),
        f"calendar {names}: {why}. Decide it by time_zone of the account (here: --time-zone), or "
        "in a contract for everybody",
    )


def _used(document: PolicyDocument) -> set[str]:
    found = set()
    for _, target in targets_in(document):
        found.add(target.clock)
        if target.regime is not None:
            found.add(target.regime.calendar)
    return found


def _remarks(name: str, calendar: CalendarDocument, read: Read) -> Found:
    try:
        found = list(remarks(calendar, read))
    except HolidayFileError:  # an error of loading, which is told elsewhere
        return
    for path, message in found:
        code = "holidays-end" if path[:2] == ("holidays", "country") else "calendar-doubtful"
        where: tuple[Any, ...] = ("calendars", name, *path)
        yield code, where, f"calendar '{name}': {message}"
