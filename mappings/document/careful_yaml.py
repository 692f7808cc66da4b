"""Knows how YAML text is read without surprises: what a person sees in it is what it means."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, DocumentStartEvent, ScalarEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.parser import RoundTripParser

from mappings.document.problems import DocumentError, Problem

# a long policy has 20,000 characters and 1,000 values; a file at a limit is read in a second
MAX_CHARACTERS = 100_000
MAX_VALUES = 12_000
MAX_DEPTH = 30  # the deepest document kind needs 8
MAX_NAME = 200
# a number is what a person writes as one: 0123, 1e3, 0x1f and 1_000 are words, such as an id
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,9})\.\d{1,9}", re.ASCII)
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
_INT, _FLOAT, _TIME = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
#: how YAML's own words for a mistake begin -> what is to be done
_IN_WORDS = {
    "mapping values are not allowed": "a ':' is not possible here; put the text in quotes, or "
    "begin a new line, indented as the names above",
    "found character '\\t'": "a tab stands here; indent with spaces",
    "found character '%'": "a text that begins with '%' needs quotes",
    "found character '@'": "a text that begins with '@' needs quotes",
    "found character '`'": "a text that begins with '`' needs quotes",
    "could not find expected ':'": "a ':' is missing after the name, here or in the line above",
    "found unexpected end of stream": "a quote that begins here is not closed",
    "found unexpected document separator": "a quote that begins here is not closed",
    "expected <block end>": "this does not fit the lines above: look at the indentation, and "
    "for a quote or bracket that is not closed",
    "expected ',' or": "a comma is missing, or a bracket that begins above is not closed",
    "expected the node content": "a value is missing here",
    "sequence entries are not allowed": "a '-' is not possible here; begin the list in a new line",
    "block sequence entries": "a '-' is not possible here; begin the list in a new line",
    "expected '<document start>'": "nothing can follow here; is the text above in quotes?",
    "expected chomping": "after '|' or '>' the text begins in the next line",
    "found unknown escape": "in double quotes '\\' needs a second one; or use single quotes",
    "expected alphabetic or numeric": "a text that begins with '&', '*' or '!' needs quotes",
}


class _Parser(RoundTripParser):
    """Refuses, while it reads, what makes a file mean more than it shows."""

    _depth = 0
    _values = 0
    _documents = 0

    def get_event(self) -> Any:
        event = super().get_event()
        why = self._refused(event)
        if why is not None:
            raise MarkedYAMLError(problem=why, problem_mark=event.start_mark)
        return event

    def _refused(self, event: Any) -> str | None:
        kind = type(event).__name__
        self._values += 1
        if self._values > MAX_VALUES:
            return f"more than {MAX_VALUES:,} values stand in the file"
        self._depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if self._depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(event, AliasEvent):
            return "aliases (*name) are not allowed; write the value out"
        if isinstance(event, DocumentStartEvent):
            return self._refused_start(event)
        if getattr(event, "ctag", None) is not None:
            return "tags (!name) are not allowed; write the value alone, a text in quotes"
        return _refused_scalar(event) if isinstance(event, ScalarEvent) else None

    def _refused_start(self, event: Any) -> str | None:
        self._documents += 1
        if self._documents > 1:
            return "a second document begins here; a file holds one"
        if event.version is not None or event.tags:
            return "lines that begin with % are not allowed; leave them out"
        return None


def _refused_scalar(event: Any) -> str | None:
    if event.value == "<<" and not event.style:
        return "merge keys (<<) are not allowed; write the keys out"
    odd = _UNPRINTABLE.search(event.value) if event.style == '"' else None
    return f"the text holds the character U+{ord(odd[0]):04X}; take it out" if odd else None


class _Constructor(RoundTripConstructor):
    """Takes for a number only what looks like one; days stay text, each document checks its own."""

    def _whole(self, node: ScalarNode) -> int | str:
        return int(node.value) if _WHOLE.fullmatch(node.value) else str(node.value)

    def _decimal(self, node: ScalarNode) -> float | str:
        return float(node.value) if _DECIMAL.fullmatch(node.value) else str(node.value)

    def _text(self, node: ScalarNode) -> str:
        return str(node.value)


_Constructor.add_constructor(_INT, _Constructor._whole)
_Constructor.add_constructor(_FLOAT, _Constructor._decimal)
_Constructor.add_constructor(_TIME, _Constructor._text)


def decoded(content: bytes, file: str) -> str:
    """The text of a file. Raises `DocumentError` where it is no UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise at(file, 1, 1, "is written in UTF-16; save it as UTF-8")
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        what = f"the byte 0x{content[error.start]:02x} is no UTF-8; save the file as UTF-8"
        raise at(file, *_end_of(before), what) from None


def parse_yaml(text: str, file: str) -> Any:
    """The YAML 1.2 value in `text`, with the lines of its parts. Raises `DocumentError`."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        raise at(file, 1, 1, f"has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}")
    if odd := _UNREADABLE.search(text):
        what = f"the character U+{ord(odd[0]):04X} cannot stand in a file; take it out"
        raise at(file, *_end_of(text[: odd.start()]), what)
    reader = YAML(typ="rt", pure=True)
    reader.Parser, reader.Constructor = _Parser, _Constructor
    try:
        data = reader.load(text)
    except MarkedYAMLError as error:
        raise _marked(error, file) from None
    for line, column, message in _odd_names(data):
        raise at(file, line, column, message)
    return data


def at(file: str, line: int, column: int, message: str) -> DocumentError:
    """One problem of grade E."""
    return DocumentError([Problem(file=file, line=line, column=column, grade="E", message=message)])


def _end_of(text: str) -> tuple[int, int]:
    """Line and column of the character that follows `text`."""
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    return len(lines), len(lines[-1]) + 1


def _marked(error: MarkedYAMLError, file: str) -> DocumentError:
    problem = (error.problem or error.context or "is no YAML").strip()
    mark = error.problem_mark or error.context_mark
    if problem.startswith("found unexpected"):  # at the end of the file: the beginning helps more
        mark = error.context_mark or mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if isinstance(error, DuplicateKeyError):  # its own words show both values: secrets, perhaps
        return at(
            file, line, column, f"{problem.partition(' with value')[0]}; each key may stand once"
        )
    for beginning, words in _IN_WORDS.items():
        if problem.startswith(beginning):
            return at(file, line, column, words)
    return at(file, line, column, problem)


def _odd_names(data: Any) -> Iterator[tuple[int, int, str]]:
    values: Iterable[Any] = data if isinstance(data, list) else ()
    if isinstance(data, CommentedMap):
        values = data.values()
        for name in data:
            line, column = data.lc.key(name)
            if not isinstance(name, str | int | float):
                yield line + 1, column + 1, "a name is expected before the ':', one word"
            elif len(str(name)) > MAX_NAME:
                yield line + 1, column + 1, f"a name has at most {MAX_NAME} characters"
    for value in values:
        yield from _odd_names(value)
