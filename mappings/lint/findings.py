"""Knows every kind of finding: its code, its grade, and what it is about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.document.problems import Problem
from mappings.document.reading import Place

#: code -> grade and meaning. A code never changes: scripts look for it.
CODES: Mapping[str, tuple[str, str]] = {
    # any file
    "invalid": ("E", "the file cannot be loaded"),
    "unknown-kind": ("E", "the file is neither policy, contract nor field mapping"),
    "name-twice": ("E", "two files have the same name of a policy or contract"),
    # severities
    "priority-unmapped": ("E", "priorities are taken by rank where their number differs"),
    "rule-unreachable": ("W", "an earlier severity rule always decides before this one"),
    "severity-never-given": ("W", "no rule gives this severity"),
    "matrix-incomplete": ("W", "a row and a column of the matrix have no cell"),
    # conditions and targets
    "condition-never-holds": ("W", "the parts of a condition exclude each other"),
    "exemption-unreachable": ("W", "an earlier exemption covers this one"),
    "target-never-applies": ("W", "no ticket can meet the condition of a target"),
    "severity-without-target": ("W", "other severities have a target for the metric"),
    "regime": ("I", "how the readings of a limit by opening hours differ"),
    # calendars
    "never-open": ("E", "a calendar has no open time in the next 400 days"),
    "zone-undecided": ("E", "the document names no time zone and nobody has decided one"),
    "calendar-doubtful": ("W", "hours that are allowed and rarely meant"),
    "holidays-end": ("I", "public holidays are known up to a year only"),
    "calendar-unused": ("I", "no target counts on the calendar"),
    # gaps
    "gap-undecided": ("E", "a date needs a decision that nobody has made"),
    "gap-assumed": ("W", "a date depends on how a sentence is read"),
    "gap-noted": ("I", "the document is silent; no date depends on it"),
    "gap-decided": ("I", "the gap was decided"),
    "gap-unused": ("I", "no rule rests on the gap, so that no answer shows it"),
    # contracts
    "unknown-policy": ("E", "the policy of the contract is not there"),
    "layers-contradict": ("E", "two contracts that can meet do not go together"),
    "contracts-overlap": ("W", "two contracts of one customer hold at the same time"),
    "plan-undescribed": ("W", "no contract file describes the plan"),
    "contract-over": ("I", "the contract has ended"),
    "override-idle": ("I", "the contract says what the policy says anyway"),
    # field mappings
    "output-twice": ("E", "two answers are written into one field"),
    "output-is-input": ("W", "a field that we write is read as an input"),
    "input-unknown": ("W", "no policy asks for the input, but for one of a similar name"),
    "input-unused": ("I", "no policy asks for the input"),
    "fact-unmapped": ("W", "a policy asks for a value that no field fills"),
    "flag-missing": ("W", "the bounds of a wait are mapped without its flag"),
}

Path = tuple[Any, ...]
#: code, path of the part in its document, message
Found = Iterator[tuple[str, Path, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of what lint prints. `line` and `column` start at 1."""

    file: str
    line: int
    column: int
    grade: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.grade} {self.message}"


def placed(found: Iterable[tuple[str, Path, str]], place: Place) -> Iterator[Finding]:
    """The findings of a document with their places."""
    for code, path, message in found:
        file, line, column = place(path)
        grade = CODES[code][0]
        yield Finding(file=file, line=line, column=column, grade=grade, code=code, message=message)


def of_problem(problem: Problem, code: str = "invalid") -> Finding:
    """A problem of loading as a finding."""
    return Finding(
        file=problem.file,
        line=max(problem.line, 1),
        column=max(problem.column, 1),
        grade=CODES[code][0],
        code=code,
        message=problem.message,
    )
