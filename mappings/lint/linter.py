"""lint(files) -> every finding about them, sorted by file and line. The one entrance."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from mappings.document.calendar import Read
from mappings.document.contract import Overlay
from mappings.document.problems import unknown
from mappings.document.reading import DocumentError, Place, locate
from mappings.lint.calendars import calendar_findings, zone_findings
from mappings.lint.contracts import (
    contradictions,
    default_plan_findings,
    is_for_everybody,
    overlap_findings,
    own_findings,
    plan_findings,
)
from mappings.lint.files import Given, PolicyFile, Setting, Source, policy_in, read_all
from mappings.lint.findings import Finding, Found, Path, of_problem, placed
from mappings.lint.gaps import gap_findings, own_gap_findings
from mappings.lint.inputs import fields_findings
from mappings.lint.regimes import regime_findings
from mappings.lint.severities import (
    USUAL_PRIORITIES,
    condition_findings,
    possible_levels,
    severity_findings,
)
from mappings.lint.targets import target_findings

UNDECIDED_ZONE = "UTC"

Find = Callable[[str], Source | None]


def lint(
    sources: Sequence[Source],
    now: datetime,
    *,
    find: Find,
    reader: Callable[[str], Read],
    time_zone: str | None = None,
) -> list[Finding]:
    """Every finding about the files.

    `find` gives a policy by its name that is not among them, for contracts; `reader` gives what
    reads the iCalendar files that a policy file names; `time_zone` is the account's (None: nobody
    has decided). Raises ValueError for a zone that does not exist.
    """
    setting = Setting(
        zone_name=time_zone or UNDECIDED_ZONE, zone_is_decided=time_zone is not None, reader=reader
    )
    given = read_all(sources, setting)
    linter = _Linter(given, now, find)
    found = dict.fromkeys([*given.findings, *linter.findings()])
    return sorted(found, key=lambda one: (one.file, one.line, one.column, one.code, one.message))


class _Linter:
    """Looks at files that load."""

    def __init__(self, given: Given, now: datetime, find: Find) -> None:
        self._given = given
        self._now = now
        self._find = find
        self._priorities = _priorities(given)

    def findings(self) -> Iterator[Finding]:
        """What is to be said of all of them."""
        yield from self._named_twice()
        for policy in self._given.policies:
            yield from self._of_policy(policy)
        yield from self._of_contracts()
        documents = [policy.document for policy in self._given.policies]
        for fields in self._given.fields:
            yield from placed(fields_findings(fields.document, documents), fields.place)

    def _named_twice(self) -> Iterator[Finding]:
        named: list[tuple[str, str, Place]] = [
            ("policy", one.id, one.place) for one in self._given.policies
        ]
        named += [("contract", one.document.contract, _of(one)) for one in self._given.contracts]
        seen: dict[tuple[str, str], str] = {}
        for kind, name, place in named:
            file, _, _ = place((kind,))
            if (kind, name) in seen:
                message = f"{kind} '{name}' stands in {seen[kind, name]} too"
                yield from placed([("name-twice", (kind,), message)], place)
            seen.setdefault((kind, name), file)

    def _of_policy(self, policy: PolicyFile) -> Iterator[Finding]:
        everybody = [one for one in self._contracts_of(policy.id) if is_for_everybody(one)]
        amended = policy.under(*everybody)
        if amended.error() is not None:  # told of with the contract
            amended = policy
        undecided = frozenset() if policy.setting.zone_is_decided else amended.zoneless
        decided = amended.document.decisions
        yield from placed(self._of_document(policy), policy.place)
        yield from placed(zone_findings(policy.document, undecided), policy.place)
        zone_is_told = bool(policy.zoneless)
        yield from placed(gap_findings(policy.document, decided, zone_is_told), policy.place)

    def _of_document(self, policy: PolicyFile) -> Found:
        """What holds of a policy, alone or under a contract."""
        document = policy.document
        yield from severity_findings(document, self._priorities)
        yield from condition_findings(document)
        yield from target_findings(document, possible_levels(document, self._priorities))
        yield from regime_findings(document)
        read = policy.setting.reader(policy.file)
        yield from calendar_findings(document, policy.calendars(), self._now, read)

    def _contracts_of(self, policy: str) -> list[Overlay]:
        return [one for one in self._given.contracts if one.document.policy == policy]

    def _of_contracts(self) -> Iterator[Finding]:
        for name in dict.fromkeys(one.document.policy for one in self._given.contracts):
            overlays = self._contracts_of(name)
            policy, findings = self._policy_named(name, overlays)
            yield from findings
            if policy is not None:
                yield from self._under(policy, overlays)

    def _policy_named(
        self, name: str, overlays: Sequence[Overlay]
    ) -> tuple[PolicyFile | None, list[Finding]]:
        """The policy that contracts amend; else what is to be said of them."""
        known = {one.id: one for one in self._given.policies}
        if name in known or name in self._given.broken:
            return known.get(name), []
        source = self._find(name)
        try:
            if source is not None:
                setting = self._given.setting
                return policy_in(source, setting), []
        except DocumentError as error:
            return None, [of_problem(problem) for problem in error.problems]
        hint = f"; {unknown(name, known)}" if known else ""
        message = f"policy '{name}' is not among the files, the data dir or the shipped ones{hint}"
        found = ("unknown-policy", ("policy",), message)
        return None, [one for overlay in overlays for one in placed([found], _of(overlay))]

    def _under(self, policy: PolicyFile, overlays: Sequence[Overlay]) -> Iterator[Finding]:
        base = set(self._of_document(policy))
        whole = []
        for overlay in overlays:
            try:
                found = list(self._of_overlay(overlay, policy, base))
            except DocumentError as error:
                yield from map(of_problem, error.problems)
            else:
                whole.append(overlay)
                yield from found
        yield from plan_findings(whole)
        if any(policy is one for one in self._given.policies):
            yield from placed(default_plan_findings(whole, policy.document), policy.place)
        yield from overlap_findings(whole, policy)
        yield from contradictions(whole, policy)

    def _of_overlay(
        self, overlay: Overlay, policy: PolicyFile, base: set[tuple[str, Path, str]]
    ) -> Iterator[Finding]:
        merged = policy.under(overlay)
        new = [one for one in self._of_document(merged) if one not in base]
        yield from placed((_under_contract(one, overlay) for one in new), overlay.place)
        yield from placed(own_findings(overlay, policy, self._now), _of(overlay))
        decided = merged.document.decisions
        yield from placed(own_gap_findings(overlay.document.gaps, decided), _of(overlay))


def _under_contract(found: tuple[str, Path, str], overlay: Overlay) -> tuple[str, Path, str]:
    """What only holds under a contract stands where the contract says something."""
    code, path, message = found
    if path[0] in overlay.document.overrides:
        return found
    return code, (), f"under contract '{overlay.document.contract}': {message}"


def _of(overlay: Overlay) -> Place:
    return lambda path: (overlay.file, *locate(overlay.data, path))


def _priorities(given: Given) -> int:
    numbers = [len(one.document.priorities) for one in given.fields]
    return numbers[0] if numbers else USUAL_PRIORITIES
