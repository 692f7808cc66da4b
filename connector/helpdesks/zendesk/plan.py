"""Desired minus observed on Zendesk, and the rows that bring it there. Pure."""

from collections.abc import Iterator, Mapping

from connector.helpdesks.base import Desired, Job, JSONObject, Plan, Reading, Row
from connector.helpdesks.zendesk.catalogue import Catalogue
from connector.helpdesks.zendesk.refusals import row_refusal
from mappings.field_mapping import plain

DONE = frozenset({"completed", "failed", "killed"})  # of a job


def plan(reading: Reading, desired: Desired, catalogue: Catalogue, prefix: str) -> Plan | None:
    """What to write; None when nothing differs or the ticket takes no writes."""
    if reading.read_only is not None:
        return None
    remarks: list[str] = []
    tags_only = reading.raw.get("tags_only", False)
    fields = {} if tags_only else dict(_fields(reading, desired, catalogue, remarks))
    options = prefix + "f_"  # options of our drop-down fields are tags as well
    add = frozenset(tag for tag in desired.tags - reading.tags if not tag.startswith(options))
    surplus = (reading.tags & desired.own_tags) - desired.tags
    remove = frozenset(tag for tag in surplus if not tag.startswith(options))
    if not fields and not add and not remove:
        return None
    return Plan(
        ticket_id=reading.ticket.id,
        fields=fields,
        add_tags=add,
        remove_tags=remove,
        remarks=tuple(remarks),
        body=_row(reading, fields, add, remove, catalogue),
    )


def job_of(status: JSONObject) -> Job:
    """A job status in our words."""
    results = status.get("results")
    results = results if isinstance(results, list) else []
    rows = (_job_row(one) for one in results if isinstance(one, dict))
    return Job(
        id=str(status["id"]),
        done=str(status.get("status")).lower() in DONE,
        rows=tuple(row for row in rows if row is not None),
    )


def _fields(
    reading: Reading, desired: Desired, catalogue: Catalogue, remarks: list[str]
) -> Iterator[tuple[str, str | None]]:
    for name, value in desired.fields.items():
        target = catalogue.outputs.get(name)
        if target is None or name not in reading.fields:
            continue
        if plain(value) == plain(reading.fields[name]):
            continue
        if value and target.options is not None and value not in target.options:
            # Zendesk answers 200 and ignores it, which would look like a change to be made again
            remarks.append(f"the field for {name} has no option '{value}'; it was left as it is")
            continue
        yield name, value or None


def _row(
    reading: Reading,
    fields: Mapping[str, str | None],
    add: frozenset[str],
    remove: frozenset[str],
    catalogue: Catalogue,
) -> JSONObject:
    row: JSONObject = {
        "id": int(reading.ticket.id),
        "safe_update": True,
        "updated_stamp": reading.raw["updated_stamp"],
    }
    if fields:
        row["custom_fields"] = [
            {"id": int(catalogue.outputs[name].id), "value": value}
            for name, value in fields.items()
        ]
    if add:
        row["additional_tags"] = sorted(add)
    if remove:
        row["remove_tags"] = sorted(remove)
    return row


def _job_row(result: JSONObject) -> Row | None:
    if result.get("id") is None:
        return None
    ticket_id = str(result["id"])
    is_written = str(result.get("success")).lower() == "true"
    if is_written or not (result.get("error") or "success" in result):
        return Row(ticket_id=ticket_id)
    return Row(ticket_id=ticket_id, error=row_refusal(ticket_id, result))
