"""The written form of a calendar: what it accepts, and what it says about the rest."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from mappings.document.calendar import ScheduleDocument
from mappings.document.zones import zone_named
from mappings.hours import Schedule

LONDON = {"time_zone": "Europe/London", "week": {"mon": ["09:00-17:00"]}}


def schedule(**written):
    return ScheduleDocument.model_validate(LONDON | written).to_schedule("test")


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
