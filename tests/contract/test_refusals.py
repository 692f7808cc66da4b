"""How the local helpdesks say no, against closed shapes of our own."""

import pytest

from tests.contract import freshdesk_calls, zendesk_calls
from tests.contract.driving import Driver, call
from tests.contract.own import problems
from tests.contract.recording import driven

CASES = [
    pytest.param(kind, *row, id=f"{kind}: {name}")
    for kind, table in (("zendesk", zendesk_calls), ("freshdesk", freshdesk_calls))
    for name, row in table.REFUSED.items()
]


@pytest.mark.parametrize(("kind", "first", "asked", "status", "shape"), CASES)
def test_a_refusal_has_its_status_and_its_shape(kind, first, asked, status, shape):
    with driven(kind, tickets=2, job_seconds=0.01) as desk:
        Driver(desk).drive((*first, asked))
        refused = desk.recorder.exchanges[-1]
    assert refused.status == status
    assert list(problems(f"{kind}-errors", shape, refused.answered)) == []


@pytest.mark.parametrize(
    ("kind", "plan", "shape"), [("zendesk", "team", "described"), ("freshdesk", "trial", "empty")]
)
def test_a_limit_is_told_with_the_seconds_to_wait(kind, plan, shape):
    with driven(kind, tickets=0, plan=plan, windows="sliding") as desk:
        for _ in range(201):
            answer = desk.call("GET", "/api/v2/tickets")
            if answer.status_code != 200:
                break
        refused = desk.recorder.exchanges[-1]
    assert refused.status == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert list(problems(f"{kind}-errors", shape, refused.answered)) == []


def test_each_row_of_a_job_that_fails_says_why():
    stale = {"safe_update": True, "updated_stamp": "2001-01-01T00:00:00Z", "priority": "low"}
    with driven("zendesk", tickets=2, job_seconds=0.01) as desk:
        Driver(desk).drive(
            (
                call(
                    "PUT /api/v2/tickets/update_many",
                    {"tickets": [{"id": 1001} | stale, {"id": 999_999, "priority": "low"}]},
                    job="job_status.id",
                ),
                call("GET /api/v2/job_statuses/{job}", results="job_status.results.1.id"),
            )
        )
        rows = desk.recorder.exchanges[-1].answered["job_status"]["results"]
    assert [(row["id"], row["success"], row["error"]) for row in rows] == [
        (1001, False, "UpdateConflict"),
        (999_999, False, "RecordNotFound"),
    ]
    assert all(row["details"] for row in rows)
