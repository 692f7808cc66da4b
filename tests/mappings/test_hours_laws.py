"""Laws of calendar arithmetic, over random calendars, zones and instants near clock changes."""

from datetime import UTC, date, datetime, timedelta, timezone
from importlib.resources import files
from itertools import pairwise
from struct import unpack_from
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.document.zones import zone_names
from mappings.errors import NeverOpen
from mappings.hours import ALWAYS, BusinessDayMode, Schedule

DAY = 86_400
SECOND = timedelta(seconds=1)
# Every offset since 1970 is a multiple of this, and so are the hours that are drawn below.
STEP = timedelta(seconds=30)

# A zone, and a date near which its clocks change in a way worth looking at.
CHANGES = [
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Amman", "2022-02-25"),
    ("Europe/Dublin", "2026-10-25"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2087-05-11"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2019-02-17"),
    ("America/St_Johns", "2010-11-07"),
    ("America/Havana", "2026-11-01"),
    ("America/New_York", "2099-03-08"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2024-10-31"),
    ("Asia/Beirut", "2026-03-29"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Africa/Monrovia", "1972-01-07"),
    ("Asia/Kathmandu", "1986-01-01"),
    ("UTC", "2026-01-01"),
]
FIXED = [timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45))]

laws = settings(max_examples=60, deadline=None)


@st.composite
def zones_and_dates(draw):
    zone, day = draw(st.sampled_from(CHANGES))
    near = datetime.fromisoformat(day).replace(tzinfo=UTC)
    anywhere = st.datetimes(datetime(1970, 1, 1), datetime(2100, 12, 1))  # noqa: DTZ001
    at = draw(st.just(near) | anywhere.map(lambda found: found.replace(tzinfo=UTC)))
    return draw(st.just(ZoneInfo(zone)) | st.sampled_from(FIXED)), at


@st.composite
def intervals(draw):
    opens = draw(st.integers(0, 95)) * 900
    return opens, opens + draw(st.integers(1, 96)) * 900


day_hours = st.lists(intervals(), max_size=2).map(tuple)
open_day = st.lists(intervals(), min_size=1, max_size=2).map(tuple)


@st.composite
def worlds(draw):
    """A calendar whose week is open somewhere, and an instant within four days of which it has
    its exceptions and, mostly, its clocks change."""
    zone, near = draw(zones_and_dates())
    dates = st.integers(-4, 4).map(lambda days: (near + timedelta(days=days)).date())
    calendar = Schedule(
        name="drawn",
        zone=zone,
        week=draw(st.tuples(*([day_hours] * 6), open_day)),
        holidays=draw(st.frozensets(dates, max_size=2)),
        special_days=draw(st.dictionaries(dates, day_hours, max_size=2)),
        closures=tuple(draw(st.lists(closures(near), max_size=2))),
    )
    steps = draw(st.integers(-4 * 2880, 4 * 2880))
    return calendar, near.replace(second=0, microsecond=0) + steps * STEP


def closures(near):
    midnight = datetime.combine(near.date(), datetime.min.time())
    quarter = timedelta(minutes=15)
    starts = st.integers(-300, 300).map(lambda number: midnight + number * quarter)
    lengths = st.integers(1, 200)
    return st.tuples(starts, lengths).map(lambda drawn: (drawn[0], drawn[0] + drawn[1] * quarter))


durations = st.integers(0, 40 * DAY)


def shown_open(calendar, at):
    """Rule 2 as it is written, asking nothing but the zone."""
    wall = at.astimezone(calendar.zone).replace(tzinfo=None)
    if any(start <= wall < end for start, end in calendar.closures):
        return False
    time = wall.hour * 3600 + wall.minute * 60 + wall.second
    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    return inside(hours_of(calendar, today), time) or inside(
        hours_of(calendar, yesterday), time + DAY
    )


def hours_of(calendar, day: date):
    if day in calendar.special_days:
        return calendar.special_days[day]
    return () if day in calendar.holidays else calendar.week[day.weekday()]


def inside(hours, time):
    return any(opens <= time < closes for opens, closes in hours)


def renewed(calendar):
    """The same calendar that has not been asked anything yet."""
    return Schedule(
        name=calendar.name,
        zone=calendar.zone,
        week=calendar.week,
        holidays=calendar.holidays,
        special_days=calendar.special_days,
        closures=calendar.closures,
    )


@given(worlds(), st.lists(st.integers(-3 * DAY, 3 * DAY), min_size=50, max_size=50))
@laws
def test_open_is_what_the_wall_shows_at_any_second(world, offsets):
    calendar, at = world
    asked = [at + timedelta(seconds=offset) for offset in offsets]
    assert [shown_open(calendar, second) for second in asked] == [
        calendar.is_open(second) for second in asked
    ]


@given(worlds(), st.integers(0, 3 * 2880))
@laws
def test_between_and_segments_agree_with_a_walk_along_the_wall(world, steps):
    calendar, at = world
    end = at + steps * STEP
    expected = sum(30 for step in range(steps) if shown_open(calendar, at + step * STEP))
    assert expected == calendar.between(at, end)
    segments = calendar.segments(at, end)
    assert expected * SECOND == sum((closes - opens for opens, closes in segments), timedelta())
    assert all(first[1] < second[0] for first, second in pairwise(segments))
    assert all(calendar.is_open(opens) for opens, _ in segments)
    assert not any(calendar.is_open(closes) for _, closes in segments if closes < end)


@given(worlds(), durations)
@laws
def test_between_gives_back_what_add_has_added(world, seconds):
    calendar, at = world
    due = calendar.add(at, seconds)
    assert seconds == calendar.between(at, due)
    assert -seconds == calendar.between(due, at)
    assert seconds == 0 or calendar.between(at, due - SECOND) == seconds - 1


@given(worlds(), durations, durations)
@laws
def test_adding_twice_is_adding_the_sum(world, first, second):
    calendar, at = world
    assert calendar.add(at, first + second) == calendar.add(calendar.add(at, first), second)


@given(worlds(), durations, durations)
@laws
def test_stretches_of_open_time_add_up(world, first, second):
    calendar, start = world
    middle, end = start + first * SECOND, start + second * SECOND
    assert calendar.between(start, end) == calendar.between(start, middle) + calendar.between(
        middle, end
    )


@given(worlds(), durations, durations, durations)
@laws
def test_later_or_longer_is_never_due_earlier(world, later, seconds, more):
    calendar, at = world
    due = calendar.add(at, seconds + 1)
    assert due <= calendar.add(at + later * SECOND, seconds + 1)
    assert due <= calendar.add(at, seconds + 1 + more)


@given(worlds())
@laws
def test_next_open_is_the_first_open_instant(world):
    calendar, at = world
    opens = calendar.next_open(at)
    assert calendar.is_open(opens)
    assert calendar.between(at, opens) == 0
    assert (opens == at) is shown_open(calendar, at)


@given(worlds(), st.integers(-9, 9), durations)
@laws
def test_answers_do_not_depend_on_what_was_asked_before(world, years, seconds):
    calendar, at = world
    fresh = calendar.add(at, seconds)
    warmed = renewed(calendar)
    warmed.is_open(at + timedelta(days=366 * years))
    warmed.between(at - timedelta(days=500), at)
    assert fresh == warmed.add(at, seconds)
    assert calendar.between(at, at + timedelta(days=800)) == warmed.between(
        at, at + timedelta(days=800)
    )


QUARTER = timedelta(minutes=15)
OFF_THE_QUARTERS = {"America/St_Johns", "Africa/Monrovia"}


@st.composite
def separate_intervals(draw):
    """Hours that end before those of the next date begin."""
    opens = draw(st.integers(24, 95))
    return opens * 900, draw(st.integers(opens + 1, 119)) * 900


separate_hours = st.lists(separate_intervals(), max_size=2).map(tuple)


@st.composite
def quarter_hour_worlds(draw):
    """As worlds, but everything happens at full quarters of an hour."""
    zone, day = draw(
        st.sampled_from([found for found in CHANGES if found[0] not in OFF_THE_QUARTERS])
    )
    near = datetime.fromisoformat(day).replace(tzinfo=UTC)
    dates = st.integers(-3, 5).map(lambda days: (near + timedelta(days=days)).date())
    days = draw(st.tuples(*([separate_hours] * 5)))
    calendar = Schedule(
        name="drawn",
        zone=ZoneInfo(zone),
        week=(*days, ((36_000, 100_800),), ((21_600, 43_200), (64_800, 86_400))),
        holidays=draw(st.frozensets(dates, max_size=2)),
        special_days=draw(st.dictionaries(dates, separate_hours, max_size=2)),
        closures=tuple(draw(st.lists(closures(near), max_size=2))),
    )
    return calendar, near + draw(st.integers(-4 * 96, 4 * 96)) * QUARTER


def walked_business_day(calendar, at, days, mode):
    """Rule 7 as it is written, read off a walk along the wall in quarters of an hour."""
    walk = [at + step * QUARTER for step in range(-3 * 96, 40 * 96)]
    walls = [found.astimezone(calendar.zone).replace(tzinfo=None) for found in walk]
    open_steps = [step for step, found in enumerate(walk) if shown_open(calendar, found)]
    spans = {}
    for step in open_steps:
        owner = (walls[step] - timedelta(hours=6)).date()
        first, _ = spans.get(owner, (step, step))
        spans[owner] = (first, step + 1)
    start = next(step for step in open_steps if walk[step] >= at)
    today = (walls[start] - timedelta(hours=6)).date()
    later = [day for day in sorted(spans) if day >= today]
    if start == spans[today][0]:
        return walk[spans[later[days - 1]][1]]
    day = later[days]
    first, end = spans[day]
    same_time = walls[start] + (day - today)
    shown = next(step for step, wall in enumerate(walls) if wall >= same_time)
    return walk[end if mode is BusinessDayMode.END_OF_DAY else min(max(shown, first), end)]


@given(
    quarter_hour_worlds(),
    st.integers(1, 5),
    st.sampled_from([BusinessDayMode.WALL_CLOCK, BusinessDayMode.END_OF_DAY]),
)
@settings(laws, max_examples=100)
def test_business_days_agree_with_a_walk_along_the_wall(world, days, mode):
    calendar, at = world
    expected = walked_business_day(calendar, at, days, mode)
    assert expected == calendar.add_business_days(at, days, mode)


@given(worlds(), st.integers(1, 12))
@laws
def test_business_days_end_in_or_with_their_day(world, days):
    calendar, at = world
    due = calendar.add_business_days(at, days)
    end = calendar.add_business_days(at, days, BusinessDayMode.END_OF_DAY)
    assert due <= end
    assert calendar.is_open(end - SECOND)
    assert due == calendar.add_business_days(calendar.next_open(at), days)


@given(worlds(), st.integers(1, 12))
@laws
def test_business_hours_are_days_of_the_longest_length(world, days):
    calendar, at = world
    plain = Schedule(name="plain", zone=UTC, week=calendar.week)
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    longest = max(
        Schedule(name="day", zone=UTC, week=(day, *((),) * 6)).between(
            monday, monday + timedelta(days=3)
        )
        for day in plain.week
    )
    due = calendar.add_business_days(at, days, BusinessDayMode.BUSINESS_HOURS)
    assert days * longest == calendar.between(at, due)


@given(zones_and_dates(), durations)
@laws
def test_always_is_plain_addition(zone_and_date, seconds):
    at = zone_and_date[1].replace(microsecond=0)
    end = at + seconds * SECOND
    assert end == ALWAYS.add(at, seconds)
    assert seconds == ALWAYS.between(at, end)
    assert ALWAYS.is_open(at)
    assert at == ALWAYS.next_open(at)


@given(zones_and_dates(), durations)
@laws
def test_a_week_of_whole_days_is_plain_addition_in_every_zone(zone_and_date, seconds):
    zone, at = zone_and_date[0], zone_and_date[1].replace(microsecond=0)
    whole_days = Schedule(name="whole days", zone=zone, week=(((0, DAY),),) * 7)
    assert at + seconds * SECOND == whole_days.add(at, seconds)


@given(zones_and_dates(), st.integers(1, 1000))
@laws
def test_a_single_open_day_is_found_up_to_400_days_ahead(zone_and_date, days):
    zone, at = zone_and_date[0], zone_and_date[1].replace(microsecond=0)
    day = (at + timedelta(days=days)).date()
    calendar = Schedule(name="once", zone=zone, special_days={day: ((0, 2 * DAY),)})
    opens = next(iter(calendar.segments(at, at + timedelta(days=days + 4))))[0]
    if opens < at + timedelta(days=400):
        assert opens == calendar.next_open(at)
    else:
        with pytest.raises(NeverOpen):
            calendar.next_open(at)


def changes_of(name):
    """The instants, since 1900, at which the compiled zone file changes its UTC offset."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    utc_marks, standard_marks, leaps, times, types, letters = unpack_from(">6l", data, 20)
    second_part = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard_marks + utc_marks
    *_, times, types, _letters = unpack_from(">6l", data, second_part + 20)
    body = second_part + 44
    instants = unpack_from(f">{times}q", data, body)
    kinds = data[body + 8 * times : body + 9 * times]
    offsets = [unpack_from(">l", data, body + 9 * times + 6 * kind)[0] for kind in kinds]
    found = zip(instants[1:], pairwise(offsets), strict=True) if times else ()
    return [at for at, (before, after) in found if before != after and at > -2_208_988_800]


def test_no_zone_changes_its_clocks_twice_within_the_day_at_which_they_are_sampled():
    changes = [changes_of(name) for name in zone_names()]
    gaps = [later - earlier for found in changes for earlier, later in pairwise(found)]
    assert len(gaps) > 10_000
    assert min(gaps) > 2 * DAY
