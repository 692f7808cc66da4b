"""An OpenAPI document of a vendor, and where an answer differs from it, by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import ValidationError
from openapi_schema_validator import OAS30Validator, OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.contract.recording import Exchange, general

JSONObject = dict[str, Any]
_NAME = "urn:vendor"
_VERBS = ("get", "put", "post", "delete", "patch")


class _Loader(yaml.CSafeLoader):
    """Reads a bare `=`, which YAML 1.1 has a type of its own for, as text."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: node.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One way in which answers differ; `name` says where, `example` what was seen."""

    name: str
    example: str


class Description:
    """An OpenAPI document; `prefix` is what its paths lack at the beginning."""

    def __init__(self, file: Path, *, prefix: str = "") -> None:
        text = file.read_text(encoding="utf-8")
        document: JSONObject = _absolute(yaml.load(text, _Loader))
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(_NAME, resource)
        is_newer = document["openapi"].startswith("3.1")
        self._dialect = OAS31Validator if is_newer else OAS30Validator
        self._operations = {
            (verb.upper(), general(prefix + path)): operation
            for path, item in document["paths"].items()
            for verb, operation in item.items()
            if verb in _VERBS
        }

    def differences(self, exchange: Exchange) -> Iterator[Difference]:
        """Where the answer is not what the document says."""
        operation = self._operations.get((exchange.method, exchange.rule))
        if operation is None:
            yield Difference(name=f"{exchange.name}: not in the document", example="")
            return
        declared = operation["responses"].get(str(exchange.status))
        if declared is None:
            name = f"{exchange.name}: status {exchange.status} is not in the document"
            yield Difference(name=name, example=f"{sorted(operation['responses'])}")
            return
        schema = _schema_of(self._followed(declared))
        if schema is None:
            return
        errors = self._dialect(schema, registry=self._registry).iter_errors(exchange.answered)
        for error in (leaf for one in errors for leaf in _leaves(one)):
            kind = "null" if error.instance is None else error.validator
            name = f"{exchange.name}: {_where(error.absolute_path)} ({kind})"
            yield Difference(name=name, example=error.message[:160])
        for where in sorted(set(self._undeclared(schema, exchange.answered, ""))):
            yield Difference(name=f"{exchange.name}: {where} (not in the document)", example="")

    def _undeclared(self, schema: JSONObject, value: Any, where: str) -> Iterator[str]:
        """Properties that no branch of the schema names, though it names some."""
        schemas = list(self._branches(schema))
        if isinstance(value, list):
            items = {"anyOf": [branch["items"] for branch in schemas if "items" in branch]}
            for one in value:
                yield from self._undeclared(items, one, where + "[]")
        if not isinstance(value, dict):
            return
        named: dict[str, list[JSONObject]] = {}
        for branch in schemas:
            for name, below in branch.get("properties", {}).items():
                named.setdefault(name, []).append(below)
        is_open = not named or any(branch.get("additionalProperties") for branch in schemas)
        for name, one in value.items():
            place = f"{where}.{name}".lstrip(".")
            if name in named:
                yield from self._undeclared({"anyOf": named[name]}, one, place)
            elif not is_open:
                yield place

    def _branches(self, schema: JSONObject) -> Iterator[JSONObject]:
        schema = self._followed(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(word, ()):
                yield from self._branches(one)

    def _followed(self, schema: JSONObject) -> JSONObject:
        while "$ref" in schema:
            schema = self._registry.resolver().lookup(schema["$ref"]).contents
        return schema


def _absolute(value: Any) -> Any:
    """The document with references that can be followed from outside of it."""
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        return {"$ref": _NAME + value["$ref"]}
    return {key: _absolute(one) for key, one in value.items()}


def _schema_of(response: JSONObject) -> JSONObject | None:
    for content_type, content in response.get("content", {}).items():
        if content_type.startswith("application/json"):
            found: JSONObject | None = content.get("schema")
            return found
    return None


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The error itself, or where several schemas were allowed, those of the nearest one."""
    branches: dict[Any, list[ValidationError]] = {}
    for one in error.context or ():
        branches.setdefault(one.schema_path[0], []).append(one)
    if not branches:
        yield error
        return
    for one in min(branches.values(), key=len):
        yield from _leaves(one)


def _where(path: Any) -> str:
    text = "".join("[]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "the answer"
