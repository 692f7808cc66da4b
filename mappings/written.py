"""Knows which instant the text of a ticket's field names."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from mappings.errors import OutOfRange
from mappings.instants import instant_of, second_of

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY = timedelta(days=1)


def instant(text: object) -> datetime | None:
    """An ISO 8601 instant with any offset as UTC, cut to the whole second; None otherwise."""
    found = _parsed(text)
    return None if found is None or found.tzinfo is None else _utc(found)


def instant_in(text: object, zone: tzinfo, *, end_of_day: bool = False) -> datetime | None:
    """The instant that a text names, None if it names none.

    A time without an offset is the wall's in `zone`. A date alone is its first instant there, or
    with `end_of_day` the first of the day after.
    """
    found = _parsed(text)
    if found is None:
        return None
    if end_of_day and isinstance(text, str) and _DATE.fullmatch(text.strip()):
        found += _DAY
    return _utc(found if found.tzinfo is not None else found.replace(tzinfo=zone))


def _parsed(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        return None


def _utc(found: datetime) -> datetime | None:
    """None also outside the years that are computed."""
    try:
        return instant_of(second_of(found.astimezone(UTC)))
    except (OverflowError, ValueError, OutOfRange):
        return None
