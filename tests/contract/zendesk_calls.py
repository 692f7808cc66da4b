"""Sensible requests for every route of the local Zendesk, and others that it refuses."""

from typing import Any

from tests.contract.driving import Call, call

NOBODY = {"auth": None}


def _bearer(token: str) -> dict[str, Any]:
    return NOBODY | {"headers": {"Authorization": f"Bearer {token}"}}


_HOOK = {
    "name": "SLA",
    "endpoint": "http://127.0.0.1:9/hook",
    "http_method": "POST",
    "request_format": "json",
    "status": "active",
    "subscriptions": ["zen:event-type:ticket.created"],
}
_FIELD = {"type": "text", "title": "Contract"}
_TAGGER = {
    "type": "tagger",
    "title": "Choice",
    "custom_field_options": [{"name": "One", "value": "choice_one"}],
}
_GRANT = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
_START = "start_time=1700000000"

_SCHEDULES = "/api/v2/business_hours/schedules"
_SCHEDULE = {"name": "Main", "time_zone": "Eastern Time (US & Canada)"}
_WEEK = {"intervals": [{"start_time": 1980, "end_time": 2460}]}
_HOLIDAY = {"name": "New Year", "start_date": "2027-01-01", "end_date": "2027-01-01"}

CALLS = (
    call("CONTROL clock", {"set": "2026-12-01T09:00:00Z"}),
    call("POST /oauth/tokens", _GRANT | {"scope": "read write"}, token="access_token"),
    Call(
        method="GET",
        path="/api/v2/oauth/tokens/current",
        named=_bearer("{token}"),
    ),
    call(
        "GET /oauth/authorizations/new?response_type=code&client_id=sandbox&scope=read"
        "&redirect_uri=http://127.0.0.1:9/back&state=x"
    ),
    call("GET /api/v2/users/me", user="user.id"),
    call("GET /api/v2/users/{user}"),
    call("GET /api/v2/users/show_many?ids={user}"),
    call("POST /api/v2/users", {"user": {"name": "Ada", "email": "ada@contract.test"}}),
    call("GET /api/v2/users?role=end-user&page[size]=2"),
    call("GET /api/v2/users/search?query=ada"),
    call("GET /api/v2/user_fields"),
    call("GET /api/v2/time_zones"),
    call("POST /api/v2/organizations", {"organization": {"name": "Contract Ltd"}}),
    call("GET /api/v2/groups"),
    call("GET /api/v2/organizations", organization="organizations.0.id"),
    call("GET /api/v2/organizations/{organization}"),
    call("GET /api/v2/organizations/show_many?ids={organization}"),
    call("GET /api/v2/custom_statuses"),
    call("POST /api/v2/ticket_fields", {"ticket_field": _FIELD}, field="ticket_field.id"),
    call("POST /api/v2/ticket_fields", {"ticket_field": _TAGGER}, tagger="ticket_field.id"),
    call("GET /api/v2/ticket_fields"),
    call("GET /api/v2/ticket_fields?page[size]=5"),
    call("GET /api/v2/ticket_fields/{field}"),
    call("PUT /api/v2/ticket_fields/{field}", {"ticket_field": {"title": "Renamed"}}),
    call("GET /api/v2/ticket_fields/{tagger}/options"),
    call(
        "POST /api/v2/ticket_fields/{tagger}/options",
        {"custom_field_option": {"name": "Two", "value": "choice_two"}},
    ),
    call("GET /api/v2/ticket_forms", form="ticket_forms.0.id"),
    call("GET /api/v2/ticket_forms/{form}"),
    call("PUT /api/v2/ticket_forms/{form}", {"ticket_form": {"name": "Default"}}),
    call(
        "POST /api/v2/tickets",
        {
            "ticket": {
                "subject": "Printer on fire",
                "comment": {"body": "It burns."},
                "priority": "high",
                "type": "incident",
                "tags": ["vip"],
                "custom_fields": [{"id": "{field}", "value": "text"}],
            }
        },
        ticket="ticket.id",
    ),
    call(
        "POST /api/v2/tickets",
        {"ticket": {"subject": "Again", "comment": {"body": "It burns again."}}},
        other="ticket.id",
    ),
    call("GET /api/v2/tickets"),
    call("GET /api/v2/tickets?page[size]=2"),
    call("GET /api/v2/tickets/count"),
    call("GET /api/v2/tickets/{ticket}"),
    call("GET /api/v2/tickets/{ticket}?include=users,organizations,metric_sets,slas"),
    call("GET /api/v2/tickets/show_many?ids={ticket},{other}&include=metric_sets,users"),
    call(
        "PUT /api/v2/tickets/{ticket}",
        {"ticket": {"comment": {"body": "Is it out?", "public": True}, "status": "pending"}},
    ),
    call("PUT /api/v2/tickets/{ticket}", {"ticket": {"priority": "high"}}),
    call("POST /api/v2/tickets/create_many", {"tickets": [{"comment": {"body": "One."}}]}),
    call("GET /api/v2/tickets/{ticket}/comments"),
    call("GET /api/v2/tickets/{ticket}/comments?include=users&page[size]=5"),
    call("GET /api/v2/tickets/{ticket}/audits"),
    call("GET /api/v2/tickets/{ticket}/audits?include=users&page[size]=5"),
    call("GET /api/v2/tickets/{ticket}/metrics"),
    call("PUT /api/v2/tickets/{ticket}/tags", {"tags": ["sla_x"]}),
    call("GET /api/v2/tickets/{ticket}/tags"),
    call("POST /api/v2/tickets/{ticket}/tags", {"tags": ["sla_x", "sla_y"]}),
    call("DELETE /api/v2/tickets/{ticket}/tags", {"tags": ["sla_y"]}),
    call("GET /api/v2/tags"),
    call(
        "PUT /api/v2/tickets/update_many",
        {"tickets": [{"id": "{ticket}", "additional_tags": ["a"]}, {"id": 999, "priority": "low"}]},
        job="job_status.id",
    ),
    call("PUT /api/v2/tickets/update_many?ids={ticket},{other}", {"ticket": {"type": "question"}}),
    call("GET /api/v2/job_statuses"),
    call("GET /api/v2/job_statuses/{job}"),
    call("GET /api/v2/job_statuses/show_many?ids={job}"),
    call("POST /api/v2/tickets/{ticket}/merge", {"ids": ["{other}"]}),
    call("GET /api/v2/search?query=type:ticket status<solved&sort_by=created_at&sort_order=asc"),
    call("GET /api/v2/search/count?query=type:ticket"),
    call("GET /api/v2/search/export?query=status<solved&filter[type]=ticket&page[size]=2"),
    call(f"GET /api/v2/incremental/tickets/cursor?{_START}&per_page=2", cursor="after_cursor"),
    call(f"GET /api/v2/incremental/tickets/cursor?{_START}&include=users,metric_sets"),
    call("GET /api/v2/incremental/tickets/cursor?cursor={cursor}"),
    call(f"GET /api/v2/incremental/tickets?{_START}&per_page=2"),
    call(f"GET /api/v2/incremental/tickets/sample?{_START}"),
    call(f"GET /api/v2/incremental/ticket_events?{_START}&include=comment_events"),
    call("POST /api/v2/webhooks", {"webhook": _HOOK}, hook="webhook.id"),
    call(
        "POST /api/v2/tickets",
        {"ticket": {"subject": "To be deleted", "comment": {"body": "Soon."}}},
        gone="ticket.id",
    ),
    call("DELETE /api/v2/tickets/{gone}"),
    call("GET /api/v2/deleted_tickets"),
    call("PUT /api/v2/deleted_tickets/{gone}/restore"),
    call("DELETE /api/v2/tickets/destroy_many?ids={gone}"),
    call("GET /api/v2/webhooks"),
    call("GET /api/v2/webhooks/{hook}"),
    call("PUT /api/v2/webhooks/{hook}", {"webhook": _HOOK | {"name": "Other"}}),
    call("PATCH /api/v2/webhooks/{hook}", {"webhook": {"name": "Third"}}),
    call("GET /api/v2/webhooks/{hook}/signing_secret"),
    call("POST /api/v2/webhooks/{hook}/signing_secret"),
    call("POST /api/v2/webhooks/test?webhook_id={hook}", {"request": {}}),
    call("GET /api/v2/webhooks/{hook}/invocations", invocation="invocations.0.id"),
    call("GET /api/v2/webhooks/{hook}/invocations/{invocation}/attempts"),
    call("DELETE /api/v2/webhooks/{hook}"),
    call(f"POST {_SCHEDULES}", {"schedule": _SCHEDULE}, schedule="schedule.id"),
    call(f"GET {_SCHEDULES}"),
    call(f"GET {_SCHEDULES}/{{schedule}}"),
    call(f"PUT {_SCHEDULES}/{{schedule}}", {"schedule": {"name": "Other"}}),
    call(f"PUT {_SCHEDULES}/{{schedule}}/workweek", {"workweek": _WEEK}),
    call(f"POST {_SCHEDULES}/{{schedule}}/holidays", {"holiday": _HOLIDAY}, holiday="holiday.id"),
    call(f"GET {_SCHEDULES}/{{schedule}}/holidays"),
    call(f"GET {_SCHEDULES}/{{schedule}}/holidays/{{holiday}}"),
    call(f"PUT {_SCHEDULES}/{{schedule}}/holidays/{{holiday}}", {"holiday": {"name": "Other"}}),
    call(f"DELETE {_SCHEDULES}/{{schedule}}/holidays/{{holiday}}"),
    call(f"DELETE {_SCHEDULES}/{{schedule}}"),
    call("GET /api/v2/slas/policies"),
    call("DELETE /api/v2/ticket_fields/{field}"),
    Call(
        method="DELETE",
        path="/api/v2/oauth/tokens/current",
        named=_bearer("{token}"),
    ),
)

_COMMENT = {"comment": {"body": "It burns."}}
_LOW = {"ticket": {"priority": "low"}}
_SAFE = {"safe_update": True, "updated_stamp": "2001-01-01T00:00:00Z"}

# What to ask first, what is refused then, its status, and the envelope of the answer.
REFUSED = {
    "no sign-in": ((), Call(method="GET", path="/api/v2/tickets", named=NOBODY), 401, "bare"),
    "a token that is gone": (
        (),
        Call(method="GET", path="/api/v2/tickets", named=_bearer("gone")),
        401,
        "oauth",
    ),
    "a wrong client": (
        (),
        call("POST /oauth/tokens", _GRANT | {"client_secret": "wrong"}),
        401,
        "oauth",
    ),
    "a scope too many": (
        (),
        call("POST /oauth/tokens", _GRANT | {"scope": "impersonate"}),
        400,
        "oauth",
    ),
    "a scope too few": (
        (call("POST /oauth/tokens", _GRANT | {"scope": "tickets:read"}, token="access_token"),),
        Call(method="PUT", path="/api/v2/tickets/1001", body=_LOW, named=_bearer("{token}")),
        403,
        "described",
    ),
    "no such ticket": ((), call("GET /api/v2/tickets/999999"), 404, "described"),
    "no such call": ((), call("GET /api/v2/nonsense"), 404, "described"),
    "a write to no ticket": ((), call("PUT /api/v2/tickets/999999", _LOW), 404, "described"),
    "a stale write": (
        (call("POST /api/v2/tickets", {"ticket": _COMMENT}, ticket="ticket.id"),),
        call("PUT /api/v2/tickets/{ticket}", {"ticket": {"priority": "low"} | _SAFE}),
        409,
        "described",
    ),
    "a ticket without a word": (
        (),
        call("POST /api/v2/tickets", {"ticket": {"subject": "No words"}}),
        422,
        "detailed",
    ),
    "a closed ticket": (
        (
            call(
                "POST /api/v2/tickets",
                {"ticket": {**_COMMENT, "status": "closed"}},
                ticket="ticket.id",
            ),
        ),
        call("PUT /api/v2/tickets/{ticket}", _LOW),
        422,
        "detailed",
    ),
    "too far a page": ((), call("GET /api/v2/tickets?page=101&per_page=100"), 400, "listed"),
    "too far a result": (
        (),
        call("GET /api/v2/search?query=type:ticket&page=11&per_page=100"),
        422,
        "described",
    ),
}
