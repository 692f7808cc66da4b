"""Findings about targets: promises that nobody gets, and severities without one."""

from mappings.conditions import Condition, Test
from mappings.document.policy import targets_in
from mappings.document.policy_form import PolicyDocument
from mappings.lint.findings import Found
from mappings.lint.implication import implies, may_be
from mappings.lint.severities import is_exempt
from mappings.policy import Metric
from mappings.severity import SEVERITY


def target_findings(document: PolicyDocument, possible: frozenset[str]) -> Found:
    """`possible` are the ids of the severities that a ticket can have."""
    for path, target in targets_in(document):
        why = _never(target.when, document, possible)
        if why is not None:
            yield "target-never-applies", path, f"no ticket gets this target: {why}"
    for metric in document.targets:
        yield from _without_target(document, metric, possible)


def _never(when: Condition, document: PolicyDocument, possible: frozenset[str]) -> str | None:
    for at, exemption in enumerate(document.exempt):
        if is_exempt(document, at) and implies(when, exemption.when):
            return f"'{exemption.when}' is exempt"
    asks = any(isinstance(test, Test) and test.fact == SEVERITY for test in when.tests)
    # "" stands for a ticket that no rule gives a severity
    if asks and not any(may_be(when, SEVERITY, level) for level in (*possible, "")):
        return "no rule gives its severity"
    return None


def _without_target(document: PolicyDocument, metric: Metric, possible: frozenset[str]) -> Found:
    targets = document.targets[metric]
    asking = [one for one in targets if SEVERITY in one.when.facts()]
    if not asking or metric in document.silent:
        return
    # an interval between updates may be owed under a condition; the others hold for every ticket
    whole = (
        targets
        if metric is Metric.NEXT_UPDATE
        else [one for one in targets if one.when.facts() <= {SEVERITY} or _covers_classes(one.when)]
    )
    for at, level in enumerate(document.severity.levels):
        covered = any(may_be(one.when, SEVERITY, level.id) for one in whole)
        if level.id in possible and not covered:
            yield (
                "severity-without-target",
                ("severity", "levels", at, "id"),
                f"severity '{level.id}' has no {metric.value} target, while others have one",
            )


def _covers_classes(when: Condition) -> bool:
    """Whether the rest of a condition only takes a part of the tickets out, as `is_not` does."""
    return all(
        isinstance(test, Test)
        and (test.fact == SEVERITY or test.operator.value.startswith("is_not"))
        for test in when.tests
    )
