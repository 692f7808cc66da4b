"""A Zendesk ticket's metrics: counters and instants that move with its comments and statuses."""

from typing import Any

from sandbox.clock import epoch
from sandbox.state import Doc

_WAITING_FOR_US = ("new", "open", "hold")


def new_metrics(at: str, status: str) -> Doc:
    """The metrics of a ticket created at this instant."""
    return {
        "comments": 1, "replies": 0, "reopens": 0, "first_reply_minutes": None,
        "solved_at": None, "first_solved_at": None, "status_updated_at": at,
        "custom_status_updated_at": at,
        "latest_comment_added_at": at, "assigned_at": None, "initially_assigned_at": None,
        "assignee_updated_at": None, "requester_updated_at": at, "assignee_stations": 0,
        "group_stations": 1, "status_since": at, "spent": {status: 0},
    }  # fmt: skip


def note_comment(ticket: Doc, *, public: bool, by_agent: bool, at: str) -> None:
    """A comment was added after the creation."""
    metrics = ticket["_metrics"]
    metrics["comments"] += 1
    metrics["latest_comment_added_at"] = at
    if by_agent:
        metrics["assignee_updated_at"] = at
    else:
        metrics["requester_updated_at"] = at
    if by_agent and public:
        metrics["replies"] += 1
        if metrics["first_reply_minutes"] is None:
            metrics["first_reply_minutes"] = _minutes(ticket["created_at"], at)


def note_status(ticket: Doc, previous: str, at: str) -> None:
    """The ticket left status `previous`."""
    metrics, status = ticket["_metrics"], ticket["status"]
    spent = metrics["spent"]
    spent[previous] = spent.get(previous, 0) + max(0, epoch(at) - epoch(metrics["status_since"]))
    metrics["status_since"] = metrics["status_updated_at"] = at
    if status == "solved":
        metrics["solved_at"] = at
        metrics["first_solved_at"] = metrics["first_solved_at"] or at
    elif previous == "solved" and status != "closed":
        metrics["reopens"] += 1
        metrics["solved_at"] = None


def note_custom_status(ticket: Doc, at: str) -> None:
    """The ticket got another custom status, perhaps within the same category."""
    ticket["_metrics"]["custom_status_updated_at"] = at


def note_assignee(ticket: Doc, at: str) -> None:
    """The ticket got another assignee, or none."""
    metrics = ticket["_metrics"]
    if ticket["assignee_id"] is None:
        metrics["assigned_at"] = None
        return
    metrics["assigned_at"] = at
    metrics["initially_assigned_at"] = metrics["initially_assigned_at"] or at
    metrics["assignee_stations"] += 1


def metric_row(ticket: Doc, base: str) -> Doc:
    """The ticket's row of `metric_sets`; business times equal calendar times (no schedule)."""
    metrics, created = ticket["_metrics"], ticket["created_at"]
    spent = {status: seconds // 60 for status, seconds in metrics["spent"].items()}
    first, last = metrics["first_solved_at"], metrics["solved_at"]
    waited = sum(spent.get(status, 0) for status in _WAITING_FOR_US)
    shown = (
        "assigned_at", "initially_assigned_at", "assignee_updated_at", "requester_updated_at",
        "status_updated_at", "latest_comment_added_at", "solved_at", "reopens", "replies",
        "assignee_stations", "group_stations", "custom_status_updated_at",
    )  # fmt: skip
    return {
        "id": 70_000_000_000 + ticket["id"],
        "url": f"{base}/api/v2/ticket_metrics/{70_000_000_000 + ticket['id']}.json",
        "ticket_id": ticket["id"],
        "created_at": created,
        "updated_at": ticket["updated_at"],
        **{name: metrics[name] for name in shown},
        "reply_time_in_minutes": _both(metrics["first_reply_minutes"]),
        "reply_time_in_seconds": {"calendar": None},
        "first_resolution_time_in_minutes": _both(_minutes(created, first) if first else None),
        "full_resolution_time_in_minutes": _both(_minutes(created, last) if last else None),
        "requester_wait_time_in_minutes": _both(waited),
        "agent_wait_time_in_minutes": _both(spent.get("pending", 0)),
        "on_hold_time_in_minutes": _both(spent.get("hold", 0)),
    }


def _minutes(start: str, end: str) -> int:
    return max(0, epoch(end) - epoch(start)) // 60


def _both(minutes: Any) -> Doc:
    return {"calendar": minutes, "business": minutes}
