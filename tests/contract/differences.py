"""Where the local Zendesk differs from the vendor's document on purpose, with the reason.

A name may hold `*` for any text. What is not listed fails, and so does a line that is not needed.
"""

import re
from collections.abc import Iterable, Mapping

_BLANK = "blank values are null on the wire (fact sheet 3.1); the document's types leave that out"
_PAGES = "lists carry their paging (5.4); the document under-declares it (10)"
_BESIDE = "sideloads (5.3) are in none of the document's answers"
_OTHER_API = "webhooks have a document of their own, which is not published (10)"
_EVENTS = "the document describes metric events here; rows as in fact sheet 5.2"
_NEW = "newer than the document, or left out of it (3.1)"
_AUDIT = "the document's audit events are three examples, not a list of properties (5.2)"

KNOWN: Mapping[str, str] = {
    "*: ticket*.assignee_id (null)": _BLANK,
    "*: ticket*.custom_fields[].value (null)": _BLANK,
    "*: ticket*.external_id (null)": _BLANK,
    "*: ticket*.forum_topic_id (null)": _BLANK,
    "*: ticket*.organization_id (null)": _BLANK,
    "*: ticket*.priority (null)": _BLANK,
    "*: ticket*.problem_id (null)": _BLANK,
    "*: ticket*.recipient (null)": _BLANK,
    "*: ticket*.type (null)": _BLANK,
    "*: ticket_field*.agent_description (null)": _BLANK,
    "*: user*.signature (null)": _BLANK,
    "*: count (not in the document)": _PAGES,
    "*: next_page (not in the document)": _PAGES,
    "*: previous_page (not in the document)": _PAGES,
    "*: meta (not in the document)": _PAGES,
    "*: links (not in the document)": _PAGES,
    "*: users (not in the document)": _BESIDE,
    "*: metric_sets (not in the document)": _BESIDE,
    "*: organizations (not in the document)": _BESIDE,
    "*: ticket.metric_set (not in the document)": _BESIDE,
    "*: ticket.slas (not in the document)": _BESIDE,
    "*: ticket*.encoded_id (not in the document)": _NEW,
    "*: ticket*.satisfaction_probability (not in the document)": _NEW,
    "*: ticket*.support_type (not in the document)": _NEW,
    "*: user*.default_group_id (null)": _BLANK,
    "*: ticket*.fields (not in the document)": "the twin of custom_fields (3.1)",
    "* /webhooks*: not in the document": _OTHER_API,
    "* /business_hours/schedules*: not in the document": "the document leaves schedules out (7.1)",
    "*: *.target_in_seconds (not in the document)": "newer than the document (7.2)",
    "* /oauth/tokens/current: not in the document": "named in fact sheet 1.2, and in no document",
    "GET /time_zones: not in the document": "named in fact sheet 7.1, and in no document",
    "GET /incremental/tickets/sample: not in the document": "the document has the resource as a "
    "parameter",
    "GET /oauth/authorizations/new: not in the document": "a page for people, no API call (1.2)",
    "GET /tickets/{}/metrics: not in the document": "named in fact sheet 5.2; the document has "
    "/ticket_metrics/{ticket_metric_id} alone",
    "POST /oauth/tokens: status 200 is not in the document": "it says 201; RFC 6749 and recorded "
    "answers say 200, and deskclock takes either",
    "DELETE /tickets/{}/tags: status 200 is not in the document": "200 since 2026, 204 in the "
    "document of 2025 (0.7); a switch shows either",
    "GET /search*: results[].* (not in the document)": "results are whole tickets; the document "
    "names what results of every kind have in common",
    "GET /incremental/ticket_events: ticket_events[].* (not in the document)": _EVENTS,
    "PUT /tickets/{}: audit.events[].* (not in the document)": _AUDIT,
    "POST /tickets: audit (not in the document)": "the answer to a PUT holds it, and so does this",
    "*: *custom_field_option*.default (not in the document)": "Zendesk's own answers carry it",
    "*: ticket_field*.key (not in the document)": "Zendesk's own answers carry it",
    "GET /deleted_tickets: deleted_tickets[].description (not in the document)": "shown beside the "
    "subject; no caller needs it",
    "PUT /deleted_tickets/{}/restore: the answer (type)": "the document says an empty text, which "
    "is no JSON",
}


def unlisted(names: Iterable[str]) -> list[str]:
    """The differences that no line allows."""
    return sorted(name for name in set(names) if not any(_allows(line, name) for line in KNOWN))


def unneeded(names: Iterable[str]) -> list[str]:
    """The lines that no difference needs."""
    return sorted(line for line, allowed in listed(names).items() if not allowed)


def listed(names: Iterable[str]) -> dict[str, list[str]]:
    """The differences that each line allows."""
    ordered = sorted(names)
    return {line: [name for name in ordered if _allows(line, name)] for line in KNOWN}


def _allows(line: str, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, line.split("*"))), name) is not None
