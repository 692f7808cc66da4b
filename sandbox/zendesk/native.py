"""Zendesk's own SLA policy, as far as the `slas` sideload shows it."""

from datetime import timedelta

from sandbox.clock import iso, parse_instant
from sandbox.state import Doc

# Hours to reply and to resolve, around the clock, by priority; without one no target applies.
_POLICY_ID = 900_900_000_001
_METRICS = ("first_reply_time", "total_resolution_time")
_TARGETS = {"low": (24, 72), "normal": (8, 48), "high": (4, 24), "urgent": (1, 8)}


def sla_policies(base: str) -> list[Doc]:
    """The policy as the API shows it: for every ticket, by priority, around the clock."""
    metrics = [
        {
            "priority": priority,
            "metric": metric,
            "target": hours * 60,
            "target_in_seconds": hours * 3600,
            "business_hours": False,
        }
        for priority, targets in _TARGETS.items()
        for metric, hours in zip(_METRICS, targets, strict=True)
    ]
    made_at = "2026-01-05T09:00:00Z"
    policy = {
        "id": _POLICY_ID, "url": f"{base}/api/v2/slas/policies/{_POLICY_ID}.json",
        "title": "Every ticket", "description": "", "position": 1,
        "filter": {"all": [], "any": []}, "policy_metrics": metrics,
        "created_at": made_at, "updated_at": made_at,
    }  # fmt: skip
    return [policy]


def policy_metrics(ticket: Doc) -> list[Doc]:
    """The metrics of the ticket's SLA policy with their stages."""
    if ticket["priority"] is None:
        return []
    reply, resolve = _TARGETS[ticket["priority"]]
    metrics = ticket["_metrics"]
    return [
        _metric(ticket, "first_reply_time", reply, metrics["first_reply_minutes"] is not None),
        _metric(ticket, "total_resolution_time", resolve, metrics["solved_at"] is not None),
    ]


def _metric(ticket: Doc, name: str, hours: int, achieved: bool) -> Doc:
    breach_at = iso(parse_instant(ticket["created_at"]) + timedelta(hours=hours))
    stage = "achieved" if achieved else "active"
    return {"breach_at": breach_at, "stage": stage, "metric": name, "hours": hours}
