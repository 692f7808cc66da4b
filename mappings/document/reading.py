"""YAML text -> a checked document; every problem with its file, line and column, all at once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from mappings.document.careful_yaml import MAX_CHARACTERS, MAX_DEPTH, at, decoded, parse_yaml
from mappings.document.problems import DocumentError, Problem, near, odd_letters

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "Document",
    "DocumentError",
    "Place",
    "Problem",
    "decoded",
    "locate",
    "parse",
    "parse_yaml",
    "validate",
]

M = TypeVar("M", bound=BaseModel)

_QUOTED = re.compile(r"'([^']*)'")
#: pydantic's kind of error -> what is expected there
_EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), "a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("int_parsing_size",), "a number of usual size"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number such as 0.75"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "a list, such as [one, two]"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type"),
        "names with values (name: value)",
    ),
    **dict.fromkeys(
        (
            "date_type",
            "date_parsing",
            "date_from_datetime_parsing",
            "date_from_datetime_inexact",
        ),
        "a day such as 2026-12-25",
    ),
    **dict.fromkeys(("path_type",), "a path of a file"),
    **dict.fromkeys(("invalid_key",), "a name of letters, before the ':'"),
}
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "a text"),
    (Mapping, "names with values"),
    (list, "a list"),
)
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


class Document(BaseModel):
    """Base of all documents: unknown keys are errors, values are not bent into shape."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def parse(model: type[M], text: str, file: str) -> M:
    """The document in `text`; `file` is the name that errors show. Raises `DocumentError`."""
    return validate(model, parse_yaml(text, file), file)


#: path of a part of a document -> its file, line and column
Place = Callable[[tuple[Any, ...]], tuple[str, int, int]]


def validate(model: type[M], data: Any, file: str, place: Place | None = None) -> M:
    """The document in a value of `parse_yaml`. Raises `DocumentError`.

    `place` finds the parts of a document that was merged from several files.
    """
    if data is None:
        raise at(file, 1, 1, "is empty")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        place = place or (lambda path: (file, *locate(data, path)))
        raise DocumentError(tuple(_problems(error, model, data, place))) from None


def _problems(
    error: ValidationError, model: type[BaseModel], data: Any, place: Place
) -> Iterator[Problem]:
    for found in error.errors(include_url=False):
        file, line, column = place(found["loc"])
        path = ".".join(_shown(found["loc"], data)) or "the document"
        message = f"{path}: {_message(found, model)}"
        yield Problem(file=file, line=line, column=column, grade="E", message=message)


def _shown(path: Sequence[Any], data: Any) -> Iterator[str]:
    """The parts of a path that a reader of the file can see; a union adds names of its own."""
    for number, part in enumerate(path):
        is_last = number == len(path) - 1
        is_alien = isinstance(data, Mapping) and part not in data and not is_last
        if is_alien or part == "[key]":
            continue
        known = isinstance(data, Mapping) and part in data
        known |= isinstance(data, list) and isinstance(part, int) and part < len(data)
        data = data[part] if known else None
        yield str(part)


def _message(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, limits = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return _no_field(str(found["loc"][-1]), _fields_at(model, found["loc"][:-1]))
    if kind in ("enum", "literal_error"):
        return _no_choice(found["input"], str(limits["expected"]))
    if kind in _EXPECTED:
        # the value itself is not shown: it may be a secret
        return _no_kind(_EXPECTED[kind], found["input"])
    if kind == "string_pattern_mismatch":
        right = "begin with a letter and use a-z, 0-9, _ and -, such as 'big-customer'"
        return f"'{found['input']}' is no name; {odd_letters(found['input'])}{right}"
    return _bounded(kind, limits) or _plain(str(found["msg"]))


def _bounded(kind: str, limits: Mapping[str, Any]) -> str | None:
    if kind == "missing":
        return "is missing"
    if kind in ("too_short", "string_too_short"):
        return "is empty; at least one is needed"
    return next(
        (f"must be {word} {limits[key]}" for key, word in _BOUNDS.items() if key in limits), None
    )


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{message[:1].lower()}{message[1:]}"


def _no_field(name: str, known: set[str]) -> str:
    meant = near(name, known)
    hint = f"did you mean '{meant}'?" if meant else f"known here: {', '.join(sorted(known))}"
    return f"'{name}' is no field here; {odd_letters(name)}{hint}"


def _no_choice(written: Any, known: str) -> str:
    if not isinstance(written, str):
        return _no_kind(known, written)
    meant = near(written, _QUOTED.findall(known))
    hint = f"did you mean '{meant}'? " if meant else ""
    return f"'{written}' is unknown; {odd_letters(written)}{hint}known: {known}"


def _no_kind(expected: str, written: object) -> str:
    if written is None:
        return f"is empty; write {expected}"
    found = next((name for kind, name in _KINDS if isinstance(written, kind)), "something else")
    return f"write {expected}, not {found}"


def locate(data: Any, path: Sequence[Any]) -> tuple[int, int]:
    """Line and column of the deepest part of `path` that the YAML value really has."""
    line, column = 1, 1
    for part in path:
        marks = getattr(data, "lc", None)
        if isinstance(data, Mapping) and part in data and marks is not None:
            line, column = marks.key(part)[0] + 1, marks.key(part)[1] + 1
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            if marks is not None:
                line, column = marks.item(part)[0] + 1, marks.item(part)[1] + 1
            data = data[part]
    return line, column


def _fields_at(annotation: Any, path: Sequence[Any]) -> set[str]:
    """The field names of the models that a place in a document may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        names = {field.alias or name: field for name, field in annotation.model_fields.items()}
        if not path:
            return set(names)
        return _fields_at(names[path[0]].annotation, path[1:]) if path[0] in names else set()
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _fields_at(arguments[0], path)
    if origin in (Union, UnionType):
        # a union puts the member's own name into the path of its errors
        deeper = path[1:] if path and not isinstance(path[0], int) else path
        found = [_fields_at(member, way) for member in arguments for way in (path, deeper)]
        return set().union(*found)
    if origin is not None and arguments and path:
        return _fields_at(arguments[-1] if arguments[-1] is not ... else arguments[0], path[1:])
    return set()
