"""Knows how what is wrong with a document is told: file, line, column, grade and message."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mappings.errors import MappingError

_LONGEST = 600  # of a message in characters; a file may hold far longer words
_ESCAPES = {one: repr(chr(one))[1:-1] for one in (*range(32), *range(127, 160), 0x2028, 0x2029)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One finding in a file. `line` and `column` start at 1; 0 when no text could be read."""

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
        readable = (replace(one, message=_readable(one.message)) for one in problems)
        found = sorted(dict.fromkeys(readable), key=lambda one: (one.file, one.line, one.column))
        super().__init__("\n".join(map(str, found)))
        self.problems = tuple(found)


def _readable(message: str) -> str:
    """One line of bearable length, whatever the file holds."""
    line = message.translate(_ESCAPES)
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant; None where none is as near as `cutoff` (0 to 1)."""
    found = difflib.get_close_matches(word.lower(), sorted(known), 1, cutoff)
    return found[0] if found else None


def unknown(word: str, known: Iterable[str]) -> str:
    """What to write instead of a word that is not known."""
    known = sorted(known)
    meant = near(word, known)
    hint = f"did you mean '{meant}'? " if meant else ""
    return f"{hint}{odd_letters(word)}known: {', '.join(known)}"


def odd_letters(word: str) -> str:
    """Names the first letter that only looks like one of a-z, or that shows nothing at all."""
    for letter in word:
        if not letter.isascii():
            name = unicodedata.name(letter, f"U+{ord(letter):04X}")
            return f"its '{letter}' is {name}, no English letter; "
    return ""
