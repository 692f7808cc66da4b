"""Freshdesk's JSON -> our `Ticket` and `Reading`. Pure; Freshdesk's words live here."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from connector.helpdesks.base import Counters, JSONObject, Reading
from connector.helpdesks.freshdesk.catalogue import TICKET_KEYS, Catalogue, offline
from connector.helpdesks.freshdesk.history import Nobody, calls_of, replies_of
from mappings.errors import MappingError
from mappings.field_mapping import REPORTED_AT, TAGS, FieldMapping, Words, plain
from mappings.ticket import (
    CANCELLED,
    DESCRIPTION,
    STATUS,
    WAITING,
    Change,
    Reply,
    Status,
    Ticket,
)
from mappings.written import instant

# Keys of a ticket that end it -> why it is cancelled.
ENDED = {"deleted": "deleted", "spam": "spam"}
ARCHIVED = "archived"
# In native mode: our answer -> Freshdesk's own date, and the answers that this date replaces.
NATIVE = {"first_response_due_at": "fr_due_by", "resolution_due_at": "due_by"}
# Keys of `Reading.raw`.
STALE = "stale"  # native mode: outputs of an earlier mode that still hold something
OWN = "own"  # native mode: what stands in those outputs
STATS = "stats"  # the figures as they came
REPLACED_BY_NATIVE = frozenset({*NATIVE, "first_response_due_on", "resolution_due_on"})
# Our metric -> Freshdesk's own date.
OWN_DUES = {"first_response": "fr_due_by", "resolution": "due_by"}
DESCRIPTIONS = ("description_text", "description")  # lists leave both out
_SOLVED = ("resolved_at", "closed_at")
EXPECTED = (
    "expected a Freshdesk ticket, with 'id', 'status' and 'created_at', as "
    "GET /api/v2/tickets/{id} returns it, or an array of those"
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
    catalogue: Catalogue,
    words: Words,
    *,
    single: bool,
    native: bool = False,
    calls: bool = False,
) -> Reading:
    """One look at a ticket, with what its figures tell of the past.

    `native`: Freshdesk's own due dates stand for the fields of our first response and resolution.
    `calls`: see `Wants`.
    """
    stats = _object(raw.get("stats"))
    ticket = _ticket(raw, catalogue, words)
    ticket = replace(
        ticket,
        replies=_stated_replies(ticket, stats),
        changes=tuple(_inferred(ticket, stats)),
        remarks=words.remarks,
    )
    at = updated_at(raw) or ticket.created_at
    return Reading(
        ticket=ticket,
        updated_at=at,
        counters=Counters(
            latest_comment_at=instant(stats.get("agent_responded_at")),
            status_updated_at=instant(stats.get("status_updated_at")),
            # the figures know nothing of calls
            possible_call_at=at if calls else None,
        ),
        fields=_written(raw, catalogue, native),
        tags=frozenset(_tags(raw)),
        read_only=ticket.values[CANCELLED] or (ARCHIVED if raw.get(ARCHIVED) is True else None),
        requester_id=plain(raw.get("requester_id")),
        single=single,
        raw={
            "tags": _tags(raw),
            "due_by": raw.get("due_by"),
            "fr_due_by": raw.get("fr_due_by"),
            STALE: _stale(raw, catalogue) if native else [],
            OWN: _own(raw, catalogue) if native else {},
            STATS: stats,
        },
    )


def updated_at(raw: JSONObject) -> datetime | None:
    """Freshdesk's own "last updated" instant."""
    return instant(raw.get("updated_at"))


def _written(raw: JSONObject, catalogue: Catalogue, native: bool) -> dict[str, str | None]:
    custom = _object(raw.get("custom_fields"))
    found = {
        name: plain(custom.get(out.name))
        for name, out in catalogue.outputs.items()
        # without one of them: the ticket's form or the agent's role hides it
        if out.name in custom or not custom
    }
    if not native:
        return found
    own = {name: value for name, value in found.items() if name not in REPLACED_BY_NATIVE}
    dates = {name: instant(raw.get(key)) for name, key in NATIVE.items()}
    return own | {name: text_of(at) if at else None for name, at in dates.items()}


def _own(raw: JSONObject, catalogue: Catalogue) -> dict[str, str | None]:
    custom = _object(raw.get("custom_fields"))
    mapped = {
        name: catalogue.outputs[name].name for name in REPLACED_BY_NATIVE & {*catalogue.outputs}
    }
    return {name: plain(custom[key]) for name, key in mapped.items() if key in custom}


def _stale(raw: JSONObject, catalogue: Catalogue) -> list[str]:
    """The outputs that Freshdesk's own dates replace, and that still hold something."""
    custom = _object(raw.get("custom_fields"))
    mapped = sorted(REPLACED_BY_NATIVE & catalogue.outputs.keys())
    return [name for name in mapped if plain(custom.get(catalogue.outputs[name].name))]


def text_of(at: datetime) -> str:
    """An instant as Freshdesk takes it and as our fields hold it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _ticket(raw: JSONObject, catalogue: Catalogue, words: Words) -> Ticket:
    created_at = instant(raw.get("created_at"))
    if created_at is None or plain(raw.get("id")) is None or "status" not in raw:
        raise MappingError(EXPECTED)
    for name, wanted in catalogue.missing.items():
        words.missing(name, wanted)
    source = plain(raw.get("source"))
    company = _object(raw.get("company"))
    reported = catalogue.inputs.get(REPORTED_AT)
    return Ticket(
        id=str(raw["id"]),
        created_at=created_at,
        reported_at=words.reported_at(created_at, _given(raw, reported) if reported else None),
        channel=words.channel(source),
        values=_company_values(raw, catalogue, words) | _values(raw, catalogue, words),
        mapped=words.mapped((*catalogue.inputs, *catalogue.organization_inputs)),
        unrecorded=frozenset(catalogue.organization_inputs),
        outbound=words.is_outbound(source),
        organization=plain(raw.get("company_id")) or plain(company.get("id")),
        domains=tuple(domain.lower() for domain in _texts(company.get("domains"))),
        plans=words.plans(_tags(raw), (), _of_company(company, words.plan_field or "")),
        own_dues={metric: at for metric, key in OWN_DUES.items() if (at := instant(raw.get(key)))},
    )


def _values(raw: JSONObject, catalogue: Catalogue, words: Words) -> dict[str, str | None]:
    known = _statuses(raw, catalogue)
    values = words.values(
        status=next((one for one in known if words.names_status(one)), known[0]),
        waiting=next((one for one in known if words.cause(one)), known[0]),
        priority=plain(raw.get("priority")),
        kind=plain(raw.get("type")),
        tags=_tags(raw),
        inputs={
            name: _given(raw, key)
            for name, key in catalogue.inputs.items()
            # a key that a list leaves out tells nothing
            if key in raw or key not in TICKET_KEYS or _is_description(raw, key)
        },
    )
    if _is_description(raw, DESCRIPTION):
        values.setdefault(DESCRIPTION, _given(raw, DESCRIPTION))
    ended = next((why for key, why in ENDED.items() if raw.get(key) is True), None)
    values[CANCELLED] = ended or values[CANCELLED]
    return values


def _statuses(raw: JSONObject, catalogue: Catalogue) -> tuple[str | None, ...]:
    """The status by its number and by its labels; a mapping may name any of them."""
    number = plain(raw.get("status"))
    return (number, *catalogue.statuses.get(number or "", ()))


def _is_description(raw: JSONObject, key: str) -> bool:
    return key == DESCRIPTION and not raw.keys().isdisjoint(DESCRIPTIONS)


def _given(raw: JSONObject, key: str) -> Any:
    if key == DESCRIPTION:
        # that there is one is all that a policy asks of it; texts are not kept
        return "filled" if any(plain(raw.get(name)) for name in DESCRIPTIONS) else None
    if key == TAGS:
        return _tags(raw)
    custom = _object(raw.get("custom_fields"))
    found = _custom_key(custom, key)
    return raw.get(key) if found is None else custom[found]


def _company_values(raw: JSONObject, catalogue: Catalogue, words: Words) -> dict[str, str | None]:
    """The values that the company's fields fill, as far as the JSON tells them."""
    company = _object(raw.get("company"))
    if not company and plain(raw.get("company_id", "not told")) is None:
        return dict.fromkeys(catalogue.organization_inputs)
    values = {}
    for name, key in catalogue.organization_inputs.items():
        if not isinstance(company.get("custom_fields"), dict):
            continue  # with a ticket there come only its id and its name
        found = _company_key(company, key)
        if found is None:
            words.missing(name, key)
        else:
            values[name] = words.given(name, company["custom_fields"][found])
    return values


def _of_company(company: JSONObject, name: str) -> Any:
    key = _company_key(company, name)
    return None if key is None else company["custom_fields"][key]


def _company_key(company: JSONObject, name: str) -> str | None:
    return _custom_key(_object(company.get("custom_fields")), name)


def _custom_key(custom: JSONObject, name: str) -> str | None:
    """Accounts of long standing have names without `cf_`."""
    bare = name.removeprefix("cf_")
    return next((key for key in (name, bare, f"cf_{bare}") if key in custom), None)


def _stated_replies(ticket: Ticket, stats: JSONObject) -> tuple[Reply, ...]:
    """The first and the last response; those between are not told."""
    found = {
        at
        for key in ("first_responded_at", "agent_responded_at")
        if (at := instant(stats.get(key))) is not None and at >= ticket.created_at
    }
    return tuple(Reply(at=at) for at in sorted(found))


def _inferred(ticket: Ticket, stats: JSONObject) -> Iterator[Change]:
    """The present status stands since the figures' instant; what stood before is not told."""
    since = _status_since(ticket.status, stats)
    if since is None or since <= ticket.created_at or ticket.status is Status.OPEN:
        return
    yield Change(
        at=since, field=STATUS, before=Status.OPEN.value, after=ticket.status.value, inferred=True
    )
    if ticket.values[WAITING] is not None:
        after = ticket.values[WAITING]
        yield Change(at=since, field=WAITING, before=None, after=after, inferred=True)


def _status_since(status: Status, stats: Mapping[str, Any]) -> datetime | None:
    keys = {Status.SOLVED: _SOLVED, Status.CLOSED: _SOLVED, Status.PENDING: ("pending_since",)}
    found = (instant(stats.get(key)) for key in (*keys.get(status, ()), "status_updated_at"))
    return next((at for at in found if at is not None), None)


def _spread(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        for one in document:
            yield from _spread(one)
    elif isinstance(document, dict) and isinstance(document.get("tickets"), list):
        yield from document["tickets"]
    elif isinstance(document, dict) and isinstance(document.get("results"), list):
        yield from document["results"]  # of a search
    elif isinstance(document, dict) and isinstance(document.get("ticket"), dict):
        yield {**document, **document["ticket"]}
    else:
        yield document


def _alone(raw: Any, *, mapping: FieldMapping, nobody: Nobody) -> Ticket:
    if not isinstance(raw, dict):
        raise MappingError(EXPECTED)
    ticket = reading(raw, offline(mapping), Words(mapping), single=True).ticket
    conversations = raw.get("conversations")
    if not isinstance(conversations, list):
        return ticket
    rows = [row for row in conversations if isinstance(row, dict)]
    if not rows:
        return ticket
    return replace(ticket, replies=replies_of(rows, nobody), calls=calls_of(rows, nobody))


def _tags(raw: JSONObject) -> list[str]:
    return _texts(raw.get("tags"))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _object(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}
