"""Worked cases of calendar arithmetic, each small enough to check by hand."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from mappings.document.calendar import interval_of
from mappings.document.zones import zone_named
from mappings.errors import NeverOpen, NoWeek, OutOfRange
from mappings.hours import ALWAYS, BusinessDayMode, Schedule
from mappings.instants import EPOCH
from mappings.wall_clock import CHUNK

CLOSED: tuple[str, ...] = ()
WALL_CLOCK = BusinessDayMode.WALL_CLOCK
END_OF_DAY = BusinessDayMode.END_OF_DAY
BUSINESS_HOURS = BusinessDayMode.BUSINESS_HOURS


def hours(*texts):
    return tuple(interval_of(text) for text in texts)


def calendar(zone="UTC", *week, special_days=None, holidays=(), closures=()):
    """A calendar named `test`; one day's hours stand for all seven, missing days are closed."""
    days = list(week) * 7 if len(week) == 1 else [*week, *[CLOSED] * (7 - len(week))]
    return Schedule(
        name="test",
        zone=zone if isinstance(zone, tzinfo) else ZoneInfo(zone),
        week=tuple(hours(*day) for day in days),
        holidays=frozenset(date.fromisoformat(day) for day in holidays),
        special_days={
            date.fromisoformat(day): hours(*texts) for day, texts in (special_days or {}).items()
        },
        closures=tuple(tuple(map(datetime.fromisoformat, pair)) for pair in closures),
    )


def weekdays(zone, *texts, **exceptions):
    return calendar(zone, *[texts] * 5, **exceptions)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(zone, text, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def shown(at, zone):
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


EVERY_DAY_NIGHT = ("22:00-06:00",)
WHOLE_DAY = ("00:00-24:00",)


@pytest.mark.parametrize(
    ("zone", "day", "texts", "expected"),
    [
        pytest.param("Europe/London", "2026-03-29", ["00:00-03:00"], 2 * 3600, id="skipped hour"),
        pytest.param("Europe/London", "2026-10-25", ["00:00-03:00"], 4 * 3600, id="repeated hour"),
        pytest.param("Europe/London", "2026-10-25", ["01:30-02:00"], 3600, id="half of it twice"),
        pytest.param("Europe/London", "2026-03-29", ["01:00-02:00"], 0, id="inside the gap"),
        pytest.param("Australia/Lord_Howe", "2026-04-05", WHOLE_DAY, 88200, id="30 min back"),
        pytest.param("Australia/Lord_Howe", "2026-10-04", WHOLE_DAY, 84600, id="30 min ahead"),
        pytest.param("Antarctica/Troll", "2026-03-29", WHOLE_DAY, 22 * 3600, id="2 h ahead"),
        pytest.param("Antarctica/Troll", "2026-10-25", WHOLE_DAY, 26 * 3600, id="2 h back"),
        pytest.param("America/Sao_Paulo", "2018-11-04", WHOLE_DAY, 23 * 3600, id="no midnight"),
        pytest.param("America/Sao_Paulo", "2018-02-17", WHOLE_DAY, 25 * 3600, id="23:00 twice"),
        pytest.param("America/Havana", "2025-11-02", ["00:00-01:00"], 7200, id="midnight twice"),
        pytest.param("Pacific/Apia", "2011-12-30", WHOLE_DAY, 0, id="date skipped"),
        pytest.param("Pacific/Kwajalein", "1993-08-21", WHOLE_DAY, 0, id="another date skipped"),
        pytest.param("Africa/Monrovia", "1972-01-07", WHOLE_DAY, 86400 - 2670, id="44:30 skipped"),
        pytest.param("Europe/Dublin", "2026-10-25", WHOLE_DAY, 25 * 3600, id="negative DST"),
        pytest.param("Asia/Kathmandu", "2026-10-25", WHOLE_DAY, 86400, id="quarter of an hour"),
    ],
)
def test_open_time_of_a_local_date_is_what_the_wall_shows(zone, day, texts, expected):
    support = calendar(zone, CLOSED, special_days={day: texts})
    around = utc(day + "T00:00")
    assert support.between(around - timedelta(days=3), around + timedelta(days=3)) == expected


@pytest.mark.parametrize(
    ("start", "seconds", "expected"),
    [
        pytest.param("2026-03-02T09:00", 3600, "2026-03-02T10:00", id="inside"),
        pytest.param("2026-03-02T08:00", 3600, "2026-03-02T10:00", id="from before the opening"),
        pytest.param("2026-03-02T11:30", 3600, "2026-03-02T13:30", id="across the break"),
        pytest.param("2026-03-02T11:00", 3600, "2026-03-02T12:00", id="ends at the break"),
        pytest.param("2026-03-02T11:00", 3601, "2026-03-02T13:00:01", id="a second into the next"),
        pytest.param("2026-03-02T12:00", 1, "2026-03-02T13:00:01", id="from a closing instant"),
        pytest.param("2026-03-06T16:00", 7200, "2026-03-09T10:00", id="across the weekend"),
        pytest.param("2026-03-07T10:00", 0, "2026-03-07T10:00", id="nothing stays where it is"),
        pytest.param("2026-03-02T09:00", 35 * 3600, "2026-03-06T17:00", id="a week to its close"),
    ],
)
def test_add_counts_open_time_only(start, seconds, expected):
    support = weekdays("UTC", "09:00-12:00", "13:00-17:00")
    assert utc(expected) == support.add(utc(start), seconds)


@pytest.mark.parametrize(
    ("zone", "texts", "start", "expected"),
    [
        pytest.param(
            "Europe/London", ["01:30-05:00"], "2026-03-28T23:00", "2026-03-29T01:00", id="gap"
        ),
        pytest.param(
            "America/Sao_Paulo", ["00:30-05:00"], "2018-11-04T02:59", "2018-11-04T03:00", id="0:00"
        ),
        pytest.param(
            "Pacific/Apia", ["09:00-17:00"], "2011-12-30T03:30", "2011-12-30T19:00", id="date"
        ),
        pytest.param(
            "Africa/Monrovia", ["09:00-17:00"], "1971-06-01T00:00", "1971-06-01T09:44:30", id="LMT"
        ),
        pytest.param(
            "Europe/London", ["01:30-01:45"], "2026-10-25T00:45", "2026-10-25T01:30", id="again"
        ),
    ],
)
def test_next_open_is_where_the_wall_first_shows_open_time(zone, texts, start, expected):
    assert utc(expected) == calendar(zone, texts).next_open(utc(start))


@pytest.mark.parametrize(
    ("texts", "at", "expected"),
    [
        pytest.param(["09:00-17:00"], "2026-03-02T08:59:59", False, id="before the opening"),
        pytest.param(["09:00-17:00"], "2026-03-02T09:00:00", True, id="at the opening"),
        pytest.param(["09:00-17:00"], "2026-03-02T16:59:59", True, id="before the closing"),
        pytest.param(["09:00-17:00"], "2026-03-02T17:00:00", False, id="at the closing"),
        pytest.param(["20:00-24:00"], "2026-03-02T23:59:59", True, id="before 24:00"),
        pytest.param(["20:00-24:00"], "2026-03-03T00:00:00", False, id="24:00 is midnight"),
        pytest.param(["20:00-00:00"], "2026-03-02T23:59:59", True, id="00:00 as an end"),
        pytest.param(["00:00-24:00"], "2026-03-01T23:59:59", False, id="before the whole day"),
        pytest.param(["00:00-24:00"], "2026-03-02T00:00:00", True, id="its first second"),
        pytest.param(["00:00-24:00"], "2026-03-02T23:59:59", True, id="its last second"),
        pytest.param(["00:00-24:00"], "2026-03-03T00:00:00", False, id="after the whole day"),
        pytest.param(["22:00-06:00"], "2026-03-02T05:59:59", False, id="night of the day before"),
        pytest.param(["22:00-06:00"], "2026-03-03T00:00:00", True, id="past midnight"),
        pytest.param(["22:00-06:00"], "2026-03-03T06:00:00", False, id="end of the night"),
        pytest.param(["09:00-09:00:01"], "2026-03-02T09:00:00", True, id="one second"),
        pytest.param(["09:00-09:00:01"], "2026-03-02T09:00:01", False, id="and no more"),
    ],
)
def test_hours_of_a_monday_are_half_open(texts, at, expected):
    assert calendar("UTC", texts, *[CLOSED] * 6).is_open(utc(at)) is expected


def test_next_open_is_the_instant_itself_when_open_and_the_next_opening_at_a_closing():
    support = weekdays("UTC", "09:00-12:00", "13:00-17:00")
    assert utc("2026-03-02T09:00") == support.next_open(utc("2026-03-02T09:00"))
    assert utc("2026-03-02T11:59:59") == support.next_open(utc("2026-03-02T11:59:59"))
    assert utc("2026-03-02T13:00") == support.next_open(utc("2026-03-02T12:00"))
    assert utc("2026-03-09T09:00") == support.next_open(utc("2026-03-06T17:00"))


def test_overnight_hours_belong_to_the_day_on_which_they_open():
    friday_night = calendar("UTC", *[CLOSED] * 4, EVERY_DAY_NIGHT)
    assert friday_night.is_open(utc("2026-03-07T05:59:59"))
    assert not friday_night.is_open(utc("2026-03-07T06:00:00"))
    assert not friday_night.is_open(utc("2026-03-06T05:00"))
    assert utc("2026-03-13T22:00") == friday_night.next_open(utc("2026-03-07T06:00"))


def test_the_evening_before_a_holiday_runs_into_it_and_the_holiday_evening_is_closed():
    nights = calendar("UTC", EVERY_DAY_NIGHT, holidays=["2026-03-04"])
    assert nights.is_open(utc("2026-03-04T05:00"))
    assert not nights.is_open(utc("2026-03-04T23:00"))
    assert not nights.is_open(utc("2026-03-05T05:00"))


def test_a_special_day_replaces_its_overnight_hours_and_stands_above_a_holiday():
    nights = calendar(
        "UTC",
        EVERY_DAY_NIGHT,
        holidays=["2026-03-04"],
        special_days={"2026-03-04": ["12:00-13:00"]},
    )
    expected = [
        (utc("2026-03-03T22:00"), utc("2026-03-04T06:00")),
        (utc("2026-03-04T12:00"), utc("2026-03-04T13:00")),
        (utc("2026-03-05T22:00"), utc("2026-03-06T00:00")),
    ]
    assert expected == nights.segments(utc("2026-03-03T12:00"), utc("2026-03-06T00:00"))


def test_an_empty_special_day_is_closed():
    support = weekdays("UTC", "09:00-17:00", special_days={"2026-03-04": []})
    assert support.between(utc("2026-03-04T00:00"), utc("2026-03-05T00:00")) == 0


def test_closures_cut_special_days_too():
    support = weekdays(
        "UTC",
        "09:00-17:00",
        special_days={"2026-03-07": ["10:00-14:00"]},
        closures=[
            ("2026-03-07T11:00", "2026-03-07T12:00"),
            ("2026-03-06T16:00", "2026-03-07T10:30"),
        ],
    )
    expected = [
        (utc("2026-03-06T09:00"), utc("2026-03-06T16:00")),
        (utc("2026-03-07T10:30"), utc("2026-03-07T11:00")),
        (utc("2026-03-07T12:00"), utc("2026-03-07T14:00")),
    ]
    assert expected == support.segments(utc("2026-03-06T00:00"), utc("2026-03-08T00:00"))


@pytest.mark.parametrize(
    ("entries", "expected_hours"),
    [
        pytest.param([], 8, id="week"),
        pytest.param(["holiday"], 0, id="holiday"),
        pytest.param(["special day"], 4, id="special day"),
        pytest.param(["holiday", "special day"], 4, id="special day above holiday"),
        pytest.param(["closure"], 6, id="closure in the week"),
        pytest.param(["holiday", "closure"], 0, id="closure in a holiday"),
        pytest.param(["special day", "closure"], 3, id="closure in a special day"),
        pytest.param(["holiday", "special day", "closure"], 3, id="all three"),
    ],
)
def test_what_a_date_is_open_by_the_order_of_its_entries(entries, expected_hours):
    support = calendar(
        "UTC",
        ["09:00-17:00"],
        holidays=["2026-03-04"] if "holiday" in entries else (),
        special_days={"2026-03-04": ["12:00-16:00"]} if "special day" in entries else {},
        closures=[("2026-03-04T11:00", "2026-03-04T13:00")] if "closure" in entries else (),
    )
    midnight = utc("2026-03-04T00:00")
    assert expected_hours * 3600 == support.between(midnight, midnight + timedelta(days=1))


@pytest.mark.parametrize(
    ("closure", "expected"),
    [
        pytest.param(("08:00", "09:00"), [("09:00", "17:00")], id="ends at the opening"),
        pytest.param(("17:00", "18:00"), [("09:00", "17:00")], id="begins at the closing"),
        pytest.param(("08:00", "10:00"), [("10:00", "17:00")], id="over the opening"),
        pytest.param(("16:00", "18:00"), [("09:00", "16:00")], id="over the closing"),
        pytest.param(("09:00", "10:00"), [("10:00", "17:00")], id="from the opening"),
        pytest.param(("16:00", "17:00"), [("09:00", "16:00")], id="to the closing"),
        pytest.param(("12:00", "13:00"), [("09:00", "12:00"), ("13:00", "17:00")], id="inside"),
        pytest.param(("09:00", "17:00"), [], id="all of it"),
        pytest.param(("08:00", "18:00"), [], id="more than all"),
    ],
)
def test_a_closure_is_closed_from_its_first_instant_and_open_again_at_its_last(closure, expected):
    support = calendar(
        "UTC", ["09:00-17:00"], closures=[[f"2026-03-04T{time}" for time in closure]]
    )
    midnight = utc("2026-03-04T00:00")
    pairs = [tuple(utc(f"2026-03-04T{time}") for time in pair) for pair in expected]
    assert pairs == support.segments(midnight, midnight + timedelta(days=1))


def test_a_closure_cuts_the_after_midnight_part_of_the_date_before():
    nights = calendar("UTC", EVERY_DAY_NIGHT, closures=[("2026-03-04T00:00", "2026-03-04T04:00")])
    expected = [
        (utc("2026-03-03T22:00"), utc("2026-03-04T00:00")),
        (utc("2026-03-04T04:00"), utc("2026-03-04T06:00")),
    ]
    assert expected == nights.segments(utc("2026-03-03T12:00"), utc("2026-03-04T12:00"))


def test_closures_that_overlap_or_lie_in_one_another_close_once():
    support = calendar(
        "UTC",
        ["09:00-17:00"],
        closures=[
            ("2026-03-04T10:00", "2026-03-04T15:00"),
            ("2026-03-04T11:00", "2026-03-04T12:00"),
            ("2026-03-04T14:00", "2026-03-04T16:00"),
        ],
    )
    midnight = utc("2026-03-04T00:00")
    assert support.between(midnight, midnight + timedelta(days=1)) == 2 * 3600


@pytest.mark.parametrize(
    ("texts", "closures", "expected"),
    [
        # On this date the wall of London goes from 00:59:59 to 02:00:00, at 01:00 UTC.
        pytest.param(["00:00-01:30"], [], [("00:00", "01:00")], id="closing inside"),
        pytest.param(["01:30-03:00"], [], [("01:00", "02:00")], id="opening inside"),
        pytest.param(["00:30-02:30"], [], [("00:30", "01:30")], id="across"),
        pytest.param(["01:15-01:45"], [], [], id="wholly inside"),
        pytest.param(
            ["00:00-03:00"], [("01:00", "02:00")], [("00:00", "02:00")], id="closure inside"
        ),
        pytest.param(
            ["00:00-03:00"], [("01:30", "02:30")], [("00:00", "01:00"), ("01:30", "02:00")],
            id="closure from inside",
        ),
        pytest.param(
            ["00:00-03:00"], [("00:30", "01:30")], [("00:00", "00:30"), ("01:00", "02:00")],
            id="closure to inside",
        ),
    ],
)  # fmt: skip
def test_what_begins_or_ends_in_a_skipped_hour_does_so_at_the_change(texts, closures, expected):
    day = "2026-03-29T"
    support = calendar(
        "Europe/London",
        CLOSED,
        special_days={"2026-03-29": texts},
        closures=[(day + start, day + end) for start, end in closures],
    )
    pairs = [(utc(day + opens), utc(day + closes)) for opens, closes in expected]
    assert pairs == support.segments(utc("2026-03-28T00:00"), utc("2026-03-31T00:00"))


def test_a_closure_in_the_repeated_hour_closes_it_twice():
    support = calendar(
        "Europe/London", WHOLE_DAY, closures=[("2026-10-25T01:00", "2026-10-25T02:00")]
    )
    assert support.between(utc("2026-10-24T23:00"), utc("2026-10-26T00:00")) == 23 * 3600


def test_hours_that_touch_or_overlap_merge():
    support = weekdays("UTC", "09:00-12:00", "12:00-14:00", "13:00-17:00")
    expected = [(utc("2026-03-02T09:00"), utc("2026-03-02T17:00"))]
    assert expected == support.segments(utc("2026-03-02T00:00"), utc("2026-03-03T00:00"))
    assert weekdays("UTC", "09:00-17:00") == support


@pytest.mark.parametrize(
    ("monday", "tuesday", "expected"),
    [
        pytest.param("20:00-24:00", "00:00-04:00", ["02T20:00", "03T04:00"], id="at midnight"),
        pytest.param("20:00-02:00", "02:00-04:00", ["02T20:00", "03T04:00"], id="after midnight"),
        pytest.param("22:00-06:00", "05:00-13:00", ["02T22:00", "03T13:00"], id="overlapping"),
        pytest.param("22:00-06:00", "01:00-02:00", ["02T22:00", "03T06:00"], id="inside"),
    ],
)
def test_hours_of_two_dates_that_touch_or_overlap_merge_and_count_once(monday, tuesday, expected):
    support = calendar("UTC", [monday], [tuesday])
    opens, closes = (utc(f"2026-03-{text}") for text in expected)
    assert [(opens, closes)] == support.segments(utc("2026-03-02T00:00"), utc("2026-03-05T00:00"))
    assert closes == support.add(opens, int((closes - opens).total_seconds()))


def test_whole_days_are_one_stretch_across_midnights_and_changes_of_the_clocks():
    start, end = utc("2026-01-01T00:00"), utc("2028-01-01T00:00")
    assert [(start, end)] == calendar("Europe/London", WHOLE_DAY).segments(start, end)


def test_whole_days_are_one_stretch_however_far_was_asked_before():
    whole_days = calendar("Europe/London", WHOLE_DAY)
    start, end = utc("2020-01-01T00:00"), utc("2032-01-01T00:00")
    assert whole_days.is_open(utc("2026-01-01T00:00"))
    assert whole_days.is_open(utc("2029-01-01T00:00"))
    assert whole_days.is_open(utc("2023-01-01T00:00"))
    assert [(start, end)] == whole_days.segments(start, end)


def test_between_is_negative_backwards_and_reads_half_open():
    support = weekdays("UTC", "09:00-17:00")
    monday_nine, monday_five = utc("2026-03-02T09:00"), utc("2026-03-02T17:00")
    assert support.between(monday_nine, monday_five) == 8 * 3600
    assert support.between(monday_five, monday_nine) == -8 * 3600
    assert support.segments(monday_five, monday_nine) == []
    assert support.segments(utc("2026-03-02T12:00"), utc("2026-03-02T12:00")) == []
    assert support.between(monday_nine, monday_nine) == 0
    assert not support.is_open(monday_five)


def test_instants_are_cut_to_the_second_and_come_out_in_utc():
    support = weekdays("America/New_York", "09:00-17:00")
    start = datetime(2026, 3, 2, 9, 0, 0, 999_999, tzinfo=ZoneInfo("America/New_York"))
    result = support.add(start, 60)
    assert utc("2026-03-02T14:01") == result
    assert result.tzinfo is UTC


def test_every_question_cuts_instants_to_the_second():
    support = weekdays("UTC", "09:00-17:00")
    last = datetime(2026, 3, 2, 16, 59, 59, 999_999, tzinfo=UTC)
    assert support.is_open(last)
    assert utc("2026-03-02T16:59:59") == support.next_open(last)
    assert support.between(last, utc("2026-03-02T18:00")) == 1
    assert support.between(utc("2026-03-02T09:00"), last) == 8 * 3600 - 1
    assert [(utc("2026-03-02T16:59:59"), utc("2026-03-02T17:00"))] == support.segments(
        last, utc("2026-03-03T00:00")
    )
    assert utc("2026-03-02T16:59:59") == support.add(last, 0)
    assert utc("2026-03-03T16:59:59") == support.add_business_days(last, 1)
    assert utc("2026-03-02T16:59:59") == ALWAYS.next_open(last)
    before_the_epoch = datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
    assert utc("1970-01-01T00:00") == ALWAYS.add(before_the_epoch, 1)


@pytest.mark.parametrize("ask", ["add", "next_open", "business days", "business hours"])
def test_a_calendar_that_never_opens_is_an_error_that_names_it(ask):
    never = Schedule(name="Ghost desk", zone=UTC)
    at = utc("2026-03-02T09:00")
    calls = {
        "add": lambda: never.add(at, 1),
        "next_open": lambda: never.next_open(at),
        "business days": lambda: never.add_business_days(at, 1),
        "business hours": lambda: never.add_business_days(at, 1, BUSINESS_HOURS),
    }
    with pytest.raises(NeverOpen, match=r"'Ghost desk'.*400 days after 2026-03-02T09:00:00Z"):
        calls[ask]()


def test_a_calendar_that_never_opens_has_no_open_time_and_adds_nothing():
    never = Schedule(name="Ghost desk", zone=UTC)
    at = utc("2026-03-02T09:00")
    assert never.between(at, utc("2030-01-01T00:00")) == 0
    assert not never.is_open(at)
    assert at == never.add(at, 0) == never.add_business_days(at, 0)


def test_open_time_counts_when_it_begins_within_400_days_and_not_later():
    opens = utc("2027-06-01T09:00")
    once = calendar("UTC", CLOSED, special_days={"2027-06-01": ["09:00-10:00"]})
    assert opens == once.next_open(opens - timedelta(days=400) + timedelta(seconds=1))
    with pytest.raises(NeverOpen):
        once.next_open(opens - timedelta(days=400))


def test_adding_stops_where_400_days_on_the_way_are_closed():
    twice = calendar(
        "UTC",
        CLOSED,
        special_days={"2026-03-02": ["09:00-10:00"], "2028-03-02": ["09:00-10:00"]},
    )
    start = utc("2026-03-02T09:00")
    # Warm the table past the gap: the answer must not depend on what was asked before.
    assert twice.between(start, utc("2029-01-01T00:00")) == 7200
    assert utc("2026-03-02T10:00") == twice.add(start, 3600)
    with pytest.raises(NeverOpen, match="2026-03-02T10:00:00Z"):
        twice.add(start, 3601)
    with pytest.raises(NeverOpen, match="2028-03-02T10:00:00Z"):
        twice.add(utc("2028-03-02T09:00"), 3601)


@pytest.mark.parametrize("asked_before", [False, True], ids=["new", "asked before"])
@pytest.mark.parametrize(
    ("reopens", "expected"),
    [
        pytest.param("09:59:59-12:00", "2027-04-06T10:00:00", id="a second within 400 days"),
        pytest.param("10:00-12:00", None, id="400 days"),
        pytest.param("10:00:01-12:00", None, id="a second more"),
    ],
)
def test_400_closed_days_on_the_way_are_too_many_and_a_second_less_is_not(
    reopens, expected, asked_before
):
    # 400 days lie between the two dates.
    twice = calendar(
        "UTC", CLOSED, special_days={"2026-03-02": ["09:00-10:00"], "2027-04-06": [reopens]}
    )
    start = utc("2026-03-02T09:00")
    if asked_before:
        assert twice.between(start, utc("2029-01-01T00:00")) > 0
    if expected:
        assert utc(expected) == twice.add(start, 3601)
    else:
        with pytest.raises(NeverOpen, match=r"'test' .* 400 days after 2026-03-02T10:00:00Z"):
            twice.add(start, 3601)


def test_400_closed_days_behind_the_start_or_behind_the_due_do_not_matter():
    twice = calendar(
        "UTC",
        CLOSED,
        special_days={"2026-03-02": ["09:00-10:00"], "2028-03-02": ["09:00-10:00"]},
    )
    assert twice.between(utc("2026-01-01T00:00"), utc("2029-01-01T00:00")) == 7200
    assert utc("2026-03-02T10:00") == twice.add(utc("2026-01-01T00:00"), 3600)
    assert utc("2028-03-02T10:00") == twice.add(utc("2028-01-01T00:00"), 3600)
    assert utc("2028-03-02T10:00") == twice.add(utc("2028-03-02T09:00"), 3600)


def test_years_of_open_time_are_added():
    support = calendar("UTC", ["00:00-12:00"])
    assert utc("2064-12-31T12:00") == support.add(utc("1970-01-01T00:00"), 34_699 * 12 * 3600)
    assert support.between(utc("1970-01-01T00:00"), utc("2065-01-01T00:00")) == 34_699 * 12 * 3600


def test_what_cannot_be_asked_is_refused():
    support = weekdays("UTC", "09:00-17:00")
    with pytest.raises(ValueError, match="-1 s cannot be added"):
        support.add(utc("2026-03-02T09:00"), -1)
    with pytest.raises(ValueError, match="-1 business days cannot be added"):
        support.add_business_days(utc("2026-03-02T09:00"), -1)
    with pytest.raises(ValueError, match="no UTC offset"):
        support.is_open(datetime(2026, 3, 2))  # noqa: DTZ001
    with pytest.raises(OutOfRange):
        support.add(utc("2026-03-02T09:00"), 10**12)
    with pytest.raises(OutOfRange):
        ALWAYS.add(utc("2026-03-02T09:00"), 10**20)


@pytest.mark.parametrize(
    "interval", [(9, 9), (10, 9), (-1, 5), (86400, 90000), (0, 172801)], ids=str
)
def test_an_interval_without_length_or_outside_its_day_is_refused(interval):
    with pytest.raises(ValueError, match=r"is no interval of a day: .* 86399 and .* 172800$"):
        Schedule(name="test", zone=UTC, week=((interval,),) * 7)


def test_a_short_week_and_closures_that_are_no_wall_intervals_are_refused():
    with pytest.raises(ValueError, match="7 days"):
        Schedule(name="test", zone=UTC, week=((),))
    with pytest.raises(ValueError, match="must end after it begins"):
        calendar("UTC", closures=[("2026-03-02T09:00", "2026-03-02T09:00")])
    with pytest.raises(ValueError, match="has a UTC offset"):
        calendar("UTC", closures=[("2026-03-02T09:00Z", "2026-03-02T10:00Z")])


def test_the_years_1970_and_2100_are_computed():
    support = weekdays("Europe/London", "09:00-17:00")
    assert utc("1970-01-01T08:00") == support.next_open(utc("1970-01-01T00:00"))
    assert utc("2100-12-31T17:00") == support.add(utc("2100-12-31T09:00"), 8 * 3600)
    assert utc("2101-01-03T09:00") == support.next_open(utc("2100-12-31T17:00"))


def test_a_ticket_dated_before_1970_is_computed_too():
    assert utc("1950-01-02T10:00") == weekdays("UTC", "09:00-17:00").add(
        utc("1949-12-31T12:00"), 3600
    )


@pytest.mark.parametrize("support", [ALWAYS, calendar("UTC", WHOLE_DAY)], ids=["always", "days"])
def test_instants_are_computed_from_1900_to_2199_and_refused_outside(support):
    first, last = utc("1900-01-01T00:00:00"), utc("2199-12-31T23:59:59")
    assert first == support.next_open(first)
    assert last == support.add(last - timedelta(hours=1), 3600)
    refused = pytest.raises(OutOfRange, match=r"^calendars are computed for .* 1900 to 2199")
    with refused:
        support.is_open(first - timedelta(seconds=1))
    with refused:
        support.is_open(last + timedelta(seconds=1))
    with refused:
        support.add(last, 1)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param("2000-02-28T10:00", "2000-02-29T10:00", id="2000 has a 29 February"),
        pytest.param("2028-02-28T10:00", "2028-02-29T10:00", id="2028 has one"),
        pytest.param("2028-02-29T10:00", "2028-03-01T10:00", id="from the leap day"),
        pytest.param("2100-02-26T10:00", "2100-03-01T10:00", id="2100 has none"),
        pytest.param("2026-12-31T10:00", "2027-01-01T10:00", id="over the end of a year"),
    ],
)
def test_leap_days_and_ends_of_years_are_days_like_others(start, expected):
    support = weekdays("UTC", "09:00-17:00")
    assert utc(expected) == support.add(utc(start), 8 * 3600)
    assert utc(expected) == support.add_business_days(utc(start), 1)


def test_a_leap_day_can_be_a_holiday_and_a_special_day():
    start = utc("2028-02-28T16:00")
    assert utc("2028-03-01T10:00") == weekdays("UTC", "09:00-17:00", holidays=["2028-02-29"]).add(
        start, 7200
    )
    assert utc("2028-02-29T20:30") == weekdays(
        "UTC", "09:00-17:00", special_days={"2028-02-29": ["20:00-21:00"]}
    ).add(start, 5400)


def test_schedules_compare_by_what_they_mean():
    one = weekdays("Europe/London", "09:00-17:00", holidays=["2026-12-25"])
    same = weekdays("Europe/London", "09:00-17:00", special_days={"2026-12-25": []})
    other = weekdays("Europe/Paris", "09:00-17:00", holidays=["2026-12-25"])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert hash(one) != hash(other)
    assert one != weekdays("Europe/London", "09:00-17:00")
    assert one == weekdays(zone_named("Europe/London"), "09:00-17:00", holidays=["2026-12-25"])
    ahead, behind = timezone(timedelta(hours=1)), timezone(timedelta(hours=-1))
    assert weekdays(ahead, "09:00-17:00") != weekdays(behind, "09:00-17:00")
    assert one != "test"
    one.is_open(utc("2026-03-02T09:00"))
    assert one == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))


def test_always_is_elapsed_time():
    start = utc("2026-03-07T03:00")
    assert utc("2026-03-07T03:15") == ALWAYS.add(start, 900)
    assert start == ALWAYS.next_open(start)
    assert ALWAYS.is_open(start)
    assert ALWAYS.between(utc("2026-03-07T04:00"), start) == -3600
    assert [(start, utc("2026-03-08T00:00"))] == ALWAYS.segments(start, utc("2026-03-08T00:00"))
    assert ALWAYS.segments(start, start) == []


@pytest.mark.parametrize(
    ("start", "days", "mode", "expected"),
    [
        pytest.param("2026-03-07T10:00", 3, WALL_CLOCK, "2026-03-10T10:00", id="N x 24 h"),
        pytest.param("2026-03-07T00:00", 1, WALL_CLOCK, "2026-03-08T00:00", id="from midnight"),
        pytest.param("2026-03-07T10:00", 1, END_OF_DAY, "2026-03-09T00:00", id="end of the date"),
        pytest.param("2026-03-07T10:00", 2, BUSINESS_HOURS, "2026-03-09T10:00", id="hours"),
    ],
)
def test_business_days_of_always_are_utc_dates(start, days, mode, expected):
    assert utc(expected) == ALWAYS.add_business_days(utc(start), days, mode)
    elsewhere = Schedule(name="test", zone=ZoneInfo("Asia/Tokyo"), always=True)
    assert utc(expected) == elsewhere.add_business_days(utc(start), days, mode)


def london():
    return weekdays("Europe/London", "09:00-18:00")


@pytest.mark.parametrize(
    ("start", "days", "mode", "expected"),
    [
        # policy-semantics, section 7: user-support medium and low
        pytest.param("2026-03-27T16:00", 1, WALL_CLOCK, "2026-03-30T16:00", id="medium"),
        pytest.param("2026-03-28T10:00", 1, WALL_CLOCK, "2026-03-30T18:00", id="low response"),
        pytest.param("2026-03-28T10:00", 2, WALL_CLOCK, "2026-03-31T18:00", id="low aim"),
        pytest.param("2026-03-28T10:00", 3, WALL_CLOCK, "2026-04-01T18:00", id="low limit"),
        pytest.param("2026-03-30T09:00", 1, WALL_CLOCK, "2026-03-30T18:00", id="first instant"),
        pytest.param("2026-03-30T09:01", 1, WALL_CLOCK, "2026-03-31T09:01", id="a minute later"),
        pytest.param("2026-03-27T18:00", 1, WALL_CLOCK, "2026-03-30T18:00", id="at the close"),
        pytest.param("2026-03-27T17:59", 1, WALL_CLOCK, "2026-03-30T17:59", id="before the close"),
        pytest.param("2026-03-27T16:00", 1, END_OF_DAY, "2026-03-30T18:00", id="end of day"),
        pytest.param("2026-03-28T10:00", 2, END_OF_DAY, "2026-03-31T18:00", id="end, from closed"),
        pytest.param("2026-03-27T16:00", 1, BUSINESS_HOURS, "2026-03-30T16:00", id="9 hours"),
        pytest.param("2026-03-28T10:00", 2, BUSINESS_HOURS, "2026-03-31T18:00", id="18 hours"),
        pytest.param("2026-03-30T09:00", 2, END_OF_DAY, "2026-03-31T18:00", id="end, from first"),
        pytest.param("2026-03-30T09:00", 1, END_OF_DAY, "2026-03-30T18:00", id="end of that day"),
        pytest.param("2026-03-30T09:00:01", 1, END_OF_DAY, "2026-03-31T18:00", id="a second on"),
        pytest.param("2026-03-30T09:00:01", 1, WALL_CLOCK, "2026-03-31T09:00:01", id="with it"),
        pytest.param("2026-03-02T10:00", 30, WALL_CLOCK, "2026-04-13T10:00", id="30 days"),
        pytest.param("2026-03-02T09:00", 30, WALL_CLOCK, "2026-04-10T18:00", id="30 from first"),
    ],
)
def test_business_days_of_plain_weeks(start, days, mode, expected):
    due = london().add_business_days(local("Europe/London", start), days, mode)
    assert local("Europe/London", expected) == due


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        pytest.param("2026-03-05T00:00", 2, "2026-03-07T00:00", id="first instant of Thursday"),
        pytest.param("2026-03-07T12:00", 2, "2026-03-11T00:00", id="Saturday: end of Tuesday"),
        pytest.param("2026-03-06T23:30", 1, "2026-03-09T23:30", id="Friday night"),
    ],
)
def test_business_days_of_whole_days_are_not_merged_with_each_other(start, days, expected):
    zone = timezone(timedelta(hours=-5))
    enlist = weekdays(zone, "00:00-24:00")
    at = datetime.fromisoformat(start).replace(tzinfo=zone)
    due = enlist.add_business_days(at, days).astimezone(zone)
    assert expected == due.strftime("%Y-%m-%dT%H:%M")


def uneven():
    return calendar(
        "UTC",
        ["09:00-20:00"],
        ["09:00-12:00", "13:00-17:00"],
        ["10:00-17:00"],
        EVERY_DAY_NIGHT,
        ["09:00-17:00", "23:00-02:00"],
        holidays=["2026-04-06"],
        closures=[
            ("2026-03-17T14:00", "2026-03-17T15:00"),
            ("2026-03-24T09:00", "2026-03-24T10:00"),
        ],
    )


@pytest.mark.parametrize(
    ("start", "days", "mode", "expected"),
    [
        pytest.param("2026-03-02T18:30", 1, WALL_CLOCK, "2026-03-03T17:00", id="clamped to close"),
        pytest.param("2026-03-03T09:30", 1, WALL_CLOCK, "2026-03-04T10:00", id="clamped to open"),
        pytest.param("2026-03-02T12:30", 1, WALL_CLOCK, "2026-03-03T12:30", id="falls in a break"),
        pytest.param("2026-03-16T14:30", 1, WALL_CLOCK, "2026-03-17T14:30", id="in a closure"),
        pytest.param("2026-03-23T09:30", 1, WALL_CLOCK, "2026-03-24T10:00", id="late opening"),
        pytest.param("2026-03-24T08:00", 1, WALL_CLOCK, "2026-03-24T17:00", id="closure at dawn"),
        pytest.param("2026-03-03T12:30", 1, WALL_CLOCK, "2026-03-04T13:00", id="from a break"),
        pytest.param("2026-03-06T01:00", 1, WALL_CLOCK, "2026-03-07T01:00", id="past midnight"),
        pytest.param("2026-03-06T05:00", 1, WALL_CLOCK, "2026-03-07T02:00", id="clamped at night"),
        pytest.param("2026-03-07T01:00", 1, WALL_CLOCK, "2026-03-09T20:00", id="night to day"),
        pytest.param("2026-03-07T01:00", 4, WALL_CLOCK, "2026-03-13T01:00", id="night to night"),
        pytest.param("2026-03-04T16:00", 1, WALL_CLOCK, "2026-03-05T22:00", id="day to night"),
        pytest.param("2026-03-05T23:00", 1, END_OF_DAY, "2026-03-07T02:00", id="end of a night"),
        pytest.param("2026-03-05T22:00", 1, WALL_CLOCK, "2026-03-06T06:00", id="night's opening"),
        pytest.param("2026-04-03T16:00", 1, WALL_CLOCK, "2026-04-07T16:00", id="holiday"),
        pytest.param("2026-03-02T09:30", 0, WALL_CLOCK, "2026-03-02T09:30", id="no day"),
        # The longest day is Monday or Friday: 11 h. Mon 9 h left, then 2 h on Tuesday.
        pytest.param("2026-03-02T11:00", 1, BUSINESS_HOURS, "2026-03-03T11:00", id="longest day"),
    ],
)
def test_business_days_of_uneven_weeks(start, days, mode, expected):
    assert utc(expected) == uneven().add_business_days(utc(start), days, mode)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(local("Europe/London", "2026-03-28T01:30"), "2026-03-29T01:00", id="skipped"),
        pytest.param(local("Europe/London", "2026-10-24T01:30"), "2026-10-25T00:30", id="twice"),
        pytest.param(local("Europe/London", "2026-03-28T02:00"), "2026-03-29T01:00", id="gap ends"),
        pytest.param(local("Europe/London", "2026-10-24T02:00"), "2026-10-25T02:00", id="once"),
        pytest.param(
            local("Europe/London", "2026-10-25T01:30", 1), "2026-10-26T01:30", id="from the second"
        ),
    ],
)
def test_business_days_end_at_the_change_or_the_first_of_a_repeated_time(start, expected):
    around_the_clock = calendar("Europe/London", WHOLE_DAY)
    assert utc(expected) == around_the_clock.add_business_days(start, 1)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param("2026-03-28T01:30", "2026-03-29T01:00", id="skipped"),
        pytest.param("2026-10-24T01:30", "2026-10-25T00:30", id="twice"),
        pytest.param("2026-03-28T05:30", "2026-03-29T04:30", id="later in the night"),
    ],
)
def test_a_time_of_a_night_stays_past_midnight_where_the_clocks_change(start, expected):
    nights = calendar("Europe/London", EVERY_DAY_NIGHT)
    assert utc(expected) == nights.add_business_days(local("Europe/London", start), 1)


def test_the_first_open_instant_is_the_first_of_a_repeated_one_and_not_the_second():
    support = calendar("Europe/London", ["01:00-02:00"])
    first, second = utc("2026-10-25T00:00"), utc("2026-10-25T01:00")
    assert utc("2026-10-25T02:00") == support.add_business_days(first, 1)
    assert utc("2026-10-26T01:00") == support.add_business_days(second, 1)


# Open time is computed in pieces of so many seconds since 1970; no answer may show where.
SEAM = EPOCH + timedelta(seconds=CHUNK) * 56
HOUR_BEFORE = SEAM - timedelta(hours=1)


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        pytest.param(lambda days: days.is_open(SEAM), True, id="is_open"),
        pytest.param(lambda days: days.next_open(SEAM), SEAM, id="next_open"),
        pytest.param(lambda days: days.add(HOUR_BEFORE, 3600), SEAM, id="add up to it"),
        pytest.param(lambda days: days.add(SEAM, 60), SEAM + timedelta(minutes=1), id="add"),
        pytest.param(lambda days: days.between(HOUR_BEFORE, SEAM), 3600, id="between"),
        pytest.param(lambda days: days.between(SEAM, HOUR_BEFORE), -3600, id="backwards"),
        pytest.param(
            lambda days: days.segments(HOUR_BEFORE, SEAM), [(HOUR_BEFORE, SEAM)], id="segments"
        ),
    ],
)
def test_open_time_goes_on_at_the_seams_of_the_table(ask, expected):
    whole_days = calendar("UTC", WHOLE_DAY)
    assert whole_days.is_open(HOUR_BEFORE)
    assert expected == ask(whole_days)


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+12", "Pacific/Kiritimati"])
@pytest.mark.parametrize("text", ["00:00-24:00", "09:00-17:00", "22:00-06:00"])
def test_business_days_follow_each_other_at_the_seams_of_the_table(zone, text):
    ((opens, closes),) = hours(text)
    for hour in range(-72, 72):
        support = calendar(zone, [text])
        start = support.next_open(SEAM + timedelta(hours=hour))
        midnight = start.astimezone(support.zone).replace(hour=0)
        first = start - midnight == timedelta(seconds=opens)
        length = timedelta(seconds=closes - opens) if first else timedelta(days=1)
        assert start + length == support.add_business_days(start, 1)


def test_an_instant_in_the_hours_of_two_dates_is_of_its_own_date():
    support = calendar("UTC", ["22:00-06:00"], ["05:00-13:00"], ["08:00-12:00"])
    assert utc("2026-03-04T08:00") == support.add_business_days(utc("2026-03-03T05:30"), 1)
    assert utc("2026-03-03T13:00") == support.add_business_days(utc("2026-03-03T05:00"), 1)
    assert utc("2026-03-03T13:00") == support.add_business_days(utc("2026-03-02T22:30"), 1)
    late = calendar("UTC", ["22:00-10:00"], ["08:00-09:00", "12:00-17:00"], ["08:00-12:00"])
    assert utc("2026-03-04T08:59") == late.add_business_days(utc("2026-03-03T08:59"), 1)
    assert utc("2026-03-03T17:00") == late.add_business_days(utc("2026-03-03T09:00"), 1)


def test_business_hours_are_the_longest_day_of_the_week_whatever_single_dates_have():
    support = calendar(
        "UTC",
        ["09:00-17:00"],
        holidays=["2026-03-03"],
        special_days={"2026-03-02": ["08:00-20:00"]},
        closures=[("2026-03-04T09:00", "2026-03-04T10:00")],
    )
    assert utc("2026-03-02T16:00") == support.add_business_days(
        utc("2026-03-02T08:00"), 1, BUSINESS_HOURS
    )
    nights = calendar("UTC", EVERY_DAY_NIGHT, ["22:00-06:00", "05:00-09:00", "06:00-09:00"])
    assert nights.add_business_days(utc("2026-03-02T22:00"), 1, BUSINESS_HOURS) == nights.add(
        utc("2026-03-02T22:00"), 12 * 3600
    )


@pytest.mark.parametrize(
    ("closes", "day", "hours_then", "expected"),
    [
        # 400 days after 2026-03-02 it is 2027-04-06.
        ("17:00", "2027-04-06", "16:59:59-20:00", "2027-04-06T16:59:59"),
        ("17:00", "2027-04-06", "17:00-20:00", None),
        ("06:00", "2027-04-07", "05:59:59-08:00", "2027-04-07T08:00:00"),
        ("06:00", "2027-04-07", "06:00-08:00", None),
    ],
    ids=["a second within", "400 days", "a second within, after a night", "400 days after a night"],
)
def test_the_next_business_day_opens_within_400_days_of_the_close(
    closes, day, hours_then, expected
):
    twice = calendar(
        "UTC", CLOSED, special_days={"2026-03-02": ["09:00-" + closes], day: [hours_then]}
    )
    start = utc("2026-03-02T16:00")
    if expected:
        assert utc(expected) == twice.add_business_days(start, 1)
    else:
        with pytest.raises(NeverOpen, match=f"T{closes}:00Z"):
            twice.add_business_days(start, 1)


def test_after_the_last_business_day_there_is_none():
    once = calendar("UTC", CLOSED, special_days={"2026-03-02": ["09:00-17:00"]})
    with pytest.raises(NeverOpen, match="400 days after 2026-03-02T17:00:00Z"):
        once.add_business_days(utc("2026-03-02T10:00"), 1)


def test_a_week_without_hours_has_no_longest_day():
    once = calendar("UTC", CLOSED, special_days={"2026-03-02": ["09:00-17:00"]})
    with pytest.raises(NoWeek, match=r"'test' has no weekly hours.*; write its week, or use"):
        once.add_business_days(utc("2026-03-02T10:00"), 1, BUSINESS_HOURS)
    with pytest.raises(NeverOpen):
        once.add_business_days(utc("2026-03-02T17:00"), 1, BUSINESS_HOURS)


def test_a_date_whose_hours_the_clocks_skip_is_no_business_day():
    support = calendar("Europe/London", ["01:00-02:00"])
    start = local("Europe/London", "2026-03-28T01:15")
    assert utc("2026-03-30T00:15") == support.add_business_days(start, 1)
    apia = calendar("Pacific/Apia", ["09:00-17:00"])
    due = apia.add_business_days(local("Pacific/Apia", "2011-12-29T10:00"), 1)
    assert shown(due, "Pacific/Apia") == "2011-12-31T10:00"


def test_a_date_that_a_closure_covers_is_no_business_day():
    support = weekdays("UTC", "09:00-17:00", closures=[("2026-03-03T00:00", "2026-03-04T00:00")])
    assert utc("2026-03-04T10:00") == support.add_business_days(utc("2026-03-02T10:00"), 1)


def test_the_last_closing_is_the_second_of_a_repeated_one():
    support = calendar("Europe/London", ["00:00-01:30"])
    start = local("Europe/London", "2026-10-24T01:00")
    assert utc("2026-10-25T01:30") == support.add_business_days(start, 1, END_OF_DAY)


def test_business_days_beyond_400_closed_days_are_an_error():
    twice = calendar(
        "UTC", CLOSED, special_days={"2026-03-02": ["09:00-10:00"], "2028-03-02": ["09:00-10:00"]}
    )
    assert utc("2026-03-02T10:00") == twice.add_business_days(utc("2026-03-01T00:00"), 1)
    with pytest.raises(NeverOpen, match="2026-03-02T10:00:00Z"):
        twice.add_business_days(utc("2026-03-01T00:00"), 2)
