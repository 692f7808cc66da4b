"""Findings about severities, exemptions and conditions."""

from collections.abc import Iterator

from mappings.conditions import same_word
from mappings.document.policy import conditions_of
from mappings.document.policy_form import PolicyDocument, SeverityRuleDocument
from mappings.lint.findings import Found
from mappings.lint.implication import implies, never_holds
from mappings.policy import Unofficial
from mappings.severity import MATRIX
from mappings.ticket import PRIORITY

#: of both helpdesks, as their default field mappings have them
USUAL_PRIORITIES = 4


def severity_findings(document: PolicyDocument, priorities: int = USUAL_PRIORITIES) -> Found:
    """What is wrong with the rules; `priorities` is the helpdesk's number of them."""
    yield from _unreachable_rules(document)
    yield from _by_rank(document, priorities)
    yield from _matrix_holes(document)
    possible = possible_levels(document, priorities)
    for at, level in enumerate(document.severity.levels):
        if level.id not in possible:
            message = f"no rule gives the severity '{level.id}'"
            yield "severity-never-given", ("severity", "levels", at, "id"), message


def condition_findings(document: PolicyDocument) -> Found:
    """Conditions that contradict themselves, and exemptions that come too late."""
    for path, condition in conditions_of(document):
        if never_holds(condition):
            message = f"'{condition}' never holds: its parts exclude each other"
            yield "condition-never-holds", path, message
    for at, one in enumerate(document.exempt):
        for earlier, other in enumerate(document.exempt[:at]):
            if implies(one.when, other.when):
                message = f"exemption {at + 1} is never reached: number {earlier + 1} covers it"
                yield "exemption-unreachable", ("exempt", at), message
                break


def possible_levels(document: PolicyDocument, priorities: int = USUAL_PRIORITIES) -> frozenset[str]:
    """The ids of the severities that a ticket can have."""
    found: set[str] = set()
    for at, rule in enumerate(document.severity.rules):
        if _stands_behind(document, at) is None:
            found.update(_given(rule, document, priorities))
    return frozenset(found)


def is_exempt(document: PolicyDocument, at: int) -> bool:
    """Whether an exemption takes its tickets out, rather than only marking them."""
    return not (document.exempt[at].unofficial and document.unofficial is Unofficial.COMPUTE)


def _given(rule: SeverityRuleDocument, document: PolicyDocument, priorities: int) -> Iterator[str]:
    levels = [level.id for level in document.severity.levels]
    if rule.severity is not None:
        yield rule.severity
    elif rule.taken_from == PRIORITY:
        yield from levels[:priorities]
    elif rule.taken_from == MATRIX:
        yield from _of_matrix(document, levels)
    else:
        yield from levels


def _of_matrix(document: PolicyDocument, levels: list[str]) -> Iterator[str]:
    matrix = document.severity.matrix
    for cells in matrix.cells.values() if matrix else ():
        for level in cells.values():
            yield level
            if matrix and matrix.lowered_when is not None and level in levels:
                yield levels[min(levels.index(level) + 1, len(levels) - 1)]


def _unreachable_rules(document: PolicyDocument) -> Found:
    for at in range(len(document.severity.rules)):
        earlier = _stands_behind(document, at)
        if earlier is not None:
            message = f"rule {at + 1} is never reached: rule {earlier + 1} decides before it"
            yield "rule-unreachable", ("severity", "rules", at), message


def _stands_behind(document: PolicyDocument, at: int) -> int | None:
    """The earlier rule that decides whenever this one could; None: there is none."""
    rules = document.severity.rules
    for number, earlier in enumerate(rules[:at]):
        if implies(rules[at].when, earlier.when) and _decides_for(earlier, rules[at]):
            return number
    return None


def _decides_for(earlier: SeverityRuleDocument, later: SeverityRuleDocument) -> bool:
    if earlier.severity is not None:
        return True
    # what gave no severity the first time gives none the second time
    return earlier.taken_from == later.taken_from and not earlier.after_first_reply


def _by_rank(document: PolicyDocument, priorities: int) -> Found:
    levels = len(document.severity.levels)
    for at, rule in enumerate(document.severity.rules):
        if rule.taken_from == PRIORITY and levels != priorities and levels:
            yield (
                "priority-unmapped",
                ("severity", "rules", at, "from"),
                f"the policy has {levels} severities and the helpdesk {priorities} priorities, so "
                "that ranks do not tell which is which; write a rule for each priority, such as "
                f"{{when: {{priority: 1}}, severity: {document.severity.levels[0].id}}}",
            )


def _matrix_holes(document: PolicyDocument) -> Found:
    matrix = document.severity.matrix
    if matrix is None:
        return
    names: dict[str, str] = {}
    for cells in matrix.cells.values():
        for column in cells:
            names.setdefault(same_word(column), column)
    for row, cells in matrix.cells.items():
        known = set(map(same_word, cells))
        missing = [name for word, name in names.items() if word not in known]
        if missing:
            what = ", ".join(f"{matrix.rows} {row} x {matrix.columns} {name}" for name in missing)
            path = ("severity", "matrix", "cells", row)
            yield "matrix-incomplete", path, f"the matrix gives no severity for {what}"
