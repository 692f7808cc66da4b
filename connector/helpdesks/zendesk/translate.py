"""Zendesk's JSON -> our `Ticket` and `Reading`. Pure; Zendesk's words live here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connector.helpdesks.base import Counters, History, JSONObject, Reading
from connector.helpdesks.zendesk.catalogue import Catalogue, offline, read_catalogue
from connector.helpdesks.zendesk.history import (
    CALL,
    COMMENT,
    Authors,
    Nobody,
    history_of,
    spoken_in,
)
from connector.helpdesks.zendesk.values import (
    DELETED,
    NEEDED,
    object_of,
    organization_values,
    state_of,
    tags_of,
    values_of,
)
from mappings.errors import MappingError
from mappings.field_mapping import REPORTED_AT, FieldMapping, Words, plain
from mappings.ticket import DONE, STATUS, WAITING, Change, Reply, Status, Ticket
from mappings.written import instant

CLOSED = "closed"
READ_ONLY = frozenset({CLOSED, DELETED})
MAX_MINUTES = 50 * 366 * 24 * 60  # no ticket waits for fifty years
# Our metric -> Zendesk's own, the first that has a date.
OWN_DUES = {
    "first_response": ("first_reply_time",),
    "resolution": ("total_resolution_time", "requester_wait_time"),
    "next_update": ("periodic_update_time",),
}
PAUSED = "paused"  # stage of a metric whose date still moves
SIDELOADS = ("metric_sets", "audits", "comments", "organizations", "users", "ticket_fields")
EXPECTED = (
    "expected a Zendesk ticket, with 'id' and 'created_at', as GET /api/v2/tickets/{id} returns "
    'it: the bare object, or {"ticket": {…}} or {"tickets": […]} with sideloads beside it'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sideloads:
    """What stands beside tickets, by id."""

    metric_sets: Mapping[str, JSONObject] = field(default_factory=dict)
    users: Mapping[str, JSONObject] = field(default_factory=dict)
    organizations: Mapping[str, JSONObject] = field(default_factory=dict)

    @classmethod
    def of(cls, document: JSONObject) -> "Sideloads":
        """The sideloads of a response."""
        return cls(
            metric_sets=_by(document.get("metric_sets"), "ticket_id"),
            users=_by(document.get("users"), "id"),
            organizations=_by(document.get("organizations"), "id"),
        )


def tickets(
    document: Any,
    mapping: FieldMapping,
    *,
    own_user_id: str | None = None,
    robots: frozenset[str] = frozenset(),
) -> Iterator[Ticket]:
    """Every ticket of a document as the vendor's API returns it.

    Taking one that is none raises `MappingError`; the next can still be taken.
    """
    nobody = Nobody.of(own_user_id, robots)
    return map(partial(_alone, mapping=mapping, nobody=nobody), _spread(document))


def reading(
    raw: JSONObject,
    beside: Sideloads,
    catalogue: Catalogue,
    words: Words,
    *,
    calls: bool = False,
    robots: bool = False,
    closed_tags: bool = False,
) -> Reading:
    """One look at a ticket, with what its metrics tell of the past; `calls`: see `Wants`.

    `robots`: some agents are none, so that the figures alone do not tell of a reply. `closed_tags`:
    tags of closed tickets may be written, which bulk jobs can do.
    """
    ticket_id = str(raw["id"])
    metrics = beside.metric_sets.get(ticket_id) or object_of(raw.get("metric_set"))
    state, comments = state_of(raw), _count(raw.get("comment_count"))
    status_at = _status_since(metrics, catalogue)
    found = _ticket(raw, state, beside, catalogue, words)
    found = replace(
        found,
        replies=_first_reply(found, metrics),
        changes=tuple(_inferred(found, metrics, status_at)),
        remarks=words.remarks,
    )
    status = str(raw.get("status") or "").lower()
    tags_only = closed_tags and status == CLOSED
    return Reading(
        ticket=found,
        updated_at=instant(raw.get("updated_at")) or found.created_at,
        counters=_counters(metrics, None if robots else comments, status_at, calls=calls),
        fields={name: plain(state.get(out.id)) for name, out in catalogue.outputs.items()},
        tags=frozenset(state["tags"]),
        read_only=status if status in READ_ONLY and not tags_only else None,
        requester_id=plain(raw.get("requester_id")),
        raw={
            "updated_stamp": raw.get("updated_at"),
            "state": _known(state, catalogue),
            "comments": comments,
            "tags_only": tags_only,
        },
    )


def _ticket(
    raw: JSONObject, state: JSONObject, beside: Sideloads, catalogue: Catalogue, words: Words
) -> Ticket:
    created_at = instant(raw.get("created_at"))
    if created_at is None:
        raise MappingError(EXPECTED)
    for name, wanted in catalogue.missing.items():
        words.missing(name, wanted)
    organization = plain(raw.get("organization_id"))
    theirs = beside.organizations.get(organization or "", {})
    of_theirs = organization_values(theirs, catalogue, words)
    if organization is None and "organization_id" in raw:
        of_theirs = dict.fromkeys(catalogue.organization_inputs)
    channel = plain(object_of(raw.get("via")).get("channel"))
    reported = catalogue.inputs.get(REPORTED_AT)
    return Ticket(
        id=str(raw["id"]),
        created_at=created_at,
        reported_at=words.reported_at(created_at, state.get(reported) if reported else None),
        channel=words.channel(channel),
        values=of_theirs | values_of(state, catalogue, words),
        mapped=words.mapped((*catalogue.inputs, *catalogue.organization_inputs)),
        unrecorded=frozenset(catalogue.organization_inputs),
        outbound=words.is_outbound(channel),
        organization=organization,
        domains=tuple(tags_of(theirs.get("domain_names"))),
        plans=words.plans(
            state["tags"],
            tags_of(theirs.get("tags")),
            object_of(theirs.get("organization_fields")).get(words.plan_field or ""),
        ),
        own_dues=_own_dues(raw),
    )


def _own_dues(raw: JSONObject) -> dict[str, datetime]:
    """The due instants that Zendesk's own policies gave; what they paused has none."""
    rows = object_of(raw.get("slas")).get("policy_metrics")
    found: dict[str, datetime] = {}
    for row in rows if isinstance(rows, list) else []:
        at = instant(row.get("breach_at")) if isinstance(row, dict) else None
        if at is not None and row.get("stage") != PAUSED:
            found.setdefault(str(row.get("metric")), at)
    named = {
        ours: [found[one] for one in theirs if one in found] for ours, theirs in OWN_DUES.items()
    }
    return {ours: dues[0] for ours, dues in named.items() if dues}


def _first_reply(ticket: Ticket, metrics: JSONObject) -> tuple[Reply, ...]:
    minutes = object_of(metrics.get("reply_time_in_minutes")).get("calendar")
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)):
        return ()
    if not 0 <= minutes <= MAX_MINUTES:
        return ()
    return (Reply(at=ticket.created_at + timedelta(minutes=int(minutes)), exact=False),)


def _status_since(metrics: JSONObject, catalogue: Catalogue) -> datetime | None:
    """When the status was changed; custom statuses within a category count where some are named."""
    found = [instant(metrics.get("status_updated_at"))]
    if any(one.word for one in catalogue.statuses.values()):
        found.append(instant(metrics.get("custom_status_updated_at")))
    return max((at for at in found if at is not None), default=None)


def _inferred(ticket: Ticket, metrics: JSONObject, status_at: datetime | None) -> Iterator[Change]:
    """The present status stands since the metrics' instant; what stood before is not told."""
    done = ticket.status in DONE
    since = instant(metrics.get("solved_at")) if done else None
    since = since or status_at
    if since is None or since <= ticket.created_at or ticket.status in (Status.NEW, Status.OPEN):
        return
    yield Change(
        at=since, field=STATUS, before=Status.OPEN.value, after=ticket.status.value, inferred=True
    )
    if ticket.values[WAITING] is not None:
        after = ticket.values[WAITING]
        yield Change(at=since, field=WAITING, before=None, after=after, inferred=True)


def _counters(
    metrics: JSONObject, comments: int | None, status_at: datetime | None, *, calls: bool
) -> Counters:
    latest_comment_at = instant(metrics.get("latest_comment_added_at"))
    return Counters(
        replies=_count(metrics.get("replies")),
        comments=comments,
        reopens=_count(metrics.get("reopens")),
        latest_comment_at=latest_comment_at,
        status_updated_at=status_at,
        possible_call_at=latest_comment_at if calls else None,
    )


def _known(state: Mapping[str, Any], catalogue: Catalogue) -> JSONObject:
    """Only what the history needs to start from; never a text that is not mapped."""
    keys = dict.fromkeys((*sorted(NEEDED), *catalogue.inputs.values()))
    return {key: state[key] for key in keys if key in state}


# --- documents without network -------------------------------------------------------------------


def _spread(document: Any) -> Iterator[tuple[Any, JSONObject]]:
    """Each thing that should be a ticket, with the document that it stands in."""
    if isinstance(document, list):
        for one in document:
            yield from _spread(one)
    elif isinstance(document, dict) and isinstance(document.get("tickets"), list):
        for one in document["tickets"]:
            yield one, document
    elif isinstance(document, dict) and isinstance(document.get("results"), list):
        for one in document["results"]:  # of a search, which finds other things, too
            if not isinstance(one, dict) or one.get("result_type") in (None, "ticket"):
                yield one, document
    elif isinstance(document, dict) and "ticket" in document:
        yield document["ticket"], document
    else:
        yield document, document if isinstance(document, dict) else {}


def _alone(pair: tuple[Any, JSONObject], *, mapping: FieldMapping, nobody: Nobody) -> Ticket:
    raw, document = pair
    if not isinstance(raw, dict) or not plain(raw.get("id")):
        raise MappingError(EXPECTED)
    document = {name: raw.get(name) or document.get(name) for name in SIDELOADS}
    words, beside = Words(mapping), Sideloads.of(document)
    catalogue = _catalogue(document, mapping)
    ticket = reading(raw, beside, catalogue, words).ticket
    past = _past(
        raw, document, ticket, catalogue, words, Authors(users=beside.users, nobody=nobody)
    )
    if past is None:
        return ticket
    return replace(
        ticket,
        replies=past.replies,
        calls=past.calls,
        changes=past.changes,
        known_since=past.known_since,
        remarks=words.remarks,
    )


def _past(
    raw: JSONObject,
    document: JSONObject,
    ticket: Ticket,
    catalogue: Catalogue,
    words: Words,
    authors: Authors,
) -> History | None:
    """What audits or comments beside the ticket tell; None without any."""
    if audits := _about(document["audits"], ticket.id):
        return history_of(ticket, state_of(raw), audits, catalogue, words, authors)
    if comments := _about(document["comments"], ticket.id):
        return History(
            replies=spoken_in(comments, COMMENT, words, authors),
            calls=spoken_in(comments, CALL, words, authors),
            changes=ticket.changes,
            known_since=None,
        )
    return None


def _catalogue(document: JSONObject, mapping: FieldMapping) -> Catalogue:
    fields = document["ticket_fields"]
    if isinstance(fields, list):
        return read_catalogue([one for one in fields if isinstance(one, dict)], mapping)[0]
    return offline(mapping)


def _about(rows: Any, ticket_id: str) -> Sequence[JSONObject]:
    """The rows of one ticket; a row that names none belongs to the only ticket there is."""
    if not isinstance(rows, list):
        return ()
    return [
        row
        for row in rows
        if isinstance(row, dict) and str(row.get("ticket_id", ticket_id)) == ticket_id
    ]


def _by(rows: Any, key: str) -> dict[str, JSONObject]:
    rows = rows if isinstance(rows, list) else []
    return {str(row[key]): row for row in rows if isinstance(row, dict) and row.get(key)}


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) else None
