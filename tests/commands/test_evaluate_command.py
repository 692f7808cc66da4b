"""`deskclock evaluate`: every form of input that interfaces.md names, and wrong input."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from commands import deskclock

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "zendesk-ticket.json"
AT = "2026-03-06T20:00:00Z"

ZENDESK: dict[str, Any] = {
    "id": 35436,
    "type": "incident",
    "status": "open",
    "priority": "high",
    "created_at": "2026-03-06T17:45:00Z",
    "updated_at": "2026-03-06T17:45:00Z",
    "via": {"channel": "web"},
    "tags": [],
    "custom_fields": [],
}
FRESHDESK: dict[str, Any] = {
    "id": 21,
    "status": 2,
    "priority": 3,
    "source": 2,
    "type": "Incident",
    "created_at": "2026-03-06T17:45:00Z",
    "updated_at": "2026-03-06T17:45:00Z",
    "tags": [],
    "custom_fields": {},
}


def run(*words: str, text: str, helpdesk: str = "zendesk") -> Result:
    return CliRunner().invoke(
        deskclock,
        ["evaluate", "--policy", "user-support", "--helpdesk", helpdesk,
         "--time-zone", "Europe/London", "--at", AT, *words],
        input=text,
    )  # fmt: skip


def dues(answer: dict[str, Any]) -> dict[str, str]:
    return {one["metric"]: one["due_at"] for one in answer["metrics"]}


HIGH = {"first_response": "2026-03-06T18:45:00Z", "resolution": "2026-03-07T01:45:00Z"}


@pytest.mark.parametrize(
    ("helpdesk", "document"),
    [
        pytest.param("zendesk", ZENDESK, id="zendesk bare"),
        pytest.param("zendesk", {"ticket": ZENDESK}, id="zendesk wrapped"),
        pytest.param("freshdesk", FRESHDESK, id="freshdesk"),
    ],
)
def test_one_ticket_gives_one_object(helpdesk: str, document: dict[str, Any]) -> None:
    ran = run(text=json.dumps(document, indent=2), helpdesk=helpdesk)

    assert ran.exit_code == 0
    assert dues(json.loads(ran.stdout)) == HIGH


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps([ZENDESK, ZENDESK]), id="array"),
        pytest.param(json.dumps({"tickets": [ZENDESK, ZENDESK]}), id="list answer"),
        pytest.param(f"{json.dumps(ZENDESK)}\n\n{json.dumps({'ticket': ZENDESK})}\n", id="lines"),
    ],
)
def test_several_tickets_give_an_array(text: str) -> None:
    ran = run(text=text)

    assert ran.exit_code == 0
    assert [dues(one) for one in json.loads(ran.stdout)] == [HIGH, HIGH]


def test_a_bad_line_gives_an_error_line_and_the_run_goes_on() -> None:
    good = json.dumps(ZENDESK)
    ran = run("--jsonl", text=f"{good}\n{{broken\n[1]\n{good}\n")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]

    assert ran.exit_code == 1
    assert ["error" in line for line in lines] == [False, True, True, False]
    assert dues(lines[3]) == HIGH


def test_sideloads_beside_the_ticket_are_used() -> None:
    ran = run(text=EXAMPLE.read_text())
    first = json.loads(ran.stdout)["metrics"][0]

    assert (first["state"], first["fulfilled_at"]) == ("met", "2026-03-06T18:02:10Z")


def test_an_undecided_time_zone_is_utc_and_tagged() -> None:
    words = ["evaluate", "--policy", "user-support", "--helpdesk", "zendesk", "--at", AT]
    ran = CliRunner().invoke(deskclock, words, input=json.dumps(ZENDESK))
    answer = json.loads(ran.stdout)

    assert "time zone assumed: UTC" in answer["gaps"]
    assert "sla_policy_gap" in answer["tags"]


@pytest.mark.parametrize(
    ("words", "text", "code"),
    [
        pytest.param([], "", 1, id="empty"),
        pytest.param([], "{", 1, id="broken"),
        pytest.param([], "[1, 2]", 1, id="no tickets"),
        pytest.param([], json.dumps({**ZENDESK, "created_at": None}), 1, id="no report"),
        pytest.param(["--at", "yesterday"], json.dumps(ZENDESK), 2, id="no instant"),
        pytest.param(["--at", "2026-03-06T20:00:00"], json.dumps(ZENDESK), 2, id="naive instant"),
        pytest.param(["--helpdesk", "jira"], json.dumps(ZENDESK), 2, id="unknown helpdesk"),
    ],
)
def test_wrong_input_is_an_error_and_no_traceback(words: list[str], text: str, code: int) -> None:
    ran = run(*words, text=text)

    assert ran.exit_code == code
    assert ran.stderr.splitlines()[-1].startswith("Error: ")


# --- contracts -----------------------------------------------------------------------------------

CONTRACT = """
contract: acme
policy: user-support
organizations: [77]
overrides: {{targets: {{resolution: [{{limit: {limit}, clock: elapsed}}]}}}}
"""
OF_ACME = json.dumps({**ZENDESK, "organization_id": 77})


def contract(folder: Path, limit: str) -> Path:
    folder.mkdir(parents=True)
    path = folder / "acme.yaml"
    path.write_text(CONTRACT.format(limit=limit))
    return path


def resolution(ran: Result) -> str:
    assert ran.exit_code == 0, ran.stderr
    return dues(json.loads(ran.stdout))["resolution"]


def test_a_given_contract_is_laid_over_the_policy(tmp_path: Path) -> None:
    path = contract(tmp_path / "given", "2h")
    assert resolution(run("--contract", str(path), text=OF_ACME)) == "2026-03-06T19:45:00Z"
    assert resolution(run("--contract", str(path), text=json.dumps(ZENDESK))) == HIGH["resolution"]


def test_several_contracts_can_be_given(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CONTRACT.format(limit="1h").replace("acme", "other").replace("77", "78"))
    words = ["--contract", str(other), "--contract", str(contract(tmp_path / "given", "2h"))]
    assert resolution(run(*words, text=OF_ACME)) == "2026-03-06T19:45:00Z"


def test_a_policy_by_name_comes_with_the_contracts_of_the_data_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract(tmp_path / "contracts", "3h")
    monkeypatch.setenv("DESKCLOCK_DATA_DIR", str(tmp_path))
    given = contract(tmp_path / "given", "2h")
    assert resolution(run(text=OF_ACME)) == "2026-03-06T20:45:00Z"
    assert resolution(run("--contract", str(given), text=OF_ACME)) == "2026-03-06T19:45:00Z"


def test_a_policy_by_file_comes_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract(tmp_path / "contracts", "3h")
    monkeypatch.setenv("DESKCLOCK_DATA_DIR", str(tmp_path))
    shipped = Path(__file__).parents[2] / "mappings" / "policies" / "user-support.yaml"
    assert resolution(run("--policy", str(shipped), text=OF_ACME)) == HIGH["resolution"]


def test_all_contracts_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    broken = contract(tmp_path / "given", "2 hours")
    broken.write_text(broken.read_text().replace("contract: acme", "contract: Acme!"))
    missing = tmp_path / "missing.yaml"
    ran = run("--contract", str(broken), "--contract", str(missing), text=OF_ACME)
    assert ran.exit_code == 1
    assert f"{broken}:2:1: E contract" in ran.stderr
    assert f"{missing}:0:0: E cannot be read" in ran.stderr
