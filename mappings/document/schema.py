"""Knows the JSON Schema of each kind of file, so that editors complete and check them."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from mappings.document.condition_form import CONDITION_DEFINITIONS, CONDITION_HERE
from mappings.document.contract import FIXED, ContractDocument
from mappings.document.fields import OUTPUTS, FieldsDocument
from mappings.document.policy_form import TAKEN_FROM, PolicyDocument
from mappings.document.schema_words import ANYWHERE, WORDS

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS: Mapping[str, type[BaseModel]] = {
    "policy": PolicyDocument,
    "fields": FieldsDocument,
    "contract": ContractDocument,
}
_SCALAR = str | int | float | bool
_TIME = r"\d\d:[0-5]\d(:[0-5]\d)?"
_INTERVALS = {"type": "array", "items": {"type": "string", "pattern": f"^{_TIME}-{_TIME}$"}}
_DAY = r"\d{4}-\d\d-\d\d"
_WALL = {"type": "string", "pattern": rf"^{_DAY}[T ]{_TIME}$"}
_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_-]*$"}
_REF = "#/$defs/"
_PART = "Part"


def schema_of(kind: str) -> Schema:
    """The JSON Schema (2020-12) of a kind of file: policy, fields or contract."""
    model = KINDS[kind]
    schema = _described(model)
    if model is ContractDocument:
        policy = _described(PolicyDocument)
        schema["$defs"] = policy.pop("$defs") | schema["$defs"]
        _put_overrides(schema, policy)
    definitions = schema.pop("$defs") | CONDITION_DEFINITIONS
    _put_names([schema, definitions], definitions)
    whole = {"$schema": DIALECT, **schema, "title": f"deskclock {kind}"}
    tidy: Schema = _tidy({**whole, "$defs": dict(sorted(definitions.items()))})
    return _without_unused(tidy)


def _without_unused(schema: Schema) -> Schema:
    """Without definitions that nothing refers to, directly or through others."""
    used: set[str] = set()
    found = {name: one for name, one in schema.items() if name != "$defs"}
    open_names = _references(found)
    while open_names:
        used |= open_names
        inner = (_references(schema["$defs"][name]) for name in open_names)
        open_names = set().union(*inner) - used
    return {**found, "$defs": {name: one for name, one in schema["$defs"].items() if name in used}}


def _references(form: Any) -> set[str]:
    inner = form.values() if isinstance(form, dict) else form if isinstance(form, list) else ()
    found = set().union(*map(_references, inner))
    if isinstance(form, dict) and isinstance(form.get("$ref"), str):
        found.add(form["$ref"].removeprefix(_REF))
    return found


def _described(model: type[BaseModel]) -> Schema:
    """What pydantic says of a form, with the short forms and the words that it does not know."""
    schema = deepcopy(model.model_json_schema())
    schema.setdefault("$defs", {})
    for name, form in {model.__name__: schema, **schema["$defs"]}.items():
        for key, value in form.get("properties", {}).items():
            words = value.get("description") or WORDS.get(f"{name}.{key}") or ANYWHERE.get(key)
            form["properties"][key] = _annotated(value, words)
        if name in _AMENDMENTS:
            _AMENDMENTS[name](form["properties"])
    return schema


def _put_names(form: Any, definitions: Schema) -> None:
    """Puts the words of an enumeration where keys refer to it."""
    for value in form.values() if isinstance(form, dict) else form:
        if isinstance(value, dict | list):
            _put_names(value, definitions)
    if isinstance(form, dict) and "$ref" in form.get("propertyNames", {}):
        name = form["propertyNames"]["$ref"].removeprefix(_REF)
        form["propertyNames"] = {"enum": definitions[name]["enum"]}


def _annotated(value: Schema, words: str | None) -> Schema:
    return {**value, "description": words[:1].upper() + words[1:]} if words else value


def _amend_policy(keys: Schema) -> None:
    waits = keys["waiting"]
    waits["additionalProperties"] = {
        "anyOf": [{"$ref": f"{_REF}Effect"}, {"$ref": f"{_REF}WaitDocument"}]
    }


def _amend_calendar(keys: Schema) -> None:
    days = next(form for form in keys["week"]["oneOf"] if form.get("type") == "object")
    days["additionalProperties"] = _INTERVALS
    keys["special_days"]["additionalProperties"] = _INTERVALS
    keys["special_days"]["propertyNames"] = {"pattern": f"^{_DAY}$"}
    keys["closures"]["items"] = {
        "type": "array",
        "prefixItems": [_WALL, _WALL],
        "minItems": 2,
        "maxItems": 2,
    }


def _amend_severity_rule(keys: Schema) -> None:
    keys["from"] = {"enum": list(TAKEN_FROM), "description": keys["from"]["description"]}


def _amend_information(keys: Schema) -> None:
    one = keys["required"]["items"]
    keys["required"]["items"] = {"anyOf": [_NAME, one]}


def _amend_duty(keys: Schema) -> None:
    for name in ("missing", "missing_all"):
        words = keys[name]["description"]
        keys[name] = {"$ref": f"{_REF}Words", "description": words}


def _amend_contract(keys: Schema) -> None:
    keys["organizations"]["items"] = {"type": ["string", "integer"]}


def _amend_fields(keys: Schema) -> None:
    keys["outputs"]["propertyNames"] = {"enum": list(OUTPUTS)}
    keys["inputs"]["propertyNames"] = {"pattern": "^[a-z][a-z0-9_]*$"}
    for name in ("priorities", "outbound"):
        keys[name]["items"] = {"type": ["string", "integer"]}


def _amend_input(keys: Schema) -> None:
    keys["field"]["type"] = ["string", "integer"]
    keys["values"]["additionalProperties"] = {"type": ["string", "integer", "boolean"]}


def _amend_output(keys: Schema) -> None:
    keys["field"]["type"] = ["string", "integer"]


_AMENDMENTS: Mapping[str, Callable[[Schema], None]] = {
    "PolicyDocument": _amend_policy,
    "CalendarDocument": _amend_calendar,
    "SeverityRuleDocument": _amend_severity_rule,
    "InformationDocument": _amend_information,
    "DutyDocument": _amend_duty,
    "ContractDocument": _amend_contract,
    "FieldsDocument": _amend_fields,
    "InputDocument": _amend_input,
    "OutputDocument": _amend_output,
}


def _put_overrides(schema: Schema, policy: Schema) -> None:
    """The keys of a policy, all optional; so are those of its parts that are merged by key."""
    parts: Schema = {}
    keys = {name: value for name, value in policy["properties"].items() if name not in FIXED}
    described = schema["properties"]["overrides"]["description"]
    schema["properties"]["overrides"] = {
        "type": "object",
        "description": described,
        "properties": {
            name: _merged(value, schema["$defs"], parts) for name, value in keys.items()
        },
        "additionalProperties": False,
    }
    schema["$defs"] |= parts


def _merged(form: Any, definitions: Schema, parts: Schema) -> Any:
    """A form of which an overlay may give a part: a list replaces a list, all else is merged."""
    if isinstance(form, list):
        return [_merged(one, definitions, parts) for one in form]
    if not isinstance(form, dict):
        return form
    if "$ref" in form:
        return {**form, "$ref": _part_of(form["$ref"], definitions, parts)}
    kept = {name: value for name, value in form.items() if name != "required"}
    for name in ("properties", "additionalProperties", "anyOf", "oneOf"):
        if name in kept:
            kept[name] = _merged(kept[name], definitions, parts)
    return kept


def _part_of(reference: str, definitions: Schema, parts: Schema) -> str:
    name = reference.removeprefix(_REF)
    if "properties" not in definitions.get(name, {}):
        return reference
    if f"{name}{_PART}" not in parts:
        parts[f"{name}{_PART}"] = {}  # so that a form which holds itself comes to an end
        form = definitions[name]
        merged = {key: _merged(one, definitions, parts) for key, one in form["properties"].items()}
        parts[f"{name}{_PART}"] = {
            **{key: one for key, one in form.items() if key != "required"},
            "properties": merged,
        }
    return f"{_REF}{name}{_PART}"


def _tidy(form: Any) -> Any:
    """Without what helps no reader: nothing as a value, and defaults that are no plain value."""
    if isinstance(form, list):
        return [_tidy(one) for one in form]
    if not isinstance(form, dict):
        return form
    if form.get("title") == CONDITION_HERE["title"]:
        return _referring(form)
    form = _unfolded({name: _tidy(value) for name, value in form.items()})
    if form.get("format") == "date":  # what a format is worth is left to each validator
        form["pattern"] = f"^{_DAY}$"
    if "default" in form and not isinstance(form["default"], _SCALAR):
        del form["default"]
    if isinstance(form.get("title"), str):
        form["title"] = form["title"].removesuffix(_PART).removesuffix("Document")
    return _spelled_out(form)


def _referring(form: Schema) -> Schema:
    words = {name: form[name] for name in ("description",) if name in form}
    return {"$ref": f"{_REF}Condition", **words}


def _unfolded(form: Schema) -> Schema:
    """`X or nothing` is X: a key that is left out says the same."""
    some = [one for one in form.get("anyOf", ()) if one != {"type": "null"}]
    if len(some) != 1 or len(some) == len(form["anyOf"]):
        return form
    return {**some[0], **{name: value for name, value in form.items() if name != "anyOf"}}


def _spelled_out(form: Schema) -> Schema:
    """Names that are known stand as keys, so that an editor can offer them."""
    names = form.get("propertyNames", {})
    if not isinstance(names, dict) or "enum" not in names:
        return form
    value = form["additionalProperties"]
    kept = {name: one for name, one in form.items() if name != "propertyNames"}
    return {
        **kept,
        "properties": dict.fromkeys(names["enum"], value),
        "additionalProperties": False,
    }
