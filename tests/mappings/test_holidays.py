"""Holidays of countries and of iCalendar texts: which dates come out, and what is refused."""

import re
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.holidays import (
    MAX_CHARACTERS,
    check_country,
    check_subdivision,
    holiday_file,
    public_holidays,
)

FEED = """BEGIN:VCALENDAR\r
PRODID:-//Example Council//Office closures//EN\r
VERSION:2.0\r
CALSCALE:GREGORIAN\r
METHOD:PUBLISH\r
X-WR-CALNAME:Office closures\r
X-WR-TIMEZONE:Europe/London\r
BEGIN:VTIMEZONE\r
TZID:Europe/London\r
BEGIN:DAYLIGHT\r
TZOFFSETFROM:+0000\r
TZOFFSETTO:+0100\r
DTSTART:19700329T010000\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r
END:DAYLIGHT\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20261225\r
DTEND;VALUE=DATE:20261227\r
DTSTAMP:20261001T080000Z\r
UID:closed-1@example.org\r
CLASS:PUBLIC\r
CREATED:00001231T000000Z\r
DESCRIPTION:Both offices are closed. The emergency line stays open for every\r
  customer with a contract for it.\r
STATUS:CONFIRMED\r
SUMMARY:Christmas\\, Boxing Day\r
TRANSP:TRANSPARENT\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20240101\r
RRULE:FREQ=YEARLY;COUNT=4\r
EXDATE;VALUE=DATE:20250101\r
UID:closed-2@example.org\r
SUMMARY:New Year\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260102\r
RECURRENCE-ID;VALUE=DATE:20260101\r
UID:closed-2@example.org\r
SUMMARY:New Year (moved)\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20260606\r
UID:closed-3@example.org\r
STATUS:CANCELLED\r
SUMMARY:Jubilee\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;TZID=Europe/London:20261224T130000\r
DTEND;TZID=Europe/London:20261224T170000\r
UID:closed-4@example.org\r
SUMMARY:Party\r
BEGIN:VALARM\r
ACTION:DISPLAY\r
TRIGGER:P0DT9H0M0S\r
END:VALARM\r
END:VEVENT\r
END:VCALENDAR\r
"""
SETTLED = settings(deadline=None)


def days(*texts):
    return [date.fromisoformat(text) for text in texts]


def calendar(*events):
    parts = "".join(f"BEGIN:VEVENT\nSUMMARY:Fair\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{parts}END:VCALENDAR\n"


def dates(*events):
    return list(holiday_file(calendar(*events)).dates)


def in_year(found, year):
    return [day for day in found if day.year == year]


@pytest.mark.parametrize(
    ("country", "subdivision", "expected"),
    [
        (
            "GB",
            "ENG",
            [
                *("2026-01-01", "2026-04-03", "2026-04-06", "2026-05-04", "2026-05-25"),
                # the 26th is a Saturday, so that the Monday after it is free instead
                *("2026-08-31", "2026-12-25", "2026-12-26", "2026-12-28"),
            ],
        ),
        (
            "US",
            None,
            [
                *("2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19"),
                # the 4th of July is a Saturday, observed on the Friday before
                *("2026-07-03", "2026-07-04", "2026-09-07", "2026-10-12", "2026-11-11"),
                *("2026-11-26", "2026-12-25"),
            ],
        ),
    ],
    ids=["GB-ENG", "US"],
)
def test_the_public_holidays_of_2026_are_those_of_the_gazette(country, subdivision, expected):
    assert in_year(public_holidays(country, subdivision), 2026) == days(*expected)


def test_jordan_has_the_fixed_dates_and_both_feasts_of_2026():
    found = in_year(public_holidays("JO"), 2026)
    assert set(found) >= set(days("2026-01-01", "2026-05-01", "2026-05-25", "2026-12-25"))
    # the feasts follow the moon: the library estimates 20 March and 27 May
    assert set(found) >= set(days("2026-03-20", "2026-03-21", "2026-03-22"))
    assert set(found) >= set(days("2026-05-26", "2026-05-27", "2026-05-28"))


@pytest.mark.parametrize(
    ("country", "first", "last"),
    [("US", 1970, 2100), ("DE", 1991, 2100), ("LK", 2003, 2026), ("IN", 1970, 2100)],
)
def test_a_country_is_known_for_as_many_of_the_years_as_there_is_data(country, first, last):
    found = public_holidays(country)
    assert (found[0].year, found[-1].year) == (first, last)
    assert list(found) == sorted(set(found))


def test_a_subdivision_adds_its_own_holidays():
    assert date(2026, 11, 30) in public_holidays("GB", "SCT")
    assert date(2026, 11, 30) not in public_holidays("GB", "ENG")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("gb", "unknown country 'gb'; did you mean 'GB'?"),
        ("UK", "did you mean 'GB'?"),
        ("JOR", "did you mean 'JO'?"),
        ("Jordan", "did you mean 'JO'?"),
        ("Germny", "did you mean 'DE'?"),
        ("United Kingdom", "did you mean 'GB'?"),
        ("XX", "unknown country 'XX'; write an ISO 3166 code of two letters, such as GB"),
        ("", "write an ISO 3166 code of two letters"),
    ],
)
def test_an_unknown_country_is_answered_with_what_to_write(code, expected):
    with pytest.raises(ValueError, match=r"unknown country") as caught:
        check_country(code)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("country", "code", "expected"),
    [
        ("GB", "England", "did you mean 'ENG'? Known: ENG, NIR, SCT, WLS"),
        ("GB", "GB-ENG", "did you mean 'ENG'?"),
        ("GB", "eng", "did you mean 'ENG'?"),
        ("GB", "LND", "'LND' is no subdivision of GB; Known: ENG, NIR, SCT, WLS"),
        ("US", "Californa", "did you mean 'CA'?"),
        ("US", "ZZ", "and 37 more"),
        ("JO", "AM", "'AM': JO has no subdivisions; leave it out"),
    ],
)
def test_an_unknown_subdivision_is_answered_with_those_of_the_country(country, code, expected):
    with pytest.raises(ValueError, match=r"subdivision") as caught:
        check_subdivision(country, code)
    assert expected in str(caught.value)


def test_codes_that_are_known_are_given_back():
    assert check_country("GB") == "GB"
    assert check_subdivision("GB", "ENG") == "ENG"


def test_a_feed_gives_its_whole_days_and_names_the_events_with_times():
    file = holiday_file(FEED)
    assert list(file.dates) == days(
        "2024-01-01", "2026-01-02", "2026-12-25", "2026-12-26", "2027-01-01"
    )
    assert file.timed == ("Party",)
    assert holiday_file("\ufeff" + FEED.replace("\r\n", "\n")) == file


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART;VALUE=DATE:20261225", ["2026-12-25"]),
        ("DTSTART:20261225", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261231\nDTEND;VALUE=DATE:20270102", ["2026-12-31", "2027-01-01"]),
        ("DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261225", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261225\nDURATION:P2D", ["2026-12-25", "2026-12-26"]),
        ("DTSTART;VALUE=DATE:20261225\nDURATION:PT36H", ["2026-12-25", "2026-12-26"]),
        (
            "DTSTART;VALUE=DATE:20261126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3",
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;UNTIL=20281225T000000Z",
            ["2026-12-25", "2027-12-25", "2028-12-25"],
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nDURATION:P2D\nRRULE:FREQ=YEARLY;COUNT=2",
            ["2026-12-25", "2026-12-26", "2027-12-25", "2027-12-26"],
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;BYHOUR=9,10;COUNT=2",
            ["2026-12-25", "2027-12-25"],
        ),
        ("DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;UNTIL=20201225", ["2026-12-25"]),
        (
            "DTSTART;VALUE=DATE:20261225\nRDATE;VALUE=DATE:20271224,20281224\n"
            "RDATE;VALUE=DATE:20291224\nEXDATE:20281224T000000Z\nEXDATE;VALUE=DATE:20261225",
            ["2027-12-24", "2029-12-24"],
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nRDATE;VALUE=PERIOD:20270301T000000Z/PT24H",
            ["2026-12-25", "2027-03-01"],
        ),
        ("DTSTART;VALUE=DATE:20261225\nTRANSP:TRANSPARENT", ["2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261225\nSTATUS:CANCELLED", []),
        ("DTSTART;VALUE=DATE:21010101", []),
        ("DTSTART;VALUE=DATE:19691231\nDTEND;VALUE=DATE:19700102", ["1970-01-01"]),
        ("DTSTART;VALUE=DATE:99991231\nDURATION:P9D", []),
    ],
    ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "",
)
def test_an_all_day_event_gives_these_dates(event, expected):
    assert dates(event) == days(*expected)


def test_a_yearly_event_without_end_reaches_2100_and_begins_in_1970():
    found = dates("DTSTART;VALUE=DATE:16011225\nRRULE:FREQ=YEARLY")
    assert found == [date(year, 12, 25) for year in range(1970, 2101)]


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("DTSTART;VALUE=DATE:20271227", ["2026-12-25", "2027-12-27", "2028-12-25"]),
        (
            "DTSTART;VALUE=DATE:20271225\nSTATUS:CANCELLED",
            ["2026-12-25", "2028-12-25"],
        ),
        ("DTSTART:20271225T090000Z", ["2026-12-25", "2028-12-25"]),
    ],
    ids=["moved", "cancelled", "shortened"],
)
def test_one_date_of_a_series_can_be_replaced(replacement, expected):
    series = "UID:a\nDTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;COUNT=3"
    single = f"UID:a\nRECURRENCE-ID;VALUE=DATE:20271225\n{replacement}"
    stranger = "UID:b\nRECURRENCE-ID;VALUE=DATE:20261225\nDTSTART;VALUE=DATE:20261225"
    assert dates(series, single, stranger) == days(*expected)


def test_several_calendars_in_one_text_are_taken_together():
    text = calendar("DTSTART:20261225") + calendar("DTSTART:20261226")
    assert list(holiday_file(text).dates) == days("2026-12-25", "2026-12-26")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no iCalendar text; such a text begins with BEGIN:VCALENDAR"),
        ("<html><body>Sign in</body></html>", "begins with BEGIN:VCALENDAR"),
        ("BEGIN:VEVENT\nDTSTART:20261225\nEND:VEVENT\n", "begins with BEGIN:VCALENDAR"),
        (FEED[:900], "is cut off; its end, END:VCALENDAR, is missing"),
        ("BEGIN:VCALENDAR\nno property\nEND:VCALENDAR", "this is no iCalendar text: Content line"),
        (calendar("DTSTART;VALUE=DA,TE:20261225"), "this is no iCalendar text"),
        (calendar(), "has no events (VEVENT)"),
        ("BEGIN:VCALENDAR\n" + "X" * 10_000_000, "has 10,000,016 characters; the limit is 1,000,0"),
    ],
    ids=["empty", "page", "bare", "cut off", "broken", "parameter", "no events", "10 MB"],
)
def test_a_text_that_is_no_calendar_is_refused(text, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        holiday_file(text)


def test_white_space_around_a_text_counts_for_nothing():
    text = calendar("DTSTART:20261225")
    assert holiday_file("\n\n" + text + " " * MAX_CHARACTERS) == holiday_file(text)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("X-A:1", "event 'Fair' has no DTSTART"),
        ("DTSTART:20261225\nDTSTART:20261226", "event 'Fair' has more than one DTSTART"),
        ("DTSTART:20261325", "event 'Fair': DTSTART: Wrong date format 20261325"),
        ("DTSTART:120000", "event 'Fair': '12:00:00' is no date"),
        ("DTSTART:20261225\nDTEND:20261224", "event 'Fair': it ends before it begins"),
        ("DTSTART:20261225\nDURATION:-P1D", "event 'Fair': it ends before it begins"),
        ("DTSTART:20261225\nDURATION:20261226", "event 'Fair': its DURATION is no length of time"),
        ("DTSTART:20261225\nnonsense", "event 'Fair': a line: Content line"),
        ("DTSTART:20261225\nRRULE:FREQ=OFTEN", "RRULE: Expected frequency, got: OFTEN"),
        ("DTSTART:20261225\nRRULE:OFTEN", "event 'Fair': its RRULE repeats nothing"),
        ("DTSTART:20261225\nRRULE:FREQ=SECONDLY", "its RRULE repeats SECONDLY; write one of"),
        ("DTSTART:20261225\nRRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL of its RRULE is less than 1"),
        ("DTSTART:20261225\nRRULE:FREQ=YEARLY;RSCALE=HEBREW", "its RRULE cannot be read"),
        ("DTSTART:20261225\nRRULE:FREQ=DAILY;COUNT=9;UNTIL=20270101", "its RRULE ends twice"),
        ("DTSTART:20260228\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never falls on a date"),
        ("DTSTART:00010101\nRRULE:FREQ=DAILY", "the events have more than 100,000 dates"),
        ("DTSTART:00010101\nDTEND:99990101", "the events have more than 100,000 dates"),
    ],
    ids=lambda value: value.replace("\n", " "),
)
def test_an_event_that_cannot_be_read_is_refused_by_name(event, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        holiday_file(calendar(event))


@SETTLED
@given(
    st.lists(
        st.tuples(st.dates(date(1970, 1, 1), date(2100, 12, 1)), st.integers(1, 5)), min_size=1
    )
)
def test_plain_events_give_the_union_of_their_days(spans):
    events = [
        f"DTSTART;VALUE=DATE:{start:%Y%m%d}\nDTEND;VALUE=DATE:{start + timedelta(length):%Y%m%d}"
        for start, length in spans
    ]
    expected = {start + timedelta(count) for start, length in spans for count in range(length)}
    assert dates(*events) == sorted(expected)


WORDS = ["DTSTART", "20261225", "VALUE=DATE", "P1D", "FREQ=MONTHLY", "T000000Z", ",", ";", ":", "="]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_text_is_read_or_refused_by_value_error(data):
    lines = FEED.split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[at])))
        gone = data.draw(st.integers(0, 3))
        word = data.draw(st.sampled_from(["", *WORDS]))
        lines[at] = lines[at][:cut] + word + lines[at][cut + gone :]
    with suppress(ValueError):
        file = holiday_file("\r\n".join(lines))
        assert list(file.dates) == sorted(set(file.dates))
