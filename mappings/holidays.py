"""Knows the public holidays of a country and the all-day events of an iCalendar text, as dates."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import holidays
from dateutil.rrule import rrule, rrulestr
from holidays.registry import COUNTRIES
from icalendar import Calendar, Component

FIRST_YEAR = 1970
LAST_YEAR = 2100
MAX_CHARACTERS = 1_000_000  # a feed of public holidays has some ten thousand
MAX_DATES = 100_000  # twice every day of the years above
_MAX_SHOWN = 20
_DAY = timedelta(days=1)
_REPEATS = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_TIMES_OF_DAY = {"BYHOUR", "BYMINUTE", "BYSECOND"}  # RFC 5545, 3.3.10: not for whole days
_DATE_PROPERTIES = {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}


@dataclass(frozen=True, kw_only=True, slots=True)
class HolidayFile:
    """What an iCalendar text says about whole days."""

    #: Sorted, each once, within the years 1970 to 2100.
    dates: tuple[date, ...]
    #: The names of events with times; those are no holidays.
    timed: tuple[str, ...]


@lru_cache(maxsize=64)
def public_holidays(country: str, subdivision: str | None = None) -> tuple[date, ...]:
    """The public holidays, observed ones included, as far as they are known in 1970 to 2100.

    Raises ValueError for a code that `check_country` or `check_subdivision` refuses."""
    check_country(country)
    if subdivision is not None:
        check_subdivision(country, subdivision)
    with warnings.catch_warnings():  # the library says which years a lunar calendar is known for
        warnings.simplefilter("ignore")
        years = range(FIRST_YEAR, LAST_YEAR + 1)
        return tuple(sorted(holidays.country_holidays(country, subdiv=subdivision, years=years)))


def check_country(code: str) -> str:
    """The code itself, of ISO 3166-1, two letters. Raises ValueError that suggests a near one."""
    codes = {names[1] for names in COUNTRIES.values()}
    if code in codes:
        return code
    by_name = {
        name.lower(): names[1]
        for module, names in COUNTRIES.items()
        for name in (module.replace("_", " "), *names)
    }
    wanted = code.strip().lower()
    near = get_close_matches(wanted, by_name, 1, cutoff=0.8)
    if not near:
        raise ValueError(
            f"unknown country '{code}'; write an ISO 3166 code of two letters, such as GB"
        )
    raise ValueError(f"unknown country '{code}'; did you mean '{by_name[near[0]]}'?")


def check_subdivision(country: str, code: str) -> str:
    """The code itself, of ISO 3166-2 without the country. Raises ValueError that suggests a near
    one and shows what the country has."""
    known = holidays.country_holidays(country)
    codes = known.subdivisions
    if code in codes:
        return code
    if not codes:
        raise ValueError(f"'{code}': {country} has no subdivisions; leave it out")
    by_name = {one.lower(): one for one in codes}
    for one, names in known.get_subdivision_aliases().items():
        by_name |= {name.lower(): one for name in names}
    wanted = code.strip().lower().removeprefix(f"{country.lower()}-")
    near = get_close_matches(wanted, by_name, 1, cutoff=0.8)
    meant = f"did you mean '{by_name[near[0]]}'? " if near else ""
    more = f" and {len(codes) - _MAX_SHOWN} more" if len(codes) > _MAX_SHOWN else ""
    raise ValueError(
        f"'{code}' is no subdivision of {country}; {meant}"
        f"Known: {', '.join(codes[:_MAX_SHOWN])}{more}"
    )


def holiday_file(text: str) -> HolidayFile:
    """The dates of the all-day events, repeated ones included; cancelled events are left out.

    Raises ValueError for what is no iCalendar text, has no events or more than `MAX_DATES` dates.
    """
    events = _events(text)
    timed = tuple(_name(event) for event in events if _has_times(event))
    replaced = {
        (str(event.get("UID")), _day(_single(event, "RECURRENCE-ID")))
        for event in events
        if "RECURRENCE-ID" in event
    }
    found = _within_years(day for event in events for day in _event_days(event, replaced))
    return HolidayFile(dates=tuple(sorted(found)), timed=timed)


def _within_years(days: Iterable[date]) -> set[date]:
    found = set()
    for count, day in enumerate(days):
        if count >= MAX_DATES:
            raise ValueError(f"the events have more than {MAX_DATES:,} dates")
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            found.add(day)
    return found


def _events(text: str) -> list[Component]:
    text = text.removeprefix("\ufeff").strip()
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"the text has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}")
    if not text.upper().startswith("BEGIN:VCALENDAR"):
        raise ValueError("this is no iCalendar text; such a text begins with BEGIN:VCALENDAR")
    try:
        calendars = Calendar.from_ical("\r\n".join(_without_zones(text)), multiple=True)
        events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, TypeError, AttributeError, LookupError) as error:  # what broken lines raise
        raise ValueError(f"this is no iCalendar text: {str(error)[:200]}") from None
    if not calendars:
        raise ValueError("the iCalendar text is cut off; its end, END:VCALENDAR, is missing")
    if not events:
        raise ValueError("the iCalendar text has no events (VEVENT)")
    for event in events:
        _refuse_broken(event)
    return events


def _without_zones(text: str) -> Iterator[str]:
    """Whole days have no zone; the rules in a VTIMEZONE would only be in the way."""
    inside = False
    for line in text.splitlines():
        mark = line.strip().upper()
        inside = inside or mark == "BEGIN:VTIMEZONE"
        if not inside and mark != "END:VTIMEZONE":
            yield line
        inside = inside and mark != "END:VTIMEZONE"


def _refuse_broken(event: Component) -> None:
    for name, problem in event.errors:
        if name is None or name in _DATE_PROPERTIES:
            raise ValueError(f"event '{_name(event)}': {name or 'a line'}: {problem[:200]}")


def _name(event: Component) -> str:
    names = _values(event, "SUMMARY") or _values(event, "UID") or ["without a name"]
    return str(names[0])[:40]


def _has_times(event: Component) -> bool:
    return isinstance(_single(event, "DTSTART"), datetime)


def _single(event: Component, name: str) -> Any:
    """The Python value of a property that stands there once."""
    value = event.get(name)
    if value is None or isinstance(value, list):
        amount = "no" if value is None else "more than one"
        raise ValueError(f"event '{_name(event)}' has {amount} {name}")
    return value.dt


def _event_days(event: Component, replaced: set[tuple[str, date]]) -> Iterator[date]:
    if _has_times(event) or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    try:
        length = _length(event)
        for start in _starts(event):
            original = "RECURRENCE-ID" in event or (str(event.get("UID")), start) not in replaced
            if original and start.year <= LAST_YEAR:
                yield from (start + count * _DAY for count in range(length))
    except ValueError as error:
        raise ValueError(f"event '{_name(event)}': {error}") from None


def _length(event: Component) -> int:
    """Days from DTSTART up to, but not including, DTEND. Some programs write both alike."""
    start = _day(_single(event, "DTSTART"))
    length = _DAY
    if "DTEND" in event:
        length = _day(_single(event, "DTEND")) - start
    elif "DURATION" in event:
        length = _single(event, "DURATION")
    if not isinstance(length, timedelta):
        raise ValueError("its DURATION is no length of time")
    if length < timedelta():
        raise ValueError("it ends before it begins")
    return max(1, -(-length // _DAY))


def _starts(event: Component) -> Iterator[date]:
    start = _day(_single(event, "DTSTART"))
    left_out = set(_listed(event, "EXDATE"))
    yield from {start, *_listed(event, "RDATE")} - left_out
    for rule in _values(event, "RRULE"):
        yield from (day for day in _repeated(rule, start) if day != start and day not in left_out)


def _listed(event: Component, name: str) -> Iterator[date]:
    return (_day(one.dt) for value in _values(event, name) for one in value.dts)


def _values(event: Component, name: str) -> list[Any]:
    value = event.get(name, [])
    return value if isinstance(value, list) else [value]


def _day(value: object) -> date:
    """Some programs write midnight, or a period from midnight on, where a date belongs."""
    first = value[0] if isinstance(value, tuple) else value
    if isinstance(first, datetime):
        return first.date()
    if isinstance(first, date):
        return first
    raise ValueError(f"'{first}' is no date")


def _repeated(written: Any, start: date) -> Iterator[date]:
    until = written.get("UNTIL", [])
    if until and _day(until[0]) < start:
        return  # a series that was ended before its first date, which some programs write
    day = None
    for at in _rule(written, start):
        day = at.date()
        if day.year > LAST_YEAR:
            return
        yield day
    if day is None:
        raise ValueError("its RRULE never falls on a date")


def _rule(written: Any, start: date) -> rrule:
    frequency = written.get("FREQ", ["nothing"])[0]
    if frequency not in _REPEATS:
        raise ValueError(f"its RRULE repeats {frequency}; write one of {', '.join(_REPEATS)}")
    if written.get("INTERVAL", [1])[0] < 1:
        raise ValueError("the INTERVAL of its RRULE is less than 1")
    if "COUNT" in written and "UNTIL" in written:
        raise ValueError("its RRULE ends twice; write COUNT or UNTIL")
    kept = type(written)({key: written[key] for key in written if key not in _TIMES_OF_DAY})
    midnight = datetime.combine(start, datetime.min.time())
    try:
        found = rrulestr(kept.to_ical().decode(), dtstart=midnight, ignoretz=True)
    except ValueError as error:
        raise ValueError(f"its RRULE cannot be read: {error}") from None
    if not isinstance(found, rrule):  # only several rules in one text make a set
        raise ValueError("its RRULE is not one rule")
    return found
