"""Knows the written form of a calendar."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from mappings.document.zones import zone_named
from mappings.errors import MappingError
from mappings.holidays import (
    FIRST_YEAR,
    LAST_YEAR,
    HolidayFile,
    check_country,
    check_subdivision,
    holiday_file,
    public_holidays,
)
from mappings.hours import Schedule
from mappings.instants import DAY
from mappings.local_hours import DayHours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE_DAY = "00:00-24:00"
_LONGEST_NIGHT = DAY // 2
_TIME = re.compile(r"(?P<hour>\d\d):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?", re.ASCII)
_LOOSE_TIME = re.compile(r"\s*(?P<hour>\d{1,2})(?:[:.h](?P<minute>[0-5]\d))?\s*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WALL = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>[\d:]+)", re.ASCII)


def interval_of(text: str) -> tuple[int, int]:
    """Wall seconds [from, to) of `09:00-17:00`; `to` passes 86400 when it lies after midnight.

    Raises ValueError that shows the right form."""
    opens_text, dash, closes_text = text.partition("-")
    opens, closes = _time_of(opens_text), _time_of(closes_text)
    if not dash or opens is None or closes is None:
        raise ValueError(f"'{text}' is no interval; write it as {_well_written(text)}")
    if opens == DAY:
        raise ValueError(f"'{text}' opens at 24:00; write 00:00 and put it under the next day")
    if opens == closes:
        raise ValueError(f"'{text}' has no length; write {_WHOLE_DAY} for a whole day")
    return opens, closes if opens < closes else closes + DAY


def _time_of(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    seconds = int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"] or 0)
    return seconds if seconds <= DAY else None


def _well_written(text: str) -> str:
    found = [_LOOSE_TIME.fullmatch(part) for part in re.split(r"-|\u2013|\u2014|to", text)]
    times = [f"{int(time['hour']):02}:{time['minute'] or '00'}" for time in found if time]
    right = len(times) == len(found) == 2 and all(_time_of(time) is not None for time in times)
    return "-".join(times) if right else "09:00-17:00"


def _checked_interval(text: str) -> str:
    interval_of(text)
    return text


def _date_of(value: object) -> object:
    if isinstance(value, str) and _DATE.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"'{value}' is no date; write it as 2026-12-25")


def _known_year(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"{day} is out of range; holidays lie in {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _list_of(value: object) -> object:
    if isinstance(value, str | list):
        return [value] if isinstance(value, str) else value
    raise ValueError(f"'{value}' is neither a text nor a list of texts")


def _file_name(name: str) -> str:
    if not name.strip():
        raise ValueError("the file name is empty; write one such as holidays.ics")
    if "://" in name:
        raise ValueError(f"'{name}' is an address; save what it gives and write the file's name")
    if "/" in name or "\\" in name:
        raise ValueError(f"'{name}' is a path; put the file beside this one and write its name")
    return name


def _holidays_of(value: object) -> object:
    if isinstance(value, list):
        return {"dates": value}
    if isinstance(value, Mapping | HolidaysDocument):
        return value
    raise ValueError(
        "holidays are a list of dates, [2026-12-25], or country, subdivision, ical, dates, except"
    )


def _special_days_of(value: object) -> object:
    """YAML reads a bare 2026-12-24 as a date; as text it has one name in the path of an error."""
    return {_text(key): hours for key, hours in value.items()} if isinstance(value, dict) else value


def _text(key: object) -> object:
    return key.isoformat() if type(key) is date else key


def _wall_time_of(value: object) -> object:
    if isinstance(value, str) and (found := _WALL.fullmatch(value)):
        with suppress(ValueError):
            return _wall_time(found["date"], found["time"])
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    raise ValueError(f"'{value}' is no local wall time; write it as 2026-07-01T12:00, no offset")


def _wall_time(day: str, time: str) -> datetime:
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time())
    seconds = _time_of(time)
    if seconds is None:
        raise ValueError(f"'{time}' is no time of the day")
    return midnight + timedelta(seconds=seconds)


def _closure_of(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("a closure is a pair: write it as [2026-07-01T12:00, 2026-07-01T15:00]")
    return tuple(value)


def _forward(closure: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    start, end = closure
    if start >= end:
        raise ValueError(f"the closure from {start} ends at {end}; it must end after it begins")
    return closure


def _day(value: object) -> object:
    if value not in _WEEKDAYS:
        raise ValueError(f"'{value}' is no day; write mon, tue, wed, thu, fri, sat or sun")
    return value


def _week_form(value: object) -> str:
    return "always" if isinstance(value, str) else "days"


def _intervals(value: object) -> object:
    if isinstance(value, list):
        return value
    raise ValueError('a day has a list of intervals: write ["09:00-17:00"], or [] when closed')


Day = Annotated[Weekday, BeforeValidator(_day)]
IntervalText = Annotated[str, AfterValidator(_checked_interval)]
DayText = Annotated[list[IntervalText], BeforeValidator(_intervals)]
Date = Annotated[date, BeforeValidator(_date_of)]
WallTime = Annotated[datetime, BeforeValidator(_wall_time_of)]
Closure = Annotated[
    tuple[WallTime, WallTime], BeforeValidator(_closure_of), AfterValidator(_forward)
]
Week = Annotated[
    Annotated[Literal["always"], Tag("always")] | Annotated[dict[Day, DayText], Tag("days")],
    Discriminator(_week_form),
]


HolidayDate = Annotated[Date, AfterValidator(_known_year)]
Country = Annotated[
    str, AfterValidator(check_country), Field(json_schema_extra={"pattern": "^[A-Z]{2}$"})
]
FileName = Annotated[str, AfterValidator(_file_name)]

#: The text of the file of this name. May raise OSError, or ValueError when it is no text.
Read = Callable[[str], str]
#: The path of a place in the document, and what is to be said about it.
Found = Iterator[tuple[tuple[str | int, ...], str]]


class HolidayFileError(MappingError):
    """An iCalendar file of a calendar cannot be used. `path` is its place in the calendar."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.path = path


class HolidaysDocument(BaseModel):
    """The local dates on which a calendar is closed: those of all the keys, less `except`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)

    country: Annotated[
        list[Country], BeforeValidator(_list_of, json_schema_input_type=Country | list[Country])
    ] = Field(
        default=[],
        description="ISO 3166 code of a country whose public holidays count, such as GB; or a list",
    )
    subdivision: str | None = Field(
        default=None,
        description="ISO 3166-2 code of a part of that one country, without the country: ENG",
    )
    ical: Annotated[
        list[FileName], BeforeValidator(_list_of, json_schema_input_type=FileName | list[FileName])
    ] = Field(default=[], description="iCalendar file whose all-day events are holidays; or a list")
    dates: list[HolidayDate] = Field(
        default=[], description="Local dates that are holidays besides, such as 2026-12-24"
    )
    excepted: list[HolidayDate] = Field(
        default=[], alias="except", description="Local dates that are no holidays after all"
    )

    @field_validator("subdivision")
    @classmethod
    def _known_subdivision(cls, value: str | None, info: ValidationInfo) -> str | None:
        countries = info.data.get("country")
        if value is None or countries is None:
            return value
        if len(countries) != 1:
            raise ValueError(f"'{value}' is a part of one country; name that country and no other")
        return check_subdivision(countries[0], value)

    @model_serializer(mode="wrap")
    def _short_form(self, handler: SerializerFunctionWrapHandler) -> Any:
        written = handler(self)
        only_dates = not (self.country or self.subdivision or self.ical or self.excepted)
        return written["dates"] if only_dates else written

    def closed(self, read: Read | None = None) -> frozenset[date]:
        """The dates that count. Raises `HolidayFileError`, also for a file without `read`."""
        return self.named(self.files(read)).difference(self.excepted)

    def named(self, files: Iterable[HolidayFile]) -> frozenset[date]:
        """The dates before `except` is taken out, those of `files` among them."""
        return frozenset(self.dates).union(
            *(public_holidays(country, self.subdivision) for country in self.country),
            *(file.dates for file in files),
        )

    def files(self, read: Read | None = None) -> list[HolidayFile]:
        """What the iCalendar files say. Raises `HolidayFileError`."""
        return [_file(name, ("holidays", "ical", at), read) for at, name in enumerate(self.ical)]


def _file(name: str, path: tuple[str | int, ...], read: Read | None) -> HolidayFile:
    if read is None:
        right = "where no files are read, write its dates under holidays.dates"
        raise HolidayFileError(f"the iCalendar file '{name}' was not read; {right}", path)
    try:
        return holiday_file(read(name))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise HolidayFileError(f"'{name}' cannot be read: {reason}", path) from error
    except ValueError as error:
        raise HolidayFileError(f"'{name}': {error}", path) from error


class ScheduleDocument(BaseModel):
    """A calendar as it is written in JSON or YAML. Days that the week does not name are closed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    time_zone: str = Field(
        default="UTC", description="IANA name or fixed offset; may be left out with week: always"
    )
    week: Week = Field(description="always, or a list of intervals such as 09:00-17:00 per day")
    holidays: Annotated[
        HolidaysDocument,
        BeforeValidator(_holidays_of, json_schema_input_type=list[HolidayDate] | HolidaysDocument),
    ] = Field(
        default=HolidaysDocument(),
        description="Local dates that are closed: a list, or by country, iCalendar file and date",
    )
    special_days: Annotated[
        dict[Date, DayText],
        BeforeValidator(_special_days_of, json_schema_input_type=dict[Date, DayText]),
    ] = Field(
        default={}, description="Intervals of single local dates, above holidays and the week"
    )
    closures: list[Closure] = Field(
        default=[], description="Local wall times [from, to) that are closed in any case"
    )

    @field_validator("time_zone", mode="before")
    @classmethod
    def _known_zone(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError(f"{value} is a number; put the time zone in quotes: '+10:00'")
        if isinstance(value, str):
            zone_named(value)
        return value

    @field_validator("week", mode="before")
    @classmethod
    def _known_days(cls, value: object) -> object:
        if value != "always" and not isinstance(value, dict):
            raise ValueError("a week is 'always' or lists of intervals under mon, tue … sun")
        return value

    @model_validator(mode="after")
    def _zone_is_named(self) -> "ScheduleDocument":
        if self.week != "always" and "time_zone" not in self.model_fields_set:
            raise ValueError("time_zone is missing; write an IANA name such as Europe/London")
        return self

    def to_schedule(self, name: str) -> Schedule:
        """The calendar under this name. `always` with holidays, special days or closures is a
        week of whole days, out of which these are cut. Raises `HolidayFileError` for a calendar
        with iCalendar files that `with_dates` has not read."""
        holidays = self.holidays.closed()
        if self.week == "always" and not (holidays or self.special_days or self.closures):
            return Schedule(name=name, zone=zone_named(self.time_zone), always=True)
        return Schedule(
            name=name,
            zone=zone_named(self.time_zone),
            week=tuple(_hours(self._written(day)) for day in _WEEKDAYS),
            holidays=holidays,
            special_days={day: _hours(texts) for day, texts in self.special_days.items()},
            closures=tuple(self.closures),
        )

    def _written(self, day: Weekday) -> Iterable[str]:
        return [_WHOLE_DAY] if self.week == "always" else self.week.get(day, ())


def _hours(texts: Iterable[str]) -> DayHours:
    return tuple(interval_of(text) for text in texts)


S = TypeVar("S", bound=ScheduleDocument)


def with_dates(document: S, read: Read | None) -> S:
    """The same calendar with its holidays written as a sorted list of dates.

    Raises `HolidayFileError` for a file that cannot be used."""
    dates = sorted(document.holidays.closed(read))
    return document.model_copy(update={"holidays": HolidaysDocument(dates=dates)})


def remarks(document: ScheduleDocument, read: Read | None = None) -> Found:
    """What is allowed but rarely meant. Without `read`, iCalendar files are left out of it.

    Raises `HolidayFileError` for a file that cannot be used."""
    yield from _night_remarks(document)
    if _never_open(document):
        yield ("week",), "no day has hours, so that this calendar is never open"
    files = [] if read is None else document.holidays.files(read)
    yield from _country_remarks(document.holidays)
    yield from _file_remarks(document.holidays.ical, files)
    yield from _date_remarks(document, files)


def _night_remarks(document: ScheduleDocument) -> Found:
    days: list[tuple[str, str, list[str]]] = [
        ("special_days", day.isoformat(), texts) for day, texts in document.special_days.items()
    ]
    if document.week != "always":
        days = [("week", day, texts) for day, texts in document.week.items()] + days
    for field, day, texts in days:
        for at, text in enumerate(texts):
            opens, closes = interval_of(text)
            if closes > DAY and closes - opens > _LONGEST_NIGHT:
                yield (field, day, at), _long_night(text, closes - opens)


def _long_night(text: str, seconds: int) -> str:
    opens, _, closes = text.partition("-")
    return (
        f"'{text}' is open for {seconds / 3600:.4g} hours, from {opens} over midnight to {closes} "
        f"of the next day; if the day begins at {closes}, write {closes}-{opens}"
    )


def _never_open(document: ScheduleDocument) -> bool:
    if document.week == "always":
        return False
    return not any(document.week.values()) and not any(document.special_days.values())


def _country_remarks(holidays: HolidaysDocument) -> Found:
    for at, country in enumerate(holidays.country):
        known = public_holidays(country, holidays.subdivision)
        if not known or known[-1].year < LAST_YEAR - 1:  # some years begin and end without one
            after = f" after {known[-1]}" if known else ""
            yield (
                ("holidays", "country", at),
                f"no public holidays of {country} are known{after}; write them under dates",
            )


def _file_remarks(names: list[str], files: list[HolidayFile]) -> Found:
    for at, (name, file) in enumerate(zip(names, files, strict=False)):
        path = ("holidays", "ical", at)
        if not file.dates:
            why = "all of its events have times" if file.timed else "it has no all-day events left"
            yield path, f"'{name}' gives no holidays: {why}"
        elif file.timed:
            shown = ", ".join(f"'{event}'" for event in file.timed[:3])
            yield path, f"'{name}': events with times are no holidays ({len(file.timed)}): {shown}"


def _date_remarks(document: ScheduleDocument, files: list[HolidayFile]) -> Found:
    holidays, complete = document.holidays, len(files) == len(document.holidays.ical)
    named = holidays.named(files)
    for at, day in enumerate(holidays.excepted):
        if complete and day not in named:
            yield ("holidays", "except", at), f"{day} is no holiday; there is nothing to except"
    for day, texts in document.special_days.items():
        if day in named and day not in holidays.excepted:
            hours = ", ".join(texts) or "closed"
            yield (
                ("special_days", day.isoformat()),
                f"{day} is a holiday and a special day; the special day wins: {hours}",
            )
