"""Findings about contracts: whether they hold, meet, and change anything."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from mappings.document.contract import ContractDocument, Overlay
from mappings.document.policy_form import PolicyDocument
from mappings.document.reading import DocumentError, locate
from mappings.lint.files import PolicyFile
from mappings.lint.findings import Finding, Found, of_problem, placed
from mappings.policy import Contract

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def own_findings(overlay: Overlay, policy: PolicyFile, now: datetime) -> Found:
    """What is to be said of one contract that loads; paths are those of its file."""
    contract = overlay.contract(policy.setting.zone)
    if contract.ends_at is not None and contract.ends_at <= now:
        day = overlay.document.valid_to
        message = f"contract '{contract.id}' has ended; it held up to {day}"
        yield "contract-over", ("valid_to",), message
    overrides = overlay.document.overrides
    if overrides and policy.under(overlay).document == policy.document:
        message = f"contract '{contract.id}' says nothing otherwise than policy '{policy.id}'"
        yield "override-idle", ("overrides",), message
        return
    for path in _idle(overrides, policy.data):
        shown = ".".join(path)
        message = f"{shown} stands in policy '{policy.id}' with the same value"
        yield "override-idle", ("overrides", *path), message


def plan_findings(overlays: Sequence[Overlay]) -> Iterator[Finding]:
    """Plans that customers hold and no file describes."""
    known = _described_plans(overlays)
    for one in overlays:
        plan = one.document.plan
        if _role(one.document) == "signed" and plan is not None and plan not in known:
            message = f"no contract file among these describes the plan '{plan}'"
            yield from placed([("plan-undescribed", ("plan",), message)], _place(one))


def default_plan_findings(overlays: Sequence[Overlay], policy: PolicyDocument) -> Found:
    """The same for the plan of customers of whom none is known."""
    plan = policy.default_plan
    if plan is not None and plan not in _described_plans(overlays):
        message = f"no contract file among these describes the default plan '{plan}'"
        yield "plan-undescribed", ("default_plan",), message


def _described_plans(overlays: Sequence[Overlay]) -> set[str | None]:
    return {one.document.plan for one in overlays if _role(one.document) == "plan"}


def overlap_findings(overlays: Sequence[Overlay], policy: PolicyFile) -> Iterator[Finding]:
    """Pairs of contracts of one customer, or of one plan, that hold at the same time."""
    by_customer: dict[str, list[Overlay]] = defaultdict(list)
    for one in overlays:
        for whom in _for_whom(one.document):
            by_customer[whom].append(one)
    seen: set[tuple[str, str]] = set()
    for whom, held in by_customer.items():
        for earlier, later in _pairs(held):
            names = (earlier.document.contract, later.document.contract)
            if names not in seen and _meet(earlier, later, policy):
                seen.add(names)
                yield from placed([_overlap(earlier, later, whom)], _place(later))


def contradictions(overlays: Sequence[Overlay], policy: PolicyFile) -> Iterator[Finding]:
    """Contracts that load alone and not together, though one ticket may fall under both."""
    known: dict[tuple[str, ...], DocumentError | None] = {}
    for layers in _stacks(overlays, policy):
        key = tuple(map(_content, layers))
        if key not in known:
            known[key] = _error(policy, layers)
            error = known[key]
            if error is not None:
                yield _contradiction(error, layers)


def is_for_everybody(overlay: Overlay) -> bool:
    """Whether it amends the policy for every customer."""
    return _role(overlay.document) == "everybody"


def _role(document: ContractDocument) -> str:
    if document.organizations or document.domains:
        return "signed"
    return "plan" if document.plan else "everybody"


def _place(overlay: Overlay) -> Any:
    return lambda path: (overlay.file, *locate(overlay.data, path))


def _idle(overrides: Mapping[str, Any], base: Any) -> Iterator[tuple[str, ...]]:
    for key, value in overrides.items():
        if not isinstance(base, Mapping) or key not in base:
            continue
        if isinstance(value, Mapping) and isinstance(base[key], Mapping) and value:
            yield from ((key, *path) for path in _idle(value, base[key]))
        elif base[key] == value:
            yield (key,)


def _for_whom(document: ContractDocument) -> Iterator[str]:
    for organization in document.organizations:
        yield f"organization '{organization}'"
    for domain in document.domains:
        yield f"domain '{domain.lower()}'"
    if _role(document) == "plan":
        yield f"plan '{document.plan}'"


def _pairs(held: Sequence[Overlay]) -> Iterator[tuple[Overlay, Overlay]]:
    for number, later in enumerate(held):
        for earlier in held[:number]:
            yield earlier, later


def _meet(one: Overlay, other: Overlay, policy: PolicyFile) -> bool:
    first, second = one.contract(policy.setting.zone), other.contract(policy.setting.zone)
    return _begins(first) < _ends(second) and _begins(second) < _ends(first)


def _begins(contract: Contract) -> datetime:
    return contract.begins_at or _LONG_AGO


def _ends(contract: Contract) -> datetime:
    return contract.ends_at or _NEVER


def _overlap(earlier: Overlay, later: Overlay, whom: str) -> tuple[str, tuple[Any, ...], str]:
    first, second = earlier.document, later.document
    message = (
        f"{whom} has two contracts at the same time: '{first.contract}' ({_days(first)}, in "
        f"{earlier.file}) and '{second.contract}' ({_days(second)}); the one that begins last holds"
    )
    return "contracts-overlap", ("contract",), message


def _days(document: ContractDocument) -> str:
    def shown(day: date | None) -> str:
        return day.isoformat() if day else "without bound"

    return f"{shown(document.valid_from)} to {shown(document.valid_to)}"


def _stacks(overlays: Sequence[Overlay], policy: PolicyFile) -> Iterator[tuple[Overlay, ...]]:
    """Layers that one ticket may fall under, from below: first by twos, then all of them."""
    roles: dict[str, list[Overlay]] = {"everybody": [], "plan": [], "signed": []}
    for one in overlays:
        roles[_role(one.document)].append(one)
    everybody, plans, signed = roles.values()
    yield from (pair for pair in _pairs(everybody) if _meet(*pair, policy))
    for lower in everybody:
        yield from ((lower, one) for one in (*plans, *signed) if _meet(lower, one, policy))
    for own in signed:
        held = [plan for plan in plans if own.document.plan in (None, plan.document.plan)]
        yield from ((plan, own) for plan in held)
        if len(everybody) > 1 or (everybody and held):
            yield from ((*everybody, plan, own) for plan in held)


def _content(overlay: Overlay) -> str:
    return json.dumps([overlay.document.overrides, overlay.document.gaps], default=str)


def _error(policy: PolicyFile, layers: tuple[Overlay, ...]) -> DocumentError | None:
    if sum(bool(one.document.overrides or one.document.gaps) for one in layers) < len(layers):
        return None  # what changes nothing contradicts nothing
    return policy.under(*layers).error()


def _contradiction(error: DocumentError, layers: tuple[Overlay, ...]) -> Finding:
    *lower, top = layers
    names = " and ".join(f"'{one.document.contract}' ({one.file})" for one in lower)
    problem = error.problems[0]
    message = (
        f"contract '{top.document.contract}' does not go together with {names}: {problem.message}"
    )
    found = of_problem(problem, "layers-contradict")
    return Finding(
        file=found.file,
        line=found.line,
        column=found.column,
        grade=found.grade,
        code=found.code,
        message=message,
    )
