"""The local Zendesk's background jobs: bulk updates, failing rows, merges, their limit."""


def test_one_change_for_many_tickets(zendesk):
    ids = [zendesk.ticket() for _ in range(3)]
    path = f"/tickets/update_many?ids={','.join(map(str, ids))}"
    change = {"ticket": {"additional_tags": ["Bulk"], "priority": "low"}}
    job = zendesk.job(zendesk.api("PUT", path, change))
    assert [(i, True) for i in ids] == [(row["id"], row["success"]) for row in job["results"]]
    assert {("low", "bulk")} == {
        (zendesk.get(i)["priority"], zendesk.get(i)["tags"][0]) for i in ids
    }


def test_a_batch_reports_each_row_that_fails(zendesk):
    good, stale, closed = zendesk.ticket(), zendesk.ticket(), zendesk.ticket()
    zendesk.control("POST", f"tickets/{closed}", {"status": "closed"})
    stamp = zendesk.get(stale)["updated_at"]
    rows = [
        {"id": good, "additional_tags": ["a"], "safe_update": True, "updated_stamp": stamp},
        {"id": stale, "priority": "low", "safe_update": True, "updated_stamp": "2020-01-01T00:00Z"},
        {"id": closed, "priority": "low"},
        {"id": 999_999, "priority": "low"},
    ]
    rows[0]["updated_stamp"] = zendesk.get(good)["updated_at"]
    job = zendesk.job(zendesk.api("PUT", "/tickets/update_many", {"tickets": rows}))
    assert [row["success"] or row["error"] for row in job["results"]] == [
        True,
        "UpdateConflict",
        "RecordInvalid",
        "RecordNotFound",
    ]
    assert (job["status"], job["total"], job["progress"]) == ("completed", 4, 4)


def test_tag_lists_work_on_closed_tickets(zendesk):
    ticket_id = zendesk.ticket(tags=["old"])
    zendesk.control("POST", f"tickets/{ticket_id}", {"status": "closed"})
    row = {"id": ticket_id, "additional_tags": ["new"], "remove_tags": ["old"]}
    job = zendesk.job(zendesk.api("PUT", "/tickets/update_many", {"tickets": [row]}))
    assert (job["results"][0]["success"], zendesk.get(ticket_id)["tags"]) == (True, ["new"])


def test_safe_update_needs_a_stamp(zendesk):
    rows = [{"id": 1001, "safe_update": True}]
    answer = zendesk.api("PUT", "/tickets/update_many", {"tickets": rows})
    assert answer.status_code == 400


def test_more_than_a_hundred_rows_are_refused(zendesk):
    rows = [{"id": number} for number in range(101)]
    assert zendesk.api("PUT", "/tickets/update_many", {"tickets": rows}).status_code == 400


def test_more_than_thirty_jobs_at_once_are_refused(served_with):
    with served_with("zendesk", job_seconds=60, tickets=1) as zendesk:
        change = {"ticket": {"additional_tags": ["x"]}}
        answers = [zendesk.api("PUT", "/tickets/update_many?ids=1001", change) for _ in range(31)]
        assert [answer.status_code for answer in answers] == [200] * 30 + [429]
        assert answers[-1].json()["error"] == "TooManyJobs"


def test_queued_jobs_survive_a_restart(served_with, tmp_path):
    change = {"ticket": {"additional_tags": ["later"]}}
    with served_with("zendesk", data_dir=tmp_path, tickets=1, job_seconds=60) as zendesk:
        answer = zendesk.api("PUT", "/tickets/update_many?ids=1001", change)
    with served_with("zendesk", data_dir=tmp_path, job_seconds=0) as zendesk:
        assert zendesk.job(answer)["results"][0]["success"] is True
        assert "later" in zendesk.get(1001)["tags"]


def test_a_merge_closes_the_source(zendesk):
    target, source = zendesk.ticket(), zendesk.ticket()
    zendesk.job(zendesk.api("POST", f"/tickets/{target}/merge", {"ids": [source]}))
    merged = zendesk.get(source)
    assert (merged["status"], merged["tags"]) == ("closed", ["closed_by_merge"])
    comments = zendesk.api("GET", f"/tickets/{target}/comments").json()["comments"]
    assert str(source) in comments[-1]["body"]
