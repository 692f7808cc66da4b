"""`deskclock lint`: lines that an editor understands, and an exit code that a script does."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from commands import deskclock
from mappings.lint.findings import CODES

POLICY = """\
policy: small
title: Small
document: small.txt
calendars:
  business:
    time_zone: account
    week: {mon: ["09:00-17:00"]}
targets:
  first_response: [{limit: 1h, clock: business}]
"""
CONTRACT = """\
contract: acme
policy: small
organizations: [o1]
overrides:
  targets:
    first_response: [{limit: 4 hrs, clock: business}]
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(deskclock, ["lint", *arguments])


def write(name: str, text: str | bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_file_without_findings_is_silent() -> None:
    write("p.yaml", POLICY.replace("account", "Europe/London"))
    result = run("p.yaml")
    assert (result.exit_code, result.output) == (0, "")


def test_an_error_is_one_line_with_its_place_and_exit_code_1() -> None:
    write("p.yaml", POLICY.replace("1h", "1 hour"))
    result = run("p.yaml")
    assert result.exit_code == 1
    assert result.output == (
        "p.yaml:9:21: E targets.first_response.0.limit: '1 hour' is no length of time; write 1h\n"
    )


def test_warnings_and_information_leave_the_exit_code_at_0() -> None:
    write("p.yaml", POLICY.replace("account", "UTC").replace("09:00-17:00", "09:00-08:00"))
    result = run("p.yaml")
    assert result.exit_code == 0
    assert result.output.startswith("p.yaml:7:18: W calendar 'business': '09:00-08:00' is open for")


def test_the_errors_of_all_files_come_at_once_sorted_by_file_and_line() -> None:
    write("b.yaml", POLICY.replace("title:", "tilte:"))
    write("a.yaml", CONTRACT.replace("policy: small", "polcy: small"))
    result = run("b.yaml", "a.yaml")
    places = [line.split(" ")[0] for line in result.output.splitlines()]
    assert places == ["a.yaml:1:1:", "a.yaml:2:1:", "b.yaml:1:1:", "b.yaml:2:1:"]


def test_json_has_the_same_findings_with_their_codes() -> None:
    write("p.yaml", POLICY)
    result = run("p.yaml", "--format", "json")
    (one,) = json.loads(result.output)
    assert result.exit_code == 1
    assert sorted(one) == ["code", "column", "file", "grade", "line", "message"]
    assert (one["file"], one["line"], one["column"]) == ("p.yaml", 6, 5)
    assert (one["grade"], one["code"]) == ("E", "zone-undecided")
    assert f"{one['file']}:6:5: E {one['message']}\n" == run("p.yaml").output


def test_json_of_nothing_is_an_empty_list() -> None:
    write("p.yaml", POLICY)
    assert json.loads(run("p.yaml", "--format", "json", "--time-zone", "Asia/Tokyo").output) == []


def test_a_contract_is_looked_at_under_a_policy_of_the_data_dir() -> None:
    write("data/policies/small.yaml", POLICY)
    write("c.yaml", CONTRACT)
    result = run("c.yaml", "--data-dir", "data")
    assert result.exit_code == 1
    assert result.output.startswith("c.yaml:6:23: E targets.first_response.0.limit: '4 hrs' is no")


def test_a_contract_is_looked_at_under_a_shipped_policy() -> None:
    write("c.yaml", "contract: c\npolicy: user-support\noverrides: {commitment: guaranteed}\n")
    assert run("c.yaml").exit_code == 0
    write("c.yaml", "contract: c\npolicy: user-support\noverrides: {commitment: garanteed}\n")
    assert "did you mean 'guaranteed'?" in run("c.yaml").output


def test_a_policy_that_is_nowhere_is_an_error() -> None:
    write("c.yaml", CONTRACT)
    assert run("c.yaml").output.startswith("c.yaml:2:1: E policy 'small' is not among the files")


def test_a_name_of_a_policy_leads_to_no_other_folder() -> None:
    write("data/policies/x.yaml", POLICY)
    write("data/small.yaml", POLICY)
    write("c.yaml", CONTRACT.replace("policy: small", "policy: ../small"))
    assert "'../small' is no name" in run("c.yaml", "--data-dir", "data").output


def test_icalendar_files_stand_beside_the_policy_that_names_them() -> None:
    days = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261225\r\nEND:VEVENT\r\n"
    write("here/days.ics", f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{days}END:VCALENDAR\r\n")
    text = POLICY.replace("account", "UTC\n    holidays: {ical: days.ics}")
    write("here/p.yaml", text)
    write("there/p.yaml", text)
    assert run("here/p.yaml").exit_code == 0
    assert "'days.ics' cannot be read: No such file" in run("there/p.yaml").output


BYTES = [
    (b"", "1:1: E is empty"),
    (b"policy: \xff", "1:9: E the byte 0xff is no UTF-8"),
    (b"policy: x\x00", "1:10: E the character U+0000 cannot stand in a file"),
    (b"a: " + b"x" * 10_000_000, "1:1: E has 400,001 characters; the limit is 100,000"),
    (b"\xef\xbb\xbf" + POLICY.encode().replace(b"account", b"UTC"), ""),
    (POLICY.replace("account", "UTC").replace("\n", "\r\n").encode(), ""),
]


@pytest.mark.parametrize(
    ("content", "said"), BYTES, ids=["empty", "no UTF-8", "NUL", "10 MB", "BOM", "CRLF"]
)
def test_any_bytes_are_answered(content: bytes, said: str) -> None:
    write("p.yaml", content)
    result = run("p.yaml")
    assert result.exit_code == (1 if said else 0)
    assert result.output.startswith(f"p.yaml:{said}" if said else "")
    assert bool(result.output) is bool(said)


USAGE = [(), ("missing.yaml",), (".",), ("p.yaml", "--format", "xml")]
USAGE += [("p.yaml", "--time-zone", "Mars/Olympus")]


@pytest.mark.parametrize("arguments", USAGE, ids=[" ".join(one) or "no file" for one in USAGE])
def test_what_is_no_use_of_it_gives_exit_code_2(arguments: tuple[str, ...]) -> None:
    write("p.yaml", POLICY)
    assert run(*arguments).exit_code == 2


def test_a_file_that_is_given_twice_is_looked_at_once() -> None:
    write("p.yaml", POLICY)
    assert run("p.yaml", "p.yaml").output == run("p.yaml").output


def test_every_code_is_written_alike_and_has_a_grade() -> None:
    assert all(code == code.lower() and " " not in code for code in CODES)
    assert {grade for grade, _ in CODES.values()} == {"E", "W", "I"}
