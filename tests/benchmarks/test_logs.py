"""The three kinds of incident logs become histories; one tiny log of each runs end to end."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ingest import Load, read_wrk
from benchmarks.logs import LogError, read_log
from benchmarks.tables import table
from benchmarks.told import told_otherwise

SERVICE_NOW = """\
number,incident_state,sys_mod_count,opened_at,sys_updated_at,contact_type,caller_id,resolved_by,\
priority
INC1,New,0,29-02-2016 01:16,29-02-2016 01:23,Phone,Caller 7,?,3 - Moderate
INC1,Active,1,29-02-2016 01:16,29-02-2016 02:00,Phone,Caller 7,?,2 - High
INC1,Awaiting User Info,2,29-02-2016 01:16,29-02-2016 03:00,Phone,Caller 7,?,2 - High
INC1,Awaiting User Info,3,29-02-2016 01:16,29-02-2016 03:30,Phone,Caller 7,?,2 - High
INC1,Resolved,4,29-02-2016 01:16,01-03-2016 11:29,Phone,Caller 7,Resolved by 1,2 - High
INC1,Active,5,29-02-2016 01:16,01-03-2016 12:00,Phone,Caller 7,?,2 - High
INC1,Resolved,6,29-02-2016 01:16,01-03-2016 13:00,Phone,Caller 7,Resolved by 1,2 - High
INC1,Closed,7,29-02-2016 01:16,05-03-2016 12:00,Phone,Caller 7,Resolved by 1,2 - High
INC2,Active,0,1/3/2016 09:54,1/3/2016 09:58,Email,?,?,1 - Critical
"""
VOLVO = """\
caseid,task,user,end_timestamp
0,Accepted+In Progress,Ann,2010-03-31T14:59:42.000000
0,Accepted+Wait - User,Ann,2010-03-31T15:00:56.000000
0,Accepted+Wait - Vendor,Ann,2010-04-01T10:00:00.000000
0,Completed+Resolved,Bob,2010-04-02T10:00:00.000000
0,Completed+Closed,Bob,2010-04-09T10:00:00.000000
1,Queued+Awaiting Assignment,Ann,2010-04-01T08:00:00.000000
1,Completed+In Call,Ann,2010-04-01T08:10:00.000000
"""
ITALIAN = """\
Case ID,Activity,Resource,Complete Timestamp,customer,seriousness_2
Case 1,Assign seriousness,Value 1,2012/10/09 14:50:17.000,Value 9,Value 1
Case 1,Take in charge ticket,Value 1,2012/10/09 14:51:01.000,Value 9,Value 2
Case 1,Wait,Value 2,2012/10/10 09:00:00.000,Value 9,Value 2
Case 1,Resolve ticket,Value 2,2012/10/25 11:54:26.000,Value 9,Value 2
Case 1,Closed,Value 3,2012/11/09 12:54:39.000,Value 9,Value 2
"""
LOGS = {"servicenow": SERVICE_NOW, "volvo": VOLVO, "italian": ITALIAN}


def _written(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "case", "expected"),
    [
        pytest.param(
            "servicenow",
            "INC1",
            ["created", "priority high", "status open", "comment", "status pending", "comment",
             "status solved", "status open", "comment", "status solved"],
            id="servicenow: reopened, and a repeated state is no event",
        ),
        pytest.param("servicenow", "INC2", ["created", "status open"], id="servicenow: slashes"),
        pytest.param(
            "volvo",
            "0",
            ["created", "comment", "status open", "comment", "status pending", "status hold",
             "comment", "status solved"],
            id="volvo: acknowledged, asked, waiting for a vendor, answered",
        ),
        pytest.param(
            "volvo", "1", ["created", "status open", "comment", "status solved"], id="in a call"
        ),
        pytest.param(
            "italian",
            "Case 1",
            ["created", "comment", "priority normal", "status open", "status hold", "comment",
             "status solved"],
            id="italian: taken in charge, upgraded, waiting, resolved",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_log_tells_what_happened(
    tmp_path: Path, kind: str, case: str, expected: list[str]
) -> None:
    log = read_log(_written(tmp_path, LOGS[kind]))
    history = next(one for one in log.histories if one.external_id == case)
    told = [
        f"{event.kind} {event.value}" if event.kind in ("status", "priority") else str(event.kind)
        for event in history.events
    ]
    assert expected == told


@pytest.mark.parametrize(
    ("kind", "zone", "expected"),
    [
        pytest.param("servicenow", None, datetime(2016, 2, 29, 1, 16, tzinfo=UTC), id="day first"),
        pytest.param(
            "servicenow", "Europe/Rome", datetime(2016, 2, 29, 0, 16, tzinfo=UTC), id="asked zone"
        ),
        pytest.param("volvo", None, datetime(2010, 3, 31, 12, 59, 42, tzinfo=UTC), id="Stockholm"),
        pytest.param("italian", None, datetime(2012, 10, 9, 12, 50, 17, tzinfo=UTC), id="Rome"),
    ],
)
def test_local_times_are_read_in_the_zone(
    tmp_path: Path, kind: str, zone: str | None, expected: datetime
) -> None:
    assert (
        expected == read_log(_written(tmp_path, LOGS[kind]), time_zone=zone).histories[0].created_at
    )


@pytest.mark.parametrize(("close", "expected"), [(False, "solved"), (True, "closed")])
def test_tickets_end_as_solved_unless_closing_is_asked_for(
    tmp_path: Path, close: bool, expected: str
) -> None:
    log = read_log(_written(tmp_path, SERVICE_NOW), close=close)
    last = next(one for one in log.histories if one.external_id == "INC1").events[-1]
    assert expected == last.value


def test_a_limit_takes_the_first_cases_only(tmp_path: Path) -> None:
    log = read_log(_written(tmp_path, VOLVO), limit=1)
    expected = ["0"]
    assert expected == [one.external_id for one in log.histories]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a,b\n1,2\n", "the header is of no known kind of log", id="header"),
        pytest.param("", "the header is of no known kind of log", id="empty"),
        pytest.param("caseid,task,user,end_timestamp\n", "there is no case", id="no rows"),
        pytest.param(VOLVO.replace("In Call", "Lost"), "case 1: task 'Completed+Lost' is unknown; "
                     "known are", id="unknown word"),
        pytest.param(ITALIAN.replace("2012/10/10", "10/10/2012"), "case Case 1: time data",
                     id="instant"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused_with_the_reason(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(LogError, match=re.escape(expected)):
        read_log(_written(tmp_path, text))


@given(st.lists(st.integers(0, 90 * 24 * 60), min_size=1, max_size=12), st.booleans())
def test_events_never_go_back_in_time(
    tmp_path_factory: pytest.TempPathFactory, minutes: list[int], close: bool
) -> None:
    """Also over the nights in which the clocks change: 28 March and 31 October 2010."""
    rows = [
        f"0,{task},Ann,2010-{10 - at % 2 * 7:02}-{25 + at // 1440 % 6:02}T{at // 60 % 24:02}:"
        f"{at % 60:02}:00.000000"
        for at, task in zip(
            minutes, ["Accepted+In Progress", "Completed+Resolved"] * 6, strict=False
        )
    ]
    text = "\n".join(["caseid,task,user,end_timestamp", *rows])
    path = _written(tmp_path_factory.mktemp("log"), text)
    instants = [event.at for event in read_log(path, close=close).histories[0].events]
    assert sorted(instants) == instants


SOLVED = {"metric": "resolution", "fulfilled_at": "2010-04-01T06:10:00Z"}
ANSWERED = {"metric": "first_response", "fulfilled_at": "2010-04-01T06:10:00Z"}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        pytest.param([SOLVED, ANSWERED], [], id="as the log tells"),
        pytest.param(
            [SOLVED | {"fulfilled_at": None}],
            ["resolution is fulfilled at None, in the log at 2010-04-01T06:10:00Z"],
            id="the solve was overlooked",
        ),
        pytest.param(
            [ANSWERED | {"fulfilled_at": "2010-04-01T06:11:00Z"}],
            ["first_response is fulfilled at 2010-04-01T06:11:00Z, in the log at "
             "2010-04-01T06:10:00Z"],
            id="answered at another instant",
        ),
    ],
)  # fmt: skip
def test_an_evaluation_is_compared_with_the_log(
    tmp_path: Path, metrics: list[dict[str, str]], expected: list[str]
) -> None:
    log = read_log(_written(tmp_path, VOLVO))
    call = next(one for one in log.histories if one.external_id == "1")
    assert expected == told_otherwise(call, {"metrics": metrics})


WRK = """\
Running 8s test @ http://127.0.0.1:1
  1 threads and 16 connections
  Latency Distribution
     50%    7.15ms
     75%    8.00ms
     90%    9.00ms
     99%    1.02s
  1000 requests in 8.00s, 1.00MB read
{extra}Requests/sec:   1817.95
Transfer/sec:    300.00KB
"""


@pytest.mark.parametrize(
    ("extra", "failures"),
    [
        pytest.param("", 0, id="all good"),
        pytest.param("  Non-2xx or 3xx responses: 12\n", 12, id="refused"),
        pytest.param("  Socket errors: connect 1, read 2, write 0, timeout 3\n", 6, id="broken"),
    ],
)
def test_what_wrk_prints_is_read(extra: str, failures: int) -> None:
    expected = Load(per_second=1817.95, p50_ms=7.15, p99_ms=1020.0, failures=failures)
    assert expected == read_wrk(WRK.format(extra=extra))


def test_a_table_puts_numbers_to_the_right() -> None:
    expected = "name     count\n-------  -----\nzendesk  1,234\nother        -"
    assert expected == table(("name", "count"), [("zendesk", 1234), ("other", None)])


@pytest.mark.parametrize(
    ("kind", "arguments", "writable"),
    [
        pytest.param("servicenow", ["--helpdesk", "zendesk"], 2, id="servicenow on Zendesk"),
        pytest.param("volvo", ["--helpdesk", "freshdesk"], 2, id="volvo on Freshdesk"),
        pytest.param("italian", ["--helpdesk", "zendesk", "--close"], 0, id="italian, closed"),
        pytest.param(
            "servicenow", ["--helpdesk", "zendesk", "--play", "--steps", "2"], 2, id="played"
        ),
    ],
)
def test_a_log_is_replayed_through_real_processes(
    tmp_path: Path, kind: str, arguments: list[str], writable: int
) -> None:
    command = [sys.executable, "-m", "benchmarks.replay_log", str(_written(tmp_path, LOGS[kind]))]
    ended = subprocess.run(
        [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = ended.stdout.splitlines()[6].split()
    cases = len(read_log(tmp_path / "log.csv").histories)
    assert [str(cases), str(writable), str(cases - writable), "0"] == figures[:4]
