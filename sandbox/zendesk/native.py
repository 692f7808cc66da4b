"""Zendesk's own SLA policy, as far as the `slas` sideload shows it."""

from datetime import timedelta

from sandbox.clock import iso, parse_instant
from sandbox.state import Doc

# Hours to reply and to resolve, around the clock, by priority; without one no target applies.
_TARGETS = {"low": (24, 72), "normal": (8, 48), "high": (4, 24), "urgent": (1, 8)}


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
