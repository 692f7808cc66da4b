"""`deskclock schema`: what editors need to complete and to check a file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import mappings
from commands import deskclock
from mappings.document.reading import parse_yaml
from mappings.document.schema import KINDS, schema_of

HERE = Path(str(mappings.__file__)).parent
FOLDERS = {"policy": "policies", "fields": "fields", "contract": "contracts"}
FILES = [(kind, path) for kind, name in FOLDERS.items() for path in sorted((HERE / name).glob("*"))]
VALIDATORS = {kind: Draft202012Validator(schema_of(kind)) for kind in KINDS}

POLICY = """\
policy: small
title: Small
document: small.txt
calendars:
  business:
    time_zone: Europe/London
    week: {mon: ["09:00-17:00"]}
    holidays: {country: GB, subdivision: ENG, ical: [own.ics], dates: [2026-12-24], except: []}
    special_days: {2026-12-23: ["09:00-12:00"]}
    closures: [[2026-07-01T12:00, 2026-07-01T15:00]]
severity:
  levels: [{id: high, name: High}]
  rules: [{from: priority}, {severity: high}]
waiting: {customer: pause, third_party: {effect: excuse, metrics: [resolution]}}
information: {required: [description, {any_of: [product, version], when: {class: incident}}]}
targets:
  first_response:
    - {when: {severity: high, area: {is_not: [a, 2]}}, limit: 4h, clock: business, aim: 1h}
    - {when: {any: [{filled: [a, b]}, {count: {greater_than: 3}}]}, limit: 2bd, clock: business}
  next_update: [{every: 1w}]
duties: [{id: call, missing: number, text: call}, {id: eta, missing_all: [a, b], text: tell}]
escalation: [{id: late, at: 80%, notify: true}]
gaps: [{id: x, grade: E, text: t, assumption: a}]
decisions: {x: as assumed}
"""
CONTRACT = """\
contract: acme
policy: small
plan: gold
organizations: [12, o1]
domains: [acme.example]
valid_from: 2026-01-01
overrides:
  commitment: guaranteed
  calendars: {business: {gaps: []}}
  severity: {show_priority: true}
  waiting: {third_party: {metrics: [resolution]}, customer: run}
  targets: {first_response: [{limit: 1h}]}
  decisions: {x: as assumed}
gaps: [{id: y, grade: W, text: t, assumption: a}]
"""
FIELDS = """\
helpdesk: freshdesk
priorities: [4, "3", urgent]
statuses: {2: open}
waiting: {3: customer}
inputs: {impact: {field: 360012, of: organization, values: {High: high, 2: low}}}
outputs: {state: {field: cf_sla_state, type: option}}
"""
RIGHT = {"policy": POLICY, "contract": CONTRACT, "fields": FIELDS}


def problems(kind: str, text: str) -> list[str]:
    """Where the schema refuses a file. Names are text in JSON, so they are in an editor."""
    data = json.loads(json.dumps(parse_yaml(text, "f.yaml")))
    return [error.json_path for error in VALIDATORS[kind].iter_errors(data)]


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.name for _, path in FILES])
def test_every_shipped_file_keeps_to_its_schema(kind: str, path: Path) -> None:
    assert problems(kind, path.read_text("utf-8")) == []


@pytest.mark.parametrize("kind", RIGHT)
def test_a_file_that_uses_every_short_form_keeps_to_it(kind: str) -> None:
    assert problems(kind, RIGHT[kind]) == []
    KINDS[kind].model_validate(parse_yaml(RIGHT[kind], "f.yaml"))  # nor does the loader mind


MISTAKES = [
    # kind, what is written instead of what, and where it is refused
    ("policy", "limit: 4h", "limti: 4h", "$.targets.first_response[0]"),
    ("policy", "limit: 4h", "limit: 4 hrs", "$.targets.first_response[0].limit"),
    ("policy", "limit: 4h", "limit: 90", "$.targets.first_response[0].limit"),
    ("policy", "title: Small\n", "", "$"),
    ("policy", "title:", "tilte:", "$"),
    ("policy", "first_response:", "first_reply:", "$.targets"),
    ("policy", "[{every: 1w}]", "{every: 1w}", "$.targets.next_update"),
    ("policy", "customer: pause", "customer: stop", "$.waiting.customer"),
    ("policy", "customer: pause", "costumer: pause", "$.waiting"),
    ("policy", "from: priority", "from: mood", "$.severity.rules[0].from"),
    ("policy", "mon: [", "monday: [", "$.calendars.business.week"),
    ("policy", "09:00-17:00", "9-17", "$.calendars.business.week"),
    ("policy", "2026-12-24", "24.12.2026", "$.calendars.business.holidays"),
    ("policy", "T12:00, ", "T12:00Z, ", "$.calendars.business.closures[0][0]"),
    ("policy", "country: GB", "country: England", "$.calendars.business.holidays"),
    ("policy", "is_not:", "isnt:", "$.targets.first_response[0].when.area"),
    (
        "policy",
        "greater_than: 3",
        "greater_than: [3]",
        "$.targets.first_response[1].when.any[1].count",
    ),
    ("policy", "grade: E", "grade: X", "$.gaps[0].grade"),
    ("policy", "id: high", "id: Very high", "$.severity.levels[0].id"),
    ("contract", "policy: small\n", "", "$"),
    ("contract", "plan: gold", "plans: [gold]", "$"),
    ("contract", "2026-01-01", "yesterday", "$.valid_from"),
    ("contract", "commitment:", "title:", "$.overrides"),
    ("contract", "commitment:", "comitment:", "$.overrides"),
    ("contract", "limit: 1h", "limit: 1 hour", "$.overrides.targets.first_response[0].limit"),
    ("contract", "metrics: [res", "metrics: [x, res", "$.overrides.waiting.third_party"),
    ("fields", "statuses: {2: open}", "statuses: {2: opened}", "$.statuses['2']"),
    ("fields", "type: option", "type: list", "$.outputs.state.type"),
    ("fields", "outputs: {state", "outputs: {status", "$.outputs"),
    ("fields", "inputs: {impact", "inputs: {My impact", "$.inputs"),
    ("fields", "helpdesk: freshdesk\n", "", "$"),
]


@pytest.mark.parametrize(
    ("kind", "old", "new", "place"), MISTAKES, ids=[f"{row[0]} {row[2][:30]}" for row in MISTAKES]
)
def test_a_typical_mistake_is_refused(kind: str, old: str, new: str, place: str) -> None:
    assert old in RIGHT[kind]
    found = problems(kind, RIGHT[kind].replace(old, new, 1))
    assert any(one.startswith(place) for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_a_schema_of_the_dialect_that_it_names(kind: str) -> None:
    result = CliRunner().invoke(deskclock, ["schema", kind])
    printed = json.loads(result.output)
    assert result.exit_code == 0
    assert printed == schema_of(kind)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed)


def test_another_kind_is_a_matter_of_usage() -> None:
    assert CliRunner().invoke(deskclock, ["schema", "calendar"]).exit_code == 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_to_the_person_who_writes_it(kind: str) -> None:
    schema = schema_of(kind)
    forms = {kind: schema, **schema["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, form in forms.items()
        for key, value in form.get("properties", {}).items()
        if form.get("additionalProperties") is False and "description" not in value
    ]
    assert bare == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_reference_leads_somewhere_and_nothing_is_left_over(kind: str) -> None:
    schema = schema_of(kind)
    text = json.dumps(schema)
    assert "Condition here" not in text
    assert '"type": "null"' not in text
    assert all(f"#/$defs/{name}" in text for name in schema["$defs"])
    references = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert references <= set(schema["$defs"])
