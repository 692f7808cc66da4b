"""Texts of a policy and its contracts that rest on nothing else: their holidays are dates."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from mappings.document.calendar import Read
from mappings.document.contract import Overlay
from mappings.document.policy import checked, laid
from mappings.document.policy_form import PolicyDocument
from mappings.document.reading import locate, parse_yaml

_CALENDARS, _HOLIDAYS = "calendars", "holidays"
_ELSEWHERE = frozenset({"country", "ical"})


def with_dates(
    text: str, file: str, overlays: Sequence[Overlay], *, zone_name: str, read: Read
) -> tuple[str, dict[str, str]]:
    """The policy's text, and by file those of the contracts that had to be written anew.

    A version of a policy must not change when a list of public holidays or an iCalendar file does.
    What takes no holidays from elsewhere stays as it was written.
    """
    data = parse_yaml(text, file)
    overrides = {one.file: one.document.overrides for one in overlays}
    if not any(_is_open(one) for one in (data, *overrides.values())):
        return text, {}
    published, _ = checked(data, file, zone_name, lambda path: (file, *locate(data, path)), read)
    written = {}
    for one in overlays:
        if any(_with_holidays(overrides[one.file])):
            found, place = laid(data, file, [one])
            amended, _ = checked(found, file, zone_name, place, read)
            plain = _plain(one.data)
            plain["overrides"] = _dated(plain["overrides"], amended)
            written[one.file] = json.dumps(plain, ensure_ascii=False)
    return json.dumps(_dated(_plain(data), published), ensure_ascii=False), written


def _with_holidays(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The calendars of a document that say something about holidays, by name."""
    calendars = data.get(_CALENDARS)
    for name, calendar in calendars.items() if isinstance(calendars, Mapping) else ():
        if isinstance(calendar, Mapping) and _HOLIDAYS in calendar:
            yield name, calendar[_HOLIDAYS]


def _is_open(data: Mapping[str, Any]) -> bool:
    """Whether some of its holidays stand in another file or in a list of public ones."""
    return any(
        isinstance(holidays, Mapping) and not _ELSEWHERE.isdisjoint(holidays)
        for _, holidays in _with_holidays(data)
    )


def _dated(plain: dict[str, Any], resolved: PolicyDocument) -> dict[str, Any]:
    """The document with its holidays as a list of dates, which replaces whatever it lies over."""
    for name, _ in list(_with_holidays(plain)):
        days = resolved.calendars[name].holidays.dates
        plain[_CALENDARS][name][_HOLIDAYS] = [day.isoformat() for day in days]
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
