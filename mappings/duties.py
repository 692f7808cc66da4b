"""Duties: what a policy obliges to without giving a time for it."""

from collections.abc import Iterator
from datetime import datetime

from mappings.policy import Duty, Policy
from mappings.severity import holds_since
from mappings.ticket import DONE, Ticket


def open_duties(ticket: Ticket, policy: Policy, now: datetime) -> Iterator[tuple[Duty, datetime]]:
    """The duties that are open, each with the instant since which it is; none once solved."""
    if ticket.status in DONE:
        return
    for duty in policy.duties:
        since = holds_since(duty.when, ticket, policy, now)
        if since is None:
            continue
        if duty.until_reply and any(reply.at >= since for reply in ticket.replies):
            continue
        yield duty, since
