"""The local Zendesk's business hours, holidays and SLA policies."""

from datetime import date, timedelta

import pytest

SCHEDULES = "/business_hours/schedules"


@pytest.fixture
def schedule(zendesk):
    wanted = {"schedule": {"name": "Main", "time_zone": "Eastern Time (US & Canada)"}}
    return zendesk.api("POST", SCHEDULES, wanted).json()["schedule"]


def workweek(zendesk, schedule, *pairs):
    intervals = [{"start_time": start, "end_time": end} for start, end in pairs]
    path = f"{SCHEDULES}/{schedule['id']}/workweek"
    return zendesk.api("PUT", path, {"workweek": {"intervals": intervals}})


def test_a_schedule_has_a_rails_zone_and_a_work_week(zendesk, schedule):
    assert workweek(zendesk, schedule, (1980, 2460), (540, 1440)).status_code == 200
    shown = zendesk.api("GET", f"{SCHEDULES}/{schedule['id']}").json()["schedule"]
    assert shown["time_zone"] == "Eastern Time (US & Canada)"
    assert shown["intervals"] == [
        {"start_time": 540, "end_time": 1440},
        {"start_time": 1980, "end_time": 2460},
    ]
    listed = zendesk.api("GET", SCHEDULES).json()["schedules"]
    assert [one["id"] for one in listed] == [schedule["id"]]


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([(1000, 2000)], id="over midnight"),
        pytest.param([(600, 600)], id="empty"),
        pytest.param([(600, 700), (650, 800)], id="overlapping"),
        pytest.param([(10_000, 10_081)], id="beyond the week"),
    ],
)
def test_a_work_week_is_refused_with_hours(zendesk, schedule, pairs):
    assert workweek(zendesk, schedule, *pairs).status_code == 422


def test_an_iana_zone_is_refused(zendesk):
    wanted = {"schedule": {"name": "Main", "time_zone": "Europe/London"}}
    assert zendesk.api("POST", SCHEDULES, wanted).status_code == 422


def test_holidays_are_whole_days_within_two_years(zendesk, schedule):
    path = f"{SCHEDULES}/{schedule['id']}/holidays"
    zendesk.control("POST", "clock", {"set": "2030-01-01T12:00:00Z"})
    soon = date(2030, 2, 1)
    wanted = {"name": "Fair", "start_date": str(soon), "end_date": str(soon + timedelta(days=1))}
    made = zendesk.api("POST", path, {"holiday": wanted})
    assert (made.status_code, made.json()["holiday"] | wanted) == (201, made.json()["holiday"])
    for wrong in (
        {"start_date": str(soon), "end_date": str(soon - timedelta(days=1))},
        {"start_date": str(soon), "end_date": str(soon + timedelta(days=900))},
        {"start_date": "soon", "end_date": str(soon)},
    ):
        assert zendesk.api("POST", path, {"holiday": wanted | wrong}).status_code == 422
    one = f"{path}/{made.json()['holiday']['id']}"
    renamed = zendesk.api("PUT", one, {"holiday": {"name": "Market"}}).json()["holiday"]
    assert renamed["name"] == "Market"
    assert zendesk.api("DELETE", one).status_code == 204
    assert zendesk.api("GET", path).json()["holidays"] == []


def test_a_deleted_schedule_is_gone(zendesk, schedule):
    path = f"{SCHEDULES}/{schedule['id']}"
    assert zendesk.api("DELETE", path).status_code == 204
    assert zendesk.api("GET", path).json()["error"] == "RecordNotFound"


def test_the_sla_policy_is_the_one_that_the_sideload_follows(zendesk):
    policy = zendesk.api("GET", "/slas/policies").json()["sla_policies"][0]
    hours = {
        (metric["priority"], metric["metric"]): metric["target"] // 60
        for metric in policy["policy_metrics"]
    }
    ticket_id = zendesk.ticket(priority="high")
    shown = zendesk.get(ticket_id, "?include=slas")["slas"]["policy_metrics"]
    assert {("high", one["metric"]): one["hours"] for one in shown}.items() <= hours.items()
