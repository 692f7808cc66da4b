"""The `hours` command: one answer for every line, in order, whatever the line is."""

import json

import pytest
from click.testing import CliRunner

from commands.hours import hours

LONDON = {"time_zone": "Europe/London", "week": {"mon": ["09:00-17:00"], "tue": ["09:00-17:00"]}}
MONDAY_NINE = "2026-03-02T09:00:00Z"


def run(*lines, argument=None):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    arguments = [] if argument is None else [argument]
    result = CliRunner().invoke(hours, arguments, input=text)
    return [json.loads(line) for line in result.stdout.splitlines()], result.exit_code


def question(op="is_open", schedule=LONDON, **values):
    return {"schedule": schedule, "op": op, "start": MONDAY_NINE} | values


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(question("add", seconds=3600), "2026-03-02T10:00:00Z", id="add"),
        pytest.param(question("between", end="2026-03-03T10:00:00Z"), 32400, id="between"),
        pytest.param(question("between", end="2026-03-02T04:30:00-05:00"), 1800, id="offset"),
        pytest.param(question("is_open"), True, id="is open"),
        pytest.param(question("is_open", start="2026-03-02T08:59:59.999Z"), False, id="cut"),
        pytest.param(
            question("next_open", start="2026-03-28T10:00:00+01:00"),
            "2026-03-30T08:00:00Z",
            id="next open",
        ),
        pytest.param(
            question("add_business_days", days=1), "2026-03-02T17:00:00Z", id="business days"
        ),
        pytest.param(
            question("add_business_days", days=1, start="2026-03-02T10:00:00Z", mode="end_of_day"),
            "2026-03-03T17:00:00Z",
            id="end of the next business day",
        ),
        pytest.param(
            question("add", schedule={"week": "always"}, seconds=60),
            "2026-03-02T09:01:00Z",
            id="always",
        ),
    ],
)
def test_a_question_has_its_result(asked, expected):
    assert ([{"result": expected}], 0) == run(asked)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("{oops", "the line is no JSON", id="no JSON"),
        pytest.param("[" * 100_000, "the line is no JSON", id="too deep"),
        pytest.param("[]", "no JSON object", id="no object"),
        pytest.param({"op": "add"}, "'schedule' is missing; it must be an object", id="schedule"),
        pytest.param({"schedule": LONDON}, "'op' is missing", id="no op"),
        pytest.param(question(7), "'op' must be a string", id="op is a number"),
        pytest.param(
            question("sub"), "unknown op 'sub'; write one of add, between, is_open", id="unknown op"
        ),
        pytest.param(question("add"), "'seconds' is missing", id="no seconds"),
        pytest.param(question("add", seconds=1.5), "must be a whole number", id="a fraction"),
        pytest.param(question("add", seconds=True), "must be a whole number", id="true"),
        pytest.param(question("add", seconds=-1), "-1 s cannot be added", id="negative"),
        pytest.param(question("add", seconds=10**15), "the years 1900 to 2199", id="too far"),
        pytest.param(question("between"), "'end' is missing", id="no end"),
        pytest.param(question(start="2026-03-02T09:00:00"), "has no UTC offset; add Z", id="naive"),
        pytest.param(question(start="soon"), "'soon' is no instant", id="no instant"),
        pytest.param(
            question("add_business_days", days=1, mode="lunar"),
            'unknown mode "lunar"; write one of wall_clock',
            id="mode",
        ),
        pytest.param(
            question("next_open", schedule={"time_zone": "UTC", "week": {}}),
            "has no open time in the 400 days after 2026-03-02T09:00:00Z",
            id="never open",
        ),
        pytest.param(
            question(schedule={"time_zone": "UTC", "week": {"mon": ["9-17"]}}),
            "schedule.week.mon.0: '9-17' is no interval; write it as 09:00-17:00",
            id="interval",
        ),
        pytest.param(
            question(schedule={"time_zone": "Europe/Londn", "week": {}}),
            "did you mean 'Europe/London'?",
            id="zone",
        ),
    ],
)
def test_a_bad_line_is_an_error_that_says_what_would_be_right(line, expected):
    (answer,), exit_code = run(line)
    assert set(answer) == {"error"}
    assert expected in answer["error"]
    assert exit_code == 1


def test_the_run_goes_on_after_a_bad_line_and_ends_with_1():
    answers, exit_code = run(question(), "{oops", "", question("between", end=MONDAY_NINE))
    assert [set(answer) for answer in answers] == [{"result"}, {"error"}, {"result"}]
    assert exit_code == 1


def test_a_dash_is_standard_input_and_a_name_is_a_file(tmp_path):
    assert run(question(), argument="-") == ([{"result": True}], 0)
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(question("add", seconds=1)) + "\n", encoding="utf-8")
    assert run(argument=str(path)) == ([{"result": "2026-03-02T09:00:01Z"}], 0)


def test_a_missing_file_is_wrong_usage():
    assert run(argument="no-such-file.jsonl") == ([], 2)


def test_many_schedules_in_one_stream_are_kept_apart():
    zones = [f"+{hour:02}:00" for hour in range(13)] * 5
    asked = [
        question("next_open", schedule=LONDON | {"time_zone": zone}, start="2026-03-01T00:00:00Z")
        for zone in zones
    ]
    expected = [
        {"result": f"2026-03-{1 if hour > 9 else 2:02}T{(9 - hour) % 24:02}:00:00Z"}
        for hour in range(13)
    ] * 5
    assert (expected, 0) == run(*asked)
