"""The written form of a calendar: what it accepts, and what it says about the rest."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from mappings.document.calendar import HolidayFileError, ScheduleDocument, remarks, with_dates
from mappings.document.reading import DocumentError, locate, parse, parse_yaml
from mappings.document.zones import zone_named
from mappings.holidays import public_holidays
from mappings.hours import Schedule

LONDON = {"time_zone": "Europe/London", "week": {"mon": ["09:00-17:00"]}}


def schedule(**written):
    return ScheduleDocument.model_validate(LONDON | written).to_schedule("test")


def document(**written):
    return ScheduleDocument.model_validate(LONDON | written)


def ical(*days, extra=""):
    """The text of an iCalendar file with these holidays."""
    dated = "".join(
        f"BEGIN:VEVENT\nSUMMARY:Closed\nDTSTART;VALUE=DATE:{day:%Y%m%d}\nEND:VEVENT\n"
        for day in days
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{dated}{extra}END:VCALENDAR\n"


TIMED = "BEGIN:VEVENT\nSUMMARY:Party\nDTSTART:20261224T130000\nEND:VEVENT\n"
EVE, CHRISTMAS = date(2026, 12, 24), date(2026, 12, 25)


def message(**written):
    with pytest.raises(ValidationError) as caught:
        ScheduleDocument.model_validate(written)
    return caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:00-17:00", (32400, 61200)),
        ("00:00-24:00", (0, 86400)),
        ("22:00-06:00", (79200, 108000)),
        ("22:00-00:00", (79200, 86400)),
        ("08:30:15-08:30:16", (30615, 30616)),
    ],
)
def test_an_interval_is_read_as_wall_seconds(text, expected):
    assert ((expected,), *((),) * 6) == schedule(week={"mon": [text]}).week


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9-17", "'9-17' is no interval; write it as 09:00-17:00"),
        ("9:30 to 17", "'9:30 to 17' is no interval; write it as 09:30-17:00"),
        ("8h15-12", "'8h15-12' is no interval; write it as 08:15-12:00"),
        ("09:00", "'09:00' is no interval; write it as 09:00-17:00"),
        ("09:00-24:01", "'09:00-24:01' is no interval; write it as 09:00-17:00"),
        ("all day", "'all day' is no interval; write it as 09:00-17:00"),
        ("09:00-09:00", "'09:00-09:00' has no length; write 00:00-24:00 for a whole day"),
        ("24:00-06:00", "'24:00-06:00' opens at 24:00; write 00:00 and put it under the next day"),
    ],
)
def test_what_is_no_interval_is_told_the_right_form(text, expected):
    assert expected in message(**LONDON | {"week": {"mon": [text]}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UTC", UTC),
        ("+03:00", timezone(timedelta(hours=3))),
        ("GMT-5", timezone(timedelta(hours=-5))),
        ("UTC+5:30", timezone(timedelta(hours=5, minutes=30))),
        ("-0330", timezone(timedelta(hours=-3, minutes=-30))),
    ],
)
def test_a_fixed_offset_is_a_time_zone(text, expected):
    assert expected == schedule(time_zone=text).zone


def test_a_named_zone_comes_from_the_tzdata_package_and_survives_copying():
    zone = zone_named("Asia/Amman")
    assert isinstance(zone, ZoneInfo)
    assert zone.key == "Asia/Amman"
    assert zone is copy.deepcopy(zone) is pickle.loads(pickle.dumps(zone))
    assert zone is zone_named("Asia/Amman")
    assert datetime(2026, 1, 1, tzinfo=zone).utcoffset() == timedelta(hours=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Europe/Londn", "did you mean 'Europe/London'?"),
        ("europe/london", "did you mean 'Europe/London'?"),
        ("new york", "did you mean 'America/New_York'?"),
        ("nowhere at all", "Write an IANA name such as Europe/London or an offset such as +03:00"),
        ("../../secret", "unknown time zone '../../secret'"),
        ("+15:00", "offsets reach from -14:00 to +14:00"),
        (600, "600 is a number; put the time zone in quotes: '+10:00'"),
    ],
)
def test_an_unknown_zone_is_answered_with_what_to_write(text, expected):
    assert expected in message(**LONDON | {"time_zone": text})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"week": "allways"}, "a week is 'always' or lists of intervals under mon, tue"),
        ({"week": {"monday": []}}, "'monday' is no day; write mon, tue, wed"),
        ({"week": {"mon": "09:00-17:00"}}, 'write ["09:00-17:00"], or [] when closed'),
        ({"week": {"mon": None}}, "or [] when closed"),
        ({"week": {"mon": [900]}}, "valid string"),
        ({"holidays": ["25.12.2026"]}, "'25.12.2026' is no date; write it as 2026-12-25"),
        ({"holidays": ["2026-02-30"]}, "'2026-02-30' is no date"),
        ({"holidays": ["1969-12-31"]}, "1969-12-31 is out of range; holidays lie in 1970 to 2100"),
        ({"holidays": {"dates": ["2101-01-01"]}}, "holidays lie in 1970 to 2100"),
        ({"holidays": {"except": ["1969-12-31"]}}, "holidays lie in 1970 to 2100"),
        ({"holidays": {"except": ["25 Dec"]}}, "'25 Dec' is no date"),
        ({"holidays": None}, "holidays are a list of dates, [2026-12-25], or country, subdiv"),
        ({"holidays": "2026-12-25"}, "holidays are a list of dates"),
        ({"holidays": {"country": "UK"}}, "unknown country 'UK'; did you mean 'GB'?"),
        ({"holidays": {"country": ["GB", "Jordan"]}}, "did you mean 'JO'?"),
        ({"holidays": {"country": 44}}, "'44' is neither a text nor a list of texts"),
        (
            {"holidays": {"country": "GB", "subdivision": "England"}},
            "'England' is no subdivision of GB; did you mean 'ENG'? Known: ENG, NIR, SCT, WLS",
        ),
        ({"holidays": {"country": "JO", "subdivision": "AM"}}, "JO has no subdivisions"),
        ({"holidays": {"subdivision": "ENG"}}, "'ENG' is a part of one country; name that"),
        ({"holidays": {"country": ["GB", "JO"], "subdivision": "ENG"}}, "and no other"),
        ({"holidays": {"ical": ""}}, "the file name is empty"),
        ({"holidays": {"ical": "https://example.org/a.ics"}}, "is an address; save what it gives"),
        ({"holidays": {"ical": [1]}}, "valid string"),
        ({"holidays": {"countri": "GB"}}, "Extra inputs are not permitted"),
        ({"special_days": {"24 Dec": []}}, "'24 Dec' is no date"),
        ({"closures": [["2026-07-01", "2026-07-02"]]}, "write it as 2026-07-01T12:00"),
        ({"closures": [["2026-07-01T12:00Z", "2026-07-01T13:00Z"]]}, "no offset"),
        ({"closures": [["2026-07-01T25:00", "2026-07-02T13:00"]]}, "is no local wall time"),
        ({"closures": [["2026-07-01T12:00"]]}, "a closure is a pair"),
        ({"closures": [["2026-07-01T12:00", "2026-07-01T12:00"]]}, "must end after it begins"),
        ({"hollidays": []}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_mistake_is_named(written, expected):
    assert expected in message(**LONDON | written)


def test_a_week_without_a_time_zone_is_refused_and_always_needs_none():
    assert "time_zone is missing" in message(week={})
    assert ScheduleDocument(week="always").to_schedule("test").always


def test_always_with_a_closure_is_whole_days_without_it():
    always = schedule(week="always", closures=[["2026-07-01T12:00", "2026-07-01T24:00"]])
    start = datetime(2026, 6, 30, tzinfo=UTC)
    assert always.between(start, start + timedelta(days=4)) == (4 * 24 - 12) * 3600


@pytest.mark.parametrize("kind", ["rt", "safe"])
def test_json_and_yaml_mean_the_same(kind):
    text = """
    time_zone: Europe/London
    week: {mon: [09:00-17:00]}
    holidays: [2026-12-25]
    special_days: {2026-12-24: [09:00-13:00]}
    closures: [[2026-07-01T12:00:00, 2026-07-01T15:00]]
    """
    from_yaml = ScheduleDocument.model_validate(YAML(typ=kind).load(text)).to_schedule("test")
    expected = Schedule(
        name="test",
        zone=ZoneInfo("Europe/London"),
        week=(((32400, 61200),), *((),) * 6),
        holidays=frozenset({date(2026, 12, 25)}),
        special_days={date(2026, 12, 24): ((32400, 46800),)},
        closures=((datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 15)),),  # noqa: DTZ001
    )
    assert expected == from_yaml
    assert expected == schedule(
        holidays=["2026-12-25"],
        special_days={"2026-12-24": ["09:00-13:00"]},
        closures=[["2026-07-01T12:00", "2026-07-01T15:00"]],
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([], set()),
        (["2026-12-25", "2026-12-25"], {CHRISTMAS}),
        ({}, set()),
        ({"dates": ["2026-12-25"]}, {CHRISTMAS}),
        ({"dates": ["2026-12-25"], "except": ["2026-12-25"]}, set()),
        ({"country": "JO"}, set(public_holidays("JO"))),
        ({"country": ["JO"], "dates": ["2026-12-24"]}, {EVE, *public_holidays("JO")}),
        (
            {"country": "GB", "subdivision": "SCT", "except": ["2026-11-30"]},
            set(public_holidays("GB", "SCT")) - {date(2026, 11, 30)},
        ),
        ({"country": ["GB", "US"]}, {*public_holidays("GB"), *public_holidays("US")}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_holidays_are_closed_in_the_calendar(written, expected):
    assert schedule(holidays=written).holidays == expected


def test_a_date_that_is_excepted_is_a_day_like_any_other():
    may_day = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)  # a Monday, 09:30 in London
    holidays = {"country": "GB", "subdivision": "ENG"}
    assert not schedule(holidays=holidays).is_open(may_day)
    assert schedule(holidays=holidays | {"except": ["2026-05-04"]}).is_open(may_day)


def test_always_is_cut_only_by_holidays_that_exist():
    # nobody lives on Bouvet Island, so that it has no public holidays
    assert schedule(week="always", holidays={"country": "BV"}).always
    assert not schedule(week="always", holidays={"country": "JO"}).always


def test_a_calendar_with_a_file_must_be_resolved_first():
    written = document(holidays={"ical": "closed.ics", "dates": ["2026-12-24"]})
    with pytest.raises(HolidayFileError, match=r"file 'closed\.ics' was not read") as caught:
        written.to_schedule("test")
    assert caught.value.path == ("holidays", "ical", 0)
    resolved = with_dates(written, {"closed.ics": ical(CHRISTMAS)}.__getitem__)
    assert resolved.to_schedule("test").holidays == {EVE, CHRISTMAS}
    assert resolved.model_dump(mode="json")["holidays"] == ["2026-12-24", "2026-12-25"]
    assert resolved.time_zone == written.time_zone


def _missing(name):
    raise FileNotFoundError(2, "No such file or directory", name)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (_missing, "'b.ics' cannot be read: No such file or directory"),
        (lambda name: "<html>", "'b.ics': this is no iCalendar text"),
        (lambda name: b"\xff".decode(), "'b.ics': 'utf-8' codec can't decode"),
    ],
    ids=["missing", "page", "bytes"],
)
def test_a_file_that_cannot_be_used_is_named_with_its_place(read, expected):
    written = document(holidays={"ical": ["a.ics", "b.ics"]})
    texts = {"a.ics": ical(CHRISTMAS)}
    with pytest.raises(HolidayFileError) as caught:
        with_dates(written, lambda name: texts.get(name) or read(name))
    assert expected in str(caught.value)
    assert caught.value.path == ("holidays", "ical", 1)


DATES = st.lists(st.dates(date(2026, 1, 1), date(2026, 1, 20)), max_size=8)


@settings(deadline=None)
@given(DATES, DATES, DATES, DATES)
def test_holidays_are_the_union_of_all_less_the_exceptions(listed, first, second, excepted):
    texts = {"a": ical(*first, extra=TIMED), "b": ical(*second, extra=TIMED)}
    written = {"ical": ["a", "b"], "dates": listed, "except": excepted}
    resolved = with_dates(document(holidays=written), texts.__getitem__)
    expected = {*listed, *first, *second} - {*excepted}
    assert resolved.holidays.dates == sorted(expected)
    assert resolved.to_schedule("test").holidays == expected
    assert with_dates(resolved, texts.__getitem__) == resolved


@settings(deadline=None)
@given(DATES, DATES, st.sampled_from([[], ["JO"], ["JO", "GB"]]))
def test_what_is_dumped_means_the_same_when_it_is_read_again(listed, excepted, countries):
    written = document(holidays={"country": countries, "dates": listed, "except": excepted})
    again = ScheduleDocument.model_validate_json(written.model_dump_json())
    assert again == written
    assert again.to_schedule("test") == written.to_schedule("test")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["holidays:", "  country: UK"], "f:3:3: E holidays.country.0: unknown country 'UK'"),
        (["holidays:", "  country: [GB, UK]"], "f:3:17: E holidays.country.1: unknown country"),
        (
            ["holidays:", "  country: GB", "  subdivision: X"],
            "f:4:3: E holidays.subdivision: 'X' is",
        ),
        (["holidays:", "  except:", "  - 1969-01-01"], "f:4:5: E holidays.except.0: 1969-01-01 is"),
        (["holidays: [2026-12-24, x]"], "f:2:24: E holidays.dates.1: 'x' is no date"),
        (
            ["holidays:", "  exept: []"],
            "f:3:3: E holidays.exept: 'exept' is no field here; did you",
        ),
        (["holidays:"], "f:2:1: E holidays: holidays are a list of dates"),
        (
            ["special_days:", "  '2026-12-24': [9-17]"],
            "f:3:18: E special_days.2026-12-24.0: '9-17'",
        ),
        (["special_days:", "  2026-12-24: [9-17]"], "E special_days.2026-12-24.0: '9-17' is no"),
    ],
    ids=str,
)
def test_a_mistake_has_its_line_and_column(lines, expected):
    with pytest.raises(DocumentError) as caught:
        parse(ScheduleDocument, "\n".join(["week: always", *lines]), "f")
    assert expected in str(caught.value)


def test_the_schema_describes_every_form_of_holidays():
    schema = ScheduleDocument.model_json_schema()
    forms = schema["properties"]["holidays"]["anyOf"]
    assert forms[0] == {"type": "array", "items": {"type": "string", "format": "date"}}
    keys = schema["$defs"][forms[1]["$ref"].rpartition("/")[2]]["properties"]
    assert list(keys) == ["country", "subdivision", "ical", "dates", "except"]
    assert all(key["description"] for key in keys.values())
    assert [form["type"] for form in keys["country"]["anyOf"]] == ["string", "array"]
    assert [form["type"] for form in keys["ical"]["anyOf"]] == ["string", "array"]


FILES = {
    "mixed.ics": ical(CHRISTMAS, extra=TIMED),
    "timed.ics": ical(extra=TIMED),
    "cancelled.ics": ical(extra=TIMED.replace(":20261224T130000", ":20261224\nSTATUS:CANCELLED")),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("week: {mon: [09:00-17:00, 22:00-06:00, 20:00-08:00, 13:00-00:00]}", []),
        (
            "week:\n  mon:\n  - 09:00-12:00\n  - 17:00-09:00",
            [
                "5:5 '17:00-09:00' is open for 16 hours, from 17:00 over midnight to 09:00 of the "
                "next day; if the day begins at 09:00, write 09:00-17:00"
            ],
        ),
        (
            "week: {mon: [09:00-17:00]}\nspecial_days:\n  '2026-12-24': [13:00-12:30]",
            [
                "4:18 '13:00-12:30' is open for 23.5 hours, from 13:00 over midnight to 12:30 "
                "of the next day; if the day begins at 12:30, write 12:30-13:00"
            ],
        ),
        ("week: {}", ["2:1 no day has hours, so that this calendar is never open"]),
        (
            "week: {mon: []}\nspecial_days: {2026-12-24: []}",
            ["2:1 no day has hours, so that this calendar is never open"],
        ),
        ("week: {}\nspecial_days: {2026-12-24: [09:00-17:00]}", []),
        ("week: always", []),
        (
            "week: always\nholidays: {country: JO}\nspecial_days:\n  '2026-12-25': [09:00-13:00]",
            [
                "5:3 2026-12-25 is a holiday and a special day; the special day wins: 09:00-13:00",
            ],
        ),
        (
            "week: always\nholidays: [2026-12-25]\nspecial_days:\n  '2026-12-25': []",
            ["5:3 2026-12-25 is a holiday and a special day; the special day wins: closed"],
        ),
        (
            "week: always\nholidays: {country: JO, except: [2026-12-25]}\n"
            "special_days: {2026-12-25: []}",
            [],
        ),
        (
            "week: always\nholidays:\n  country: JO\n  except: [2026-12-25, 2026-12-28]",
            ["5:24 2026-12-28 is no holiday; there is nothing to except"],
        ),
        (
            "week: always\nholidays:\n  country: [JO, LK, BV]",
            [
                "4:17 no public holidays of LK are known after 2026-12-25; write them under dates",
                "4:21 no public holidays of BV are known; write them under dates",
            ],
        ),
        (
            "week: always\nholidays:\n  ical: [timed.ics, mixed.ics, cancelled.ics]",
            [
                "4:10 'timed.ics' gives no holidays: all of its events have times",
                "4:21 'mixed.ics': events with times are no holidays (1): 'Party'",
                "4:32 'cancelled.ics' gives no holidays: it has no all-day events left",
            ],
        ),
        (
            "week: always\nholidays: {ical: mixed.ics, except: [2026-12-25]}",
            ["3:12 'mixed.ics': events with times are no holidays (1): 'Party'"],
        ),
    ],
    ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "",
)
def test_what_is_rarely_meant_is_remarked_at_its_place(text, expected):
    data = parse_yaml("time_zone: UTC\n" + text, "f")
    found = remarks(ScheduleDocument.model_validate(data), FILES.__getitem__)
    told = [(locate(data, path), message) for path, message in found]
    assert [f"{line}:{column} {message}" for (line, column), message in told] == expected


def test_without_the_files_nothing_is_said_that_depends_on_them():
    written = document(
        holidays={"ical": "closed.ics", "dates": ["2026-12-25"], "except": ["2026-12-28"]},
        special_days={"2026-12-25": ["09:00-12:00"]},
    )
    assert [path for path, _ in remarks(written)] == [("special_days", "2026-12-25")]
    read = {"closed.ics": ical(EVE)}.__getitem__
    assert [path for path, _ in remarks(written, read)] == [
        ("holidays", "except", 0),
        ("special_days", "2026-12-25"),
    ]


def test_a_day_that_is_none_hides_no_other_mistake():
    written = {"week": {"mno": [], "tue": ["09:00-09:00"], "wed": [9], "thu": ["25:00-26:00"]}}
    with pytest.raises(ValidationError) as caught:
        document(**written)
    assert sorted({error["loc"][2] for error in caught.value.errors()}) == [
        "mno", "thu", "tue", "wed",
    ]  # fmt: skip
