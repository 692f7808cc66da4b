"""The forms in which an evaluation leaves."""

import json
from typing import Any

from mappings.answer import LINE_LIMIT, as_json, one_line
from mappings.evaluate import Evaluation, evaluate
from tests.builders import a_ticket, history, local, user_support

AT = local("Fri 03-06 17:45")


def high(now: str = "Fri 03-06 18:30", events: str = "", **values: Any) -> Evaluation:
    given: dict[str, Any] = {"severity": "high", **values}
    ticket = a_ticket(at=AT, events=history(events), **given)
    return evaluate(ticket, user_support(), local(now))


def test_the_json_is_that_of_the_interface() -> None:
    answer = as_json(high())
    assert {name: answer[name] for name in ("ticket_id", "class", "tier", "state", "tags")} == {
        "ticket_id": "1",
        "class": "incident",
        "tier": 1,
        "state": "at_risk",
        "tags": ["sla_first_response_at_risk", "sla_sev_high"],
    }
    assert answer["severity"]["id"] == "high"
    assert answer["entitlement"] is None
    assert answer["policy"]["id"] == "user-support"
    assert answer["policy"]["version"].startswith("sha256:")
    assert answer["next_due_at"] == "2026-03-06T18:45:00Z"
    assert answer["next_change_at"] == "2026-03-06T18:45:01Z"
    assert "time zone assumed: Europe/London" in answer["gaps"]
    assert json.loads(json.dumps(answer)) == answer


def test_a_metric_in_json() -> None:
    assert as_json(high())["metrics"][0] == {
        "metric": "first_response",
        "state": "at_risk",
        "commitment": "target",
        "clock": "elapsed",
        "started_at": "2026-03-06T17:45:00Z",
        "aim_at": None,
        "at_risk_at": "2026-03-06T18:30:00Z",
        "due_at": "2026-03-06T18:45:00Z",
        "strict": False,
        "fulfilled_at": None,
        "breached_at": None,
        "excused": None,
        "paused": [],
        "governed_by": "severity high",
    }


def test_metrics_stand_in_their_order() -> None:
    answer = as_json(high(severity="critical"))
    assert [one["metric"] for one in answer["metrics"]] == [
        "first_response",
        "next_update",
        "resolution",
    ]


def test_the_line_names_what_is_due_and_why() -> None:
    assert one_line(high()) == (
        "High: first response at risk, due Fri 2026-03-06 18:45 (1 hour); "
        "resolution due Sat 2026-03-07 01:45 (8 hours) "
        "(Europe/London, user-support)"
    )


def test_the_line_of_what_is_met_has_no_dates() -> None:
    assert one_line(high(events="03-06 18:00 status=solved")) == (
        "High: first response met; resolution met (Europe/London, user-support)"
    )


def test_the_line_of_an_exempt_ticket_says_why() -> None:
    line = one_line(high(channel="forum"))
    assert line == "user-support: No service level applies (channel): channel forum."
    assert len(line) <= LINE_LIMIT
