"""YAML text -> a checked document; every problem with its file, line and column, all at once."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, ScalarEvent

from mappings.errors import MappingError

MAX_CHARACTERS = 1_000_000  # a policy is a few pages; more than this is a mistake or an attack
MAX_DEPTH = 30  # the deepest document kind needs 8

M = TypeVar("M", bound=BaseModel)


class Document(BaseModel):
    """Base of all documents: unknown keys are errors, values are not bent into shape."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One finding in a file. `line` and `column` start at 1; 0 when the whole file is meant."""

    file: str
    line: int
    column: int
    #: E (error), W (warning), I (information)
    grade: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.grade} {self.message}"


class DocumentError(MappingError):
    """A document cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def parse(model: type[M], text: str, file: str) -> M:
    """The document in `text`; `file` is the name that errors show. Raises `DocumentError`."""
    return validate(model, parse_yaml(text, file), file)


def validate(model: type[M], data: Any, file: str) -> M:
    """The document in a value of `parse_yaml`. Raises `DocumentError`."""
    if data is None:
        raise _whole(file, "is empty")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise DocumentError(tuple(_problems(error, model, data, file))) from None


def parse_yaml(text: str, file: str) -> Any:
    """The YAML 1.2 value in `text`, with the lines of its parts. Raises `DocumentError`."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        raise _whole(file, f"has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}")
    try:
        _refuse_bombs(text, file)
        return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = (error.problem or error.context or "is no YAML").strip()
        if isinstance(error, DuplicateKeyError):  # its own words show both values: secrets, perhaps
            problem = f"{problem.partition(' with value')[0]}; each key may stand once"
        raise DocumentError(
            [Problem(file=file, line=line, column=column, grade="E", message=problem)]
        ) from None
    except (YAMLError, ValueError) as error:
        raise _whole(file, f"is no YAML: {error}") from None


def _whole(file: str, message: str) -> DocumentError:
    return DocumentError([Problem(file=file, line=0, column=0, grade="E", message=message)])


def _at_line(file: str, line: int, message: str) -> DocumentError:
    return DocumentError([Problem(file=file, line=line, column=1, grade="E", message=message)])


def _refuse_bombs(text: str, file: str) -> None:
    """Aliases can make a small file huge, and deep nesting a long call chain."""
    depth = 0
    for event in YAML(typ="rt", pure=True).parse(text):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, AliasEvent):
            raise _at_line(file, line, "aliases (*name) are not allowed; write the value out")
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.style is None:
            raise _at_line(file, line, "merge keys (<<) are not allowed; write the keys out")
        depth += type(event).__name__.endswith("StartEvent")
        depth -= type(event).__name__.endswith("EndEvent")
        if depth > MAX_DEPTH:
            raise _at_line(file, line, f"nested deeper than {MAX_DEPTH} levels")


def _problems(
    error: ValidationError, model: type[BaseModel], data: Any, file: str
) -> Iterator[Problem]:
    for found in error.errors(include_url=False):
        line, column = locate(data, found["loc"])
        yield Problem(
            file=file, line=line, column=column, grade="E", message=_message(found, model)
        )


def _message(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in found["loc"]) or "the document"
    if found["type"] == "extra_forbidden":
        name, known = str(found["loc"][-1]), sorted(_fields_at(model, found["loc"][:-1]))
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"{path}: '{name}' is no field here; {hint}"
    if found["type"] == "missing":
        return f"{path}: is missing"
    if found["type"] in ("model_type", "model_attributes_type"):
        return f"{path}: names with values (name: value) are expected here"
    message = str(found["msg"]).removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}" if message else path


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
    if origin in (Union, UnionType):
        # a union puts the member's own name into the path of its errors
        deeper = path[1:] if path and not isinstance(path[0], int) else path
        found = [_fields_at(member, way) for member in arguments for way in (path, deeper)]
        return set().union(*found)
    if origin is not None and arguments and path:
        return _fields_at(arguments[-1] if arguments[-1] is not ... else arguments[0], path[1:])
    return set()
