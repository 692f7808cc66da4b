"""Sensible requests for every route of the local Freshdesk, and others that it refuses."""

from tests.contract.driving import Call, call

_TICKET = {
    "subject": "Printer on fire",
    "description": "It burns.",
    "email": "ada@example.test",
    "status": 2,
    "priority": 3,
    "tags": ["vip"],
}
_RULE = {
    "name": "SLA",
    "active": True,
    "performer": {"type": 1},
    "events": [{"field_name": "status", "from": "--", "to": "--"}],
    "actions": [
        {
            "field_name": "trigger_webhook",
            "request_type": "POST",
            "content_type": "JSON",
            "content_layout": "2",
            "url": "http://127.0.0.1:9/hook",
            "content": {"ticket_id": "{{ticket.id}}"},
            "custom_headers": {"x-secret": "open sesame"},
        }
    ],
}
_TARGET = {
    "respond_within": 3600,
    "resolve_within": 14400,
    "business_hours": False,
    "escalation_enabled": False,
}
_POLICY = {
    "name": "Gold",
    "active": True,
    "applicable_to": {"ticket_types": ["Incident"]},
    "sla_target": {f"priority_{number}": _TARGET for number in (1, 2, 3, 4)},
}
_FIELD = {
    "label": "Contract",
    "label_for_customers": "Contract",
    "type": "custom_text",
    "customers_can_edit": False,
}
_SINCE = "updated_since=2015-01-01T00:00:00Z"

CALLS = (
    call("GET /api/v2/account"),
    call("GET /api/v2/agents/me", me="id"),
    call("GET /api/v2/agents", agent="3.id"),
    call("GET /api/v2/agents/{agent}"),
    call("PUT /api/v2/agents/{agent}", {"occasional": False}),
    call("GET /api/v2/roles", role="0.id"),
    call("GET /api/v2/roles/{role}"),
    call("POST /api/v2/groups", {"name": "First line"}, group="id"),
    call("GET /api/v2/groups"),
    call("GET /api/v2/groups/{group}"),
    call("PUT /api/v2/groups/{group}", {"description": "Those who answer first"}),
    call("POST /api/v2/companies", {"name": "Acme", "domains": ["acme.test"]}, company="id"),
    call("GET /api/v2/companies"),
    call("GET /api/v2/companies/{company}"),
    call("PUT /api/v2/companies/{company}", {"note": "A note"}),
    call("POST /api/v2/contacts", {"name": "Ada", "email": "ada@acme.test"}, contact="id"),
    call("GET /api/v2/contacts"),
    call("GET /api/v2/contacts/{contact}"),
    call("PUT /api/v2/contacts/{contact}", {"job_title": "Engineer"}),
    call("GET /api/v2/ticket_fields"),
    call("GET /api/v2/admin/ticket_fields"),
    call("POST /api/v2/admin/ticket_fields", _FIELD, field="id"),
    call("GET /api/v2/admin/ticket_fields/{field}"),
    call("PUT /api/v2/admin/ticket_fields/{field}", {"label": "Renamed"}),
    call("GET /api/v2/email_configs"),
    call("GET /api/v2/business_hours", hours="0.id"),
    call("GET /api/v2/business_hours/{hours}"),
    call("GET /api/v2/sla_policies"),
    call("POST /api/v2/sla_policies", _POLICY, policy="id"),
    call("PUT /api/v2/sla_policies/{policy}", {"name": "Silver"}),
    call("POST /api/v2/automations/4/rules", _RULE, rule="id"),
    call("GET /api/v2/automations/4/rules"),
    call("GET /api/v2/automations/4/rules/{rule}"),
    call("PUT /api/v2/automations/4/rules/{rule}", _RULE | {"active": False}),
    call("DELETE /api/v2/automations/4/rules/{rule}"),
    call("POST /api/v2/tickets", _TICKET, ticket="id"),
    call("POST /api/v2/tickets", _TICKET | {"subject": "Again"}, other="id"),
    call("GET /api/v2/tickets"),
    call(f"GET /api/v2/tickets?{_SINCE}&order_by=updated_at&order_type=asc&per_page=2"),
    call(f"GET /api/v2/tickets?{_SINCE}&include=stats,requester,description"),
    call("GET /api/v2/tickets/{ticket}"),
    call("GET /api/v2/tickets/{ticket}?include=stats,requester,company,conversations"),
    call("POST /api/v2/tickets/{ticket}/reply", {"body": "Is it out?"}),
    call("POST /api/v2/tickets/{ticket}/notes", {"body": "It is not.", "private": True}),
    call("GET /api/v2/tickets/{ticket}/conversations"),
    call("PUT /api/v2/tickets/{ticket}", {"status": 3, "tags": ["vip", "sla_x"]}),
    call(
        "POST /api/v2/tickets/bulk_update",
        {"bulk_action": {"ids": ["{ticket}", "{other}"], "properties": {"priority": 4}}},
        job="job_id",
    ),
    call("GET /api/v2/jobs/{job}"),
    call('GET /api/v2/search/tickets?query="status:3"'),
    call("DELETE /api/v2/tickets/{other}"),
    call("GET /api/v2/tickets?filter=deleted"),
    call("GET /api/v2/tickets/{other}"),
    call("PUT /api/v2/tickets/{other}/restore"),
    call("DELETE /api/v2/contacts/{contact}"),
    call("PUT /api/v2/contacts/{contact}/restore"),
    call("DELETE /api/v2/contacts/{contact}"),
    call("DELETE /api/v2/contacts/{contact}/hard_delete"),
    call("DELETE /api/v2/companies/{company}"),
    call("DELETE /api/v2/groups/{group}"),
    call("DELETE /api/v2/agents/{agent}"),
    call("DELETE /api/v2/admin/ticket_fields/{field}"),
    call("PUT /api/v2/tickets/{ticket}", {"status": 5}),
    call("CONTROL switches", {"archive_days": 1}),
    call("CONTROL clock", {"advance_seconds": 200_000}),
    call("GET /api/v2/tickets/archived/{ticket}"),
    call("GET /api/v2/tickets/archived/{ticket}/conversations"),
)

_NEW = (call("POST /api/v2/tickets", _TICKET, ticket="id"),)
_PUT = "PUT /api/v2/tickets/{ticket}"
_WRONG_ORDER = {"fr_due_by": "2040-01-02T00:00:00Z", "due_by": "2040-01-01T00:00:00Z"}
_DELETED = (*_NEW, call("DELETE /api/v2/tickets/{ticket}"))

# What to ask first, what is refused then, its status, and the shape of the answer.
REFUSED = {
    "no sign-in": (
        (),
        Call(method="GET", path="/api/v2/tickets", named={"auth": None}),
        401,
        "coded",
    ),
    "no such ticket": ((), call("GET /api/v2/tickets/999999"), 404, "empty"),
    "no such call": ((), call("GET /api/v2/nonsense"), 404, "empty"),
    "a deleted ticket": (_DELETED, call(_PUT, {"priority": 1}), 405, "message"),
    "a ticket deleted twice": (
        _DELETED,
        call("DELETE /api/v2/tickets/{ticket}"),
        405,
        "message",
    ),
    "a policy that stays": ((), call("DELETE /api/v2/sla_policies/1"), 405, "message"),
    "an unknown key": (_NEW, call(_PUT, {"colour": "red"}), 400, "flaws"),
    "a wrong value": (_NEW, call(_PUT, {"priority": 9}), 400, "flaws"),
    "an unknown field": (_NEW, call(_PUT, {"custom_fields": {"cf_no": 1}}), 400, "flaws"),
    "dates in the wrong order": (_NEW, call(_PUT, _WRONG_ORDER), 400, "flaws"),
    "an empty update": (_NEW, call(_PUT, {}), 400, "flaws"),
    "a ticket of nobody": ((), call("POST /api/v2/tickets", {"subject": "Nobody"}), 400, "flaws"),
    "too far a page": ((), call("GET /api/v2/tickets?page=301"), 400, "flaws"),
    "too long a page": ((), call("GET /api/v2/tickets?per_page=101"), 400, "flaws"),
    "too far a result": (
        (),
        call('GET /api/v2/search/tickets?query="status:2"&page=11'),
        400,
        "flaws",
    ),
}
