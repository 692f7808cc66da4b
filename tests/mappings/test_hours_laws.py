"""Laws of calendar arithmetic, over random calendars, zones and instants near clock changes.

What is expected is written down a second time here, sentence by sentence and as slow as it likes:
a walk along the wall that asks nothing but the zone."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from importlib.resources import files
from itertools import count, islice, pairwise
from struct import unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.document.zones import zone_named, zone_names
from mappings.errors import NeverOpen
from mappings.hours import ALWAYS, BusinessDayMode, Schedule
from mappings.instants import EPOCH
from mappings.wall_clock import CHUNK

DAY = 86_400
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
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
NAMES = sorted(zone_names())

laws = settings(max_examples=settings.default.max_examples * 3 // 5)

years_1970_to_2100 = st.dates(date(1970, 1, 1), date(2100, 12, 1)).map(
    lambda day: datetime.combine(day, time.min, UTC)
)


def noon_before_a_change(zone, near):
    """The first noon, within a year of `near`, after which the zone's wall differs by the next."""
    noons = [near + timedelta(days=day, hours=12) for day in range(367)]
    offsets = [noon.astimezone(zone).utcoffset() for noon in noons]
    changed = (
        noon for noon, pair in zip(noons, pairwise(offsets), strict=False) if len({*pair}) > 1
    )
    return next(changed, near)


@st.composite
def zones_and_dates(draw):
    kind = draw(st.sampled_from(["chosen", "chosen", "any change", "anywhere", "seam"]))
    if kind == "chosen":
        name, day = draw(st.sampled_from(CHANGES))
        return zone_named(name), datetime.fromisoformat(day).replace(tzinfo=UTC)
    near = draw(years_1970_to_2100)
    if kind == "any change":
        zone = zone_named(draw(st.sampled_from(NAMES)))
        return zone, noon_before_a_change(zone, near)
    if kind == "seam":  # where the pieces meet in which open time is computed
        near = EPOCH + draw(st.integers(1, 130)) * timedelta(seconds=CHUNK)
    return draw(st.sampled_from(FIXED) | st.sampled_from(NAMES).map(zone_named)), near


@st.composite
def intervals(draw):
    opens = draw(st.integers(0, 95)) * 900
    return opens, opens + draw(st.integers(1, 96)) * 900


SHAPES = [
    ((0, DAY),),
    ((0, 43_200), (43_200, DAY)),
    ((79_200, 108_000),),
    ((72_000, 90_000), (0, 7_200)),
    ((32_400, 64_800),),
]
open_day = st.lists(intervals(), min_size=1, max_size=3).map(tuple) | st.sampled_from(SHAPES)
day_hours = st.just(()) | open_day


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
    return calendar, near + steps * STEP


def closures(near):
    midnight = datetime.combine(near.date(), time.min)
    starts = st.integers(-300, 300).map(lambda number: midnight + number * QUARTER)
    lengths = st.integers(1, 200)
    return st.tuples(starts, lengths).map(lambda drawn: (drawn[0], drawn[0] + drawn[1] * QUARTER))


durations = st.integers(0, 40 * DAY)


def shown_open(calendar, at):
    """Rule 2 as it is written, asking nothing but the zone."""
    wall = wall_of(calendar.zone, at)
    if closed(calendar, wall):
        return False
    seconds = wall.hour * 3600 + wall.minute * 60 + wall.second
    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    return inside(hours_of(calendar, today), seconds) or inside(
        hours_of(calendar, yesterday), seconds + DAY
    )


def wall_of(zone, at):
    return at.astimezone(zone).replace(tzinfo=None)


def closed(calendar, wall):
    return any(start <= wall < end for start, end in calendar.closures)


def hours_of(calendar, day: date):
    if day in calendar.special_days:
        return calendar.special_days[day]
    return () if day in calendar.holidays else calendar.week[day.weekday()]


def inside(hours, seconds):
    return any(opens <= seconds < closes for opens, closes in hours)


def walk(calendar, at, steps):
    """The open steps among so many from `at` on."""
    return [found for found in islice(steps_from(at), steps) if shown_open(calendar, found)]


def steps_from(at):
    return (at + step * STEP for step in count())


def changed(calendar, **fields):
    """The calendar with other fields, that has not been asked anything yet."""
    same = {
        name: getattr(calendar, name)
        for name in ("name", "zone", "week", "holidays", "special_days", "closures", "always")
    }
    return Schedule(**same | fields)


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
    expected = 30 * len(walk(calendar, at, steps))
    assert expected == calendar.between(at, end)
    segments = calendar.segments(at, end)
    assert expected * SECOND == sum((closes - opens for opens, closes in segments), timedelta())
    assert all(first[1] < second[0] for first, second in pairwise(segments))
    assert all(at <= opens < closes <= end for opens, closes in segments)
    assert all(calendar.is_open(opens) for opens, _ in segments)
    assert not any(calendar.is_open(closes) for _, closes in segments if closes < end)


@given(worlds(), st.integers(1, 3 * 2880), st.data())
@laws
def test_add_and_next_open_agree_with_a_walk_along_the_wall(world, steps, data):
    calendar, at = world
    open_steps = walk(calendar, at, steps)
    if not open_steps:
        assert calendar.next_open(at) >= at + steps * STEP
        return
    assert open_steps[0] == calendar.next_open(at)
    whole, rest = divmod(data.draw(st.integers(0, 30 * len(open_steps) - 1)), 30)
    assert open_steps[whole] + (rest + 1) * SECOND == calendar.add(at, whole * 30 + rest + 1)


@given(worlds(), durations)
@laws
def test_between_gives_back_what_add_has_added(world, seconds):
    calendar, at = world
    due = calendar.add(at, seconds)
    assert seconds == calendar.between(at, due)
    assert -seconds == calendar.between(due, at)
    assert seconds == 0 or calendar.between(at, due - SECOND) == seconds - 1


@given(worlds(), st.integers(1, 40 * DAY))
@laws
def test_what_is_added_ends_in_open_time_or_at_its_closing_instant(world, seconds):
    calendar, at = world
    assert at == calendar.add(at, 0)
    assert shown_open(calendar, calendar.add(at, seconds) - SECOND)


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
    assert due < calendar.add(at, seconds + 2 + more)


@given(worlds(), durations)
@laws
def test_no_more_is_open_than_time_passes(world, seconds):
    calendar, at = world
    assert 0 <= calendar.between(at, at + seconds * SECOND) <= seconds
    assert at + seconds * SECOND <= calendar.add(at, seconds)


@given(worlds())
@laws
def test_next_open_is_the_first_open_instant(world):
    calendar, at = world
    opens = calendar.next_open(at)
    assert calendar.is_open(opens)
    assert calendar.between(at, opens) == 0
    assert opens == calendar.next_open(opens)
    assert (opens == at) is shown_open(calendar, at)


@given(worlds(), st.integers(-9, 9), durations)
@laws
def test_answers_do_not_depend_on_what_was_asked_before(world, years, seconds):
    calendar, at = world
    fresh = calendar.add(at, seconds)
    warmed = changed(calendar)
    warmed.is_open(at + timedelta(days=366 * years))
    warmed.between(at - timedelta(days=500), at)
    assert fresh == warmed.add(at, seconds)
    end = at + timedelta(days=800)
    assert changed(calendar).between(at, end) == warmed.between(at, end)
    assert changed(calendar).segments(at, end) == warmed.segments(at, end)


@given(worlds(), st.randoms(use_true_random=False))
@laws
def test_hours_written_in_pieces_or_in_another_order_are_the_same_hours(world, random):
    calendar, _ = world
    pieces = {day: in_pieces(hours, random) for day, hours in calendar.special_days.items()}
    other = changed(
        calendar,
        week=tuple(in_pieces(hours, random) for hours in calendar.week),
        special_days=pieces,
        closures=calendar.closures[::-1],
    )
    assert calendar == other
    assert hash(calendar) == hash(other)


def in_pieces(hours, random):
    """The same seconds of the day: each interval as two that touch, in any order."""
    cuts = [(opens, random.randrange(opens, min(closes, DAY)), closes) for opens, closes in hours]
    pairs = [pair for opens, cut, closes in cuts for pair in ((opens, cut), (cut, closes))]
    pieces = [(opens, closes) for opens, closes in pairs if opens < closes]
    random.shuffle(pieces)
    return tuple(pieces)


def open_minutes(calendar, day):
    """The instants of a business day, minute by minute of its hours. One that the clocks repeat
    gives two (PEP 495), one that they skip does not come back as it went out."""
    midnight = datetime.combine(day, time.min)
    for opens, closes in hours_of(calendar, day):
        for minute in range(opens // 60, closes // 60):
            wall = midnight + minute * MINUTE
            if not closed(calendar, wall):
                yield from instants_of(calendar.zone, wall)


def instants_of(zone, wall):
    folds = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in folds if wall_of(zone, at) == wall)


def has_open_time(calendar, day):
    return any(True for _ in open_minutes(calendar, day))


def first_and_last(calendar, day):
    """The first opening and the last closing of a business day."""
    minutes = list(open_minutes(calendar, day))
    return min(minutes), max(minutes) + MINUTE


def business_day_of(calendar, at):
    """The day whose hours show an open instant; those of the date itself stand before the
    after-midnight part of the date before."""
    wall = wall_of(calendar.zone, at)
    own = inside(hours_of(calendar, wall.date()), wall.hour * 3600 + wall.minute * 60)
    return wall.date() if own else wall.date() - timedelta(days=1)


def business_days_from(calendar, day):
    days = (day + timedelta(days=number) for number in count())
    return (found for found in days if has_open_time(calendar, found))


def first_shown(zone, wall):
    """The first instant at which the wall shows this time, or at which it skips it."""
    shown = instants_of(zone, wall)
    if shown:
        return shown[0]
    before = wall.replace(tzinfo=UTC) - timedelta(days=2)
    return next(at for at in steps_from(before) if wall_of(zone, at) >= wall)


def business_day_due(calendar, at, number, mode):
    """Rule 7 as it is written."""
    start = next(found for found in steps_from(at) if shown_open(calendar, found))
    today = business_day_of(calendar, start)
    first, _ = first_and_last(calendar, today)
    later = list(islice(business_days_from(calendar, today), number + 1))
    day = later[number - 1 if start == first else number]
    opens, closes = first_and_last(calendar, day)
    if start == first or mode is BusinessDayMode.END_OF_DAY:
        return closes
    same_time = first_shown(calendar.zone, wall_of(calendar.zone, start) + (day - today))
    return min(max(same_time, opens), closes)


def on_the_minute(world):
    """Whether the minutes of the wall are minutes of UTC, as everywhere but in Monrovia to 1972."""
    calendar, at = world
    return wall_of(calendar.zone, at - timedelta(days=9)).second == at.second


@given(
    worlds().filter(on_the_minute),
    st.integers(1, 3) | st.integers(1, 30),
    st.sampled_from([BusinessDayMode.WALL_CLOCK, BusinessDayMode.END_OF_DAY]),
)
@laws
def test_business_days_agree_with_the_rule_read_minute_by_minute(world, number, mode):
    calendar, at = world
    expected = business_day_due(calendar, at.replace(second=0), number, mode)
    assert expected == calendar.add_business_days(at.replace(second=0), number, mode)


@given(worlds(), st.integers(1, 30))
@laws
def test_business_hours_are_days_of_the_longest_length(world, number):
    calendar, at = world
    longest = max(
        900 * len({second for interval in hours for second in range(*interval, 900)})
        for hours in calendar.week
    )
    due = calendar.add_business_days(at, number, BusinessDayMode.BUSINESS_HOURS)
    assert calendar.add(at, number * longest) == due


@given(worlds(), st.integers(1, 30))
@laws
def test_business_days_end_in_or_with_their_day(world, number):
    calendar, at = world
    due = calendar.add_business_days(at, number)
    end = calendar.add_business_days(at, number, BusinessDayMode.END_OF_DAY)
    assert due <= end
    assert shown_open(calendar, end - SECOND)
    assert due == calendar.add_business_days(calendar.next_open(at), number)


@given(worlds(), zones_and_dates(), durations)
@laws
def test_always_is_plain_addition_whatever_else_is_written(world, zone_and_date, seconds):
    at = zone_and_date[1]
    end = at + seconds * SECOND
    for always in (ALWAYS, changed(world[0], always=True)):
        assert end == always.add(at, seconds)
        assert seconds == always.between(at, end) == -always.between(end, at)
        assert [(at, end)][:seconds] == always.segments(at, end)
        assert always.is_open(at)
        assert at == always.next_open(at)


@given(zones_and_dates(), durations)
@laws
def test_a_week_of_whole_days_is_plain_addition_in_every_zone(zone_and_date, seconds):
    zone, at = zone_and_date
    whole_days = Schedule(name="whole days", zone=zone, week=(((0, DAY),),) * 7)
    assert at + seconds * SECOND == whole_days.add(at, seconds)


@given(worlds(), zones_and_dates(), durations)
@laws
def test_an_instant_is_the_same_in_whatever_zone_it_is_written(world, zone_and_date, seconds):
    calendar, at = world
    written = at.astimezone(zone_and_date[0])
    assert calendar.add(at, seconds) == calendar.add(written, seconds)
    assert calendar.is_open(at) == calendar.is_open(written)
    assert calendar.add_business_days(at, 2) == calendar.add_business_days(written, 2)


@given(zones_and_dates(), st.integers(1, 1000))
@laws
def test_a_single_open_day_is_found_up_to_400_days_ahead(zone_and_date, days):
    zone, at = zone_and_date
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
