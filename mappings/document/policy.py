"""The text of a policy file -> a `Policy` resolved for one account."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Any

from mappings.clock import State
from mappings.conditions import Condition, same_word
from mappings.document.calendar import HolidayFileError, Read, with_dates
from mappings.document.contract import Overlay, laid_over
from mappings.document.policy_form import (
    ESCALATE_MANAGEMENT,
    InformationDocument,
    PolicyDocument,
    SeverityRuleDocument,
    StepDocument,
    TargetDocument,
    WaitDocument,
)
from mappings.document.problems import unknown
from mappings.document.reading import (
    DocumentError,
    Place,
    Problem,
    locate,
    parse_yaml,
    validate,
)
from mappings.document.salvage import rest_of
from mappings.document.zones import ZONE_DATA, zone_named
from mappings.entitlement import ENTITLEMENT_UNKNOWN
from mappings.errors import MappingError
from mappings.policy import (
    Contract,
    Duty,
    Exemption,
    Fulfilment,
    Gap,
    Information,
    Level,
    Matrix,
    Metric,
    Policy,
    Regime,
    Requirement,
    SeverityRule,
    Start,
    Step,
    Target,
    Tier,
    WaitRule,
)
from mappings.promises import ELAPSED
from mappings.severity import CHANNEL, MATRIX, SEVERITY
from mappings.ticket import (
    CLASS,
    PRIORITY,
    STATUS,
    WAITING,
    Cause,
    Channel,
    Status,
    TicketClass,
)

ACCOUNT_ZONE = "account"  #: a calendar whose zone the document does not name
UNDECIDED_ZONE = "UTC"
MOST_PAIRS = 200  # of contracts that are tried together at the start; `deskclock lint` tries all
# facts of ours and the words that they can hold; a channel that is not known counts as portal
WORDS: Mapping[str, Sequence[str]] = {
    CHANNEL: [one.value for one in Channel if one is not Channel.OTHER],
    CLASS: list(TicketClass),
    STATUS: list(Status),
    WAITING: list(Cause),
    "resolution": list(State),
    PRIORITY: [str(rank) for rank in range(1, 10)],
}


def load_policy(
    text: str,
    file: str,
    *,
    time_zone: str | None = None,
    prefix: str = "sla_",
    contracts: Sequence[Overlay] = (),
    read: Read | None = None,
) -> Policy:
    """The policy in `text`, for an account in `time_zone` (None: nobody has decided; UTC).

    Contracts of other policies are passed over; `read` gives the text of an iCalendar file by its
    name. Raises `DocumentError` with every problem of the files, or `MappingError` for the zone.
    """
    zone_name = UNDECIDED_ZONE if time_zone is None else time_zone
    try:
        zone_named(zone_name)
    except ValueError as error:
        raise MappingError(f"time zone: {error}") from None
    account = _Account(
        zone_name=zone_name, zone_is_decided=time_zone is not None, prefix=prefix, read=read
    )
    data = parse_yaml(text, file)
    published = _resolved(data, file, account, (), lambda path: (file, *locate(data, path)))
    own = [one for one in contracts if one.document.policy == published.id]
    return _with_contracts(published, data, file, account, own) if own else published


@dataclass(frozen=True, kw_only=True, slots=True)
class _Account:
    """What the account gives to every policy that is resolved for it."""

    zone_name: str
    zone_is_decided: bool
    prefix: str
    #: the text of an iCalendar file by its name
    read: Read | None


def _with_contracts(
    published: Policy, data: Any, file: str, account: _Account, overlays: Sequence[Overlay]
) -> Policy:
    """The policy with its contracts, each of which has been laid over it once."""
    problems = list(_named_twice(overlays))
    by_id = {one.document.contract: one for one in overlays}

    @lru_cache(maxsize=4096)
    def merged(ids: tuple[str, ...]) -> Policy:
        return _laid(data, file, account, [by_id[one] for one in ids])

    def merge(layers: tuple[Contract, ...]) -> Policy:
        return merged(tuple(one.id for one in layers))

    contracts = tuple(one.contract(_contract_zone(published, account)) for one in overlays)
    for layers in _tried(contracts):
        try:
            merge(layers)
        except DocumentError as error:
            problems.extend(error.problems)
    if problems:
        raise DocumentError(problems)
    return replace(published, contracts=contracts, merge=merge)


def _contract_zone(policy: Policy, account: _Account) -> tzinfo:
    """The zone of a contract's days: the account's, or where nobody chose one the policy's."""
    return zone_named(account.zone_name) if account.zone_is_decided else policy.zone


def _tried(contracts: Sequence[Contract]) -> Iterator[tuple[Contract, ...]]:
    """Each contract by itself, and what customers hold together with it, as far as time allows."""
    yield from ((one,) for one in contracts)
    signed = [one for one in contracts if one.is_signed]
    others = [one for one in contracts if not one.is_signed]
    yield from islice(((other, one) for one in signed for other in others), MOST_PAIRS)


def _named_twice(overlays: Sequence[Overlay]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for one in overlays:
        name = one.document.contract
        if name in seen:
            line, column = locate(one.data, ("contract",))
            message = f"contract '{name}' stands in {seen[name]} too"
            yield Problem(file=one.file, line=line, column=column, grade="E", message=message)
        seen.setdefault(name, one.file)


def _laid(data: Any, file: str, account: _Account, layers: Sequence[Overlay]) -> Policy:
    """The policy that the layers come to, the last one on top."""
    found, place = laid(data, file, layers)
    return _resolved(found, file, account, layers, place)


def laid(data: Any, file: str, layers: Sequence[Overlay]) -> tuple[Any, Place]:
    """What the layers come to when they are laid over a policy, and where its parts stand."""
    found = data
    for layer in layers:
        found = laid_over(found, layer.document.overrides)
        gaps = [gap.model_dump(mode="json") for gap in layer.document.gaps]
        if gaps:
            found = laid_over(found, {"gaps": [*found.get("gaps", []), *gaps]})

    def place(path: tuple[Any, ...]) -> tuple[str, int, int]:
        for layer in reversed(layers):
            if path and path[0] in layer.document.overrides:
                return layer.place(path)
        # what the policy says only goes wrong together with what the top layer says
        return layers[-1].place(()) if layers else (file, *locate(data, path))

    return found, place


def _resolved(
    data: Any, file: str, account: _Account, layers: Sequence[Overlay], place: Place
) -> Policy:
    document, zoneless = checked(data, file, account.zone_name, place, account.read)
    return _resolve(document, account, zoneless, layers)


def checked(
    data: Any, file: str, zone_name: str, place: Place, read: Read | None = None
) -> tuple[PolicyDocument, frozenset[str]]:
    """The policy in `data` with all holidays written as dates, and the calendars whose zone it
    leaves to the account. Raises `DocumentError` with every problem."""
    data, zoneless = with_zones(data, zone_name)
    try:
        document = validate(PolicyDocument, data, file, place)
    except DocumentError as error:
        raise DocumentError([*error.problems, *_further(data, place)]) from None
    document, problems = _with_holidays(document, read, place)
    problems.extend(_contradictions(document, place))
    if problems:
        raise DocumentError(problems)
    return document, zoneless


def _further(data: Any, place: Place) -> Iterator[Problem]:
    """The contradictions in what is left when the broken parts are taken out."""
    rest = rest_of(data)
    if rest is not None:
        document, original = rest
        yield from _contradictions(document, lambda path: place(original(path)))


def _with_holidays(
    document: PolicyDocument, read: Read | None, place: Place
) -> tuple[PolicyDocument, list[Problem]]:
    """The policy with all holidays written as dates, which its version is the hash of."""
    calendars, problems = dict(document.calendars), []
    for name, calendar in calendars.items():
        try:
            calendars[name] = with_dates(calendar, read)
        except HolidayFileError as error:
            file, line, column = place(("calendars", name, *error.path))
            message = f"calendars.{name}: {error}"
            problems.append(
                Problem(file=file, line=line, column=column, grade="E", message=message)
            )
    return document.model_copy(update={"calendars": calendars}), problems


def with_zones(data: Any, zone_name: str) -> tuple[Any, frozenset[str]]:
    """The account's zone where the document names none, and the calendars concerned."""
    calendars = data.get("calendars") if isinstance(data, Mapping) else None
    calendars = calendars if isinstance(calendars, Mapping) else {}
    found = {
        name: {**calendar, "time_zone": zone_name}
        for name, calendar in calendars.items()
        if isinstance(calendar, Mapping) and calendar.get("time_zone") == ACCOUNT_ZONE
    }
    if not found:
        return data, frozenset()
    return {**data, "calendars": {**calendars, **found}}, frozenset(map(str, found))


def _contradictions(document: PolicyDocument, place: Place) -> Iterator[Problem]:
    """What each part may be by itself, but not together with the others."""
    for path, message in (
        *_name_problems(document),
        *_severity_problems(document),
        *_target_problems(document),
        *_condition_problems(document),
        *_gap_problems(document),
    ):
        file, line, column = place(path)
        yield Problem(file=file, line=line, column=column, grade="E", message=message)


Path = tuple[str | int, ...]
Found = Iterator[tuple[Path, str]]


def _severity_problems(document: PolicyDocument) -> Found:
    levels = {level.id for level in document.severity.levels}
    matrix = document.severity.matrix
    for at, rule in enumerate(document.severity.rules):
        place = ("severity", "rules", at)
        if rule.severity is not None and rule.severity not in levels:
            yield (*place, "severity"), _no_such(SEVERITY, rule.severity, levels)
        if SEVERITY in rule.when.facts():
            yield (*place, "when"), "a severity rule cannot depend on the severity"
        if rule.taken_from == MATRIX and matrix is None:
            yield (*place, "from"), "there is no matrix under severity"
    for row, cells in (matrix.cells if matrix else {}).items():
        for column, level in cells.items():
            if level not in levels:
                path = ("severity", "matrix", "cells", row, column)
                yield path, _no_such(SEVERITY, level, levels)


def _name_problems(document: PolicyDocument) -> Found:
    if ELAPSED in document.calendars:
        yield ("calendars", ELAPSED), f"'{ELAPSED}' means every second; name the calendar otherwise"
    for place, names in (
        (("severity", "levels"), [level.id for level in document.severity.levels]),
        (("gaps",), [gap.id for gap in document.gaps]),
    ):
        for at, name in enumerate(names):
            if name in names[:at]:
                yield (*place, at, "id"), f"'{name}' stands there twice"


def _condition_problems(document: PolicyDocument) -> Found:
    """Words of ours that no ticket can ever have; those of mapped inputs are the admin's."""
    levels = [level.id for level in document.severity.levels]
    known: dict[str, list[str]] = {
        **{fact: list(words) for fact, words in WORDS.items()},
        SEVERITY: levels,
    }
    for place, condition in conditions_of(document):
        for test in condition.all_tests():
            words = known.get(test.fact)
            if words is None:
                continue
            right = {same_word(word) for word in words} | {""}
            for value in test.values:
                if same_word(value) not in right:
                    yield (*place, test.fact), _no_such(test.fact, value, words)


def conditions_of(document: PolicyDocument) -> Iterator[tuple[Path, Condition]]:
    """Every condition of a policy with its place."""
    for at, rule in enumerate(document.severity.rules):
        yield ("severity", "rules", at, "when"), rule.when
    matrix = document.severity.matrix
    if matrix is not None and matrix.lowered_when is not None:
        yield ("severity", "matrix", "lowered_when"), matrix.lowered_when
    for name in ("exempt", "fulfilment", "duties", "escalation"):
        for at, one in enumerate(getattr(document, name)):
            yield (name, at, "when"), one.when
    yield ("information", "when"), document.information.when
    for at, required in enumerate(document.information.required):
        yield ("information", "required", at, "when"), required.when
    for place, target in targets_in(document):
        yield (*place, "when"), target.when
    for at, tier in enumerate(document.tiers):
        for number, condition in enumerate(tier.any):
            yield ("tiers", at, "any", number), condition


def targets_in(document: PolicyDocument) -> Iterator[tuple[Path, TargetDocument]]:
    """Every target of a policy with its place."""
    for metric, targets in document.targets.items():
        for at, target in enumerate(targets):
            yield ("targets", metric.value, at), target


def gaps_used(document: PolicyDocument) -> Iterator[tuple[Path, Sequence[str]]]:
    """Every place that rests on gaps."""
    for at, rule in enumerate(document.severity.rules):
        yield ("severity", "rules", at, "gaps"), rule.gaps
    for name in ("exempt", "fulfilment", "tiers"):
        for at, one in enumerate(getattr(document, name)):
            yield (name, at, "gaps"), one.gaps
    for place, target in targets_in(document):
        yield (*place, "gaps"), target.gaps
    for name, calendar in document.calendars.items():
        yield ("calendars", name, "gaps"), calendar.gaps
    for metric, gaps in document.silent.items():
        yield ("silent", metric.value), gaps
    for cause, wait in document.waiting.items():
        yield ("waiting", cause.value, "gaps"), wait.gaps
    yield ("information", "gaps"), document.information.gaps


def _gap_problems(document: PolicyDocument) -> Found:
    known = {gap.id for gap in document.gaps}
    for place, gaps in (*gaps_used(document), *_decided(document)):
        for name in gaps:
            if name not in known:
                message = f"gap '{name}' is not listed under gaps"
                yield place, f"{message}; known: {', '.join(sorted(known))}"
    if document.default_plan is not None and ENTITLEMENT_UNKNOWN not in known:
        yield ("default_plan",), f"default_plan needs a gap '{ENTITLEMENT_UNKNOWN}' under gaps"


def _decided(document: PolicyDocument) -> Iterator[tuple[Path, Sequence[str]]]:
    for name in document.decisions:
        yield ("decisions", name), (name,)


def _target_problems(document: PolicyDocument) -> Found:
    for place, target in targets_in(document):
        for path, message in (*_one_target(target, document), *_wrong_metric(place, target)):
            yield (*place, *path), message


def _wrong_metric(place: Path, target: TargetDocument) -> Iterator[tuple[Path, str]]:
    is_update = place[1] == Metric.NEXT_UPDATE
    if target.every is not None and not is_update:
        yield ("every",), "'every' is for next_update; write limit"
    if is_update and target.every is None and not target.inherit:
        yield (), "next_update needs 'every', the interval between two updates"
    if target.start is Start.INFORMATION_COMPLETE and place[1] != Metric.FIRST_RESPONSE:
        yield ("start",), "information_complete starts the first response only"
    if target.start is Start.ACKNOWLEDGED and place[1] == Metric.FIRST_RESPONSE:
        yield ("start",), "the first response cannot start at itself"


def _one_target(target: TargetDocument, document: PolicyDocument) -> Iterator[tuple[Path, str]]:
    calendars = set(document.calendars)
    if target.clock != ELAPSED and target.clock not in calendars:
        yield ("clock",), _no_such("calendar", target.clock, {ELAPSED, *calendars})
    if target.regime is not None and target.regime.calendar not in calendars:
        wanted = target.regime.calendar
        yield ("regime", "calendar"), _no_such("calendar", wanted, calendars)
    for name in ("aim", "limit", "every"):
        amount = getattr(target, name)
        if amount is not None and amount.business_days and target.clock == ELAPSED:
            yield (name,), "business days need a clock that names a calendar"


def _no_such(what: str, value: str, known: Iterable[str]) -> str:
    return f"{what} '{value}' does not exist; {unknown(value, known)}"


def _resolve(
    document: PolicyDocument, account: _Account, zoneless: frozenset[str], layers: Sequence[Overlay]
) -> Policy:
    severity, matrix = document.severity, document.severity.matrix
    zone_name = _shown_zone(document, account)
    zone = zone_named(zone_name)
    days = zone_named(account.zone_name) if account.zone_is_decided else zone
    return Policy(
        id=document.policy,
        title=document.title,
        document=document.document,
        version=_version(document, account, layers),
        levels=tuple(Level(**dict(level)) for level in severity.levels),
        severity_rules=tuple(map(_severity_rule, severity.rules)),
        matrix=Matrix(**dict(matrix)) if matrix else None,
        on_severity_change=document.on_severity_change,
        shows_priority=severity.show_priority,
        exemptions=tuple(Exemption(**dict(one)) for one in document.exempt),
        unofficial=document.unofficial,
        targets=tuple(_targets(document)),
        absent=document.silent,
        calendars={name: one.to_schedule(name) for name, one in document.calendars.items()},
        calendar_gaps={name: tuple(one.gaps) for name, one in document.calendars.items()},
        zone=zone,
        zone_name=zone_name,
        zone_is_decided=account.zone_is_decided,
        zoneless=zoneless,
        zone_data=ZONE_DATA,
        waiting={cause.value: _wait(one) for cause, one in document.waiting.items()},
        on_reopen=document.on_reopen,
        judge_by=document.judge_by,
        at_risk_at=Fraction(str(document.at_risk_at)),
        business_day=document.business_day,
        information=_information(document.information),
        fulfilments=tuple(Fulfilment(**dict(one)) for one in document.fulfilment),
        duties=tuple(Duty(**dict(one)) for one in document.duties),
        tiers=tuple(Tier(**dict(one)) for one in document.tiers),
        steps=tuple(_steps(document)),
        gaps={
            one.id: Gap(**dict(one), decision=document.decisions.get(one.id))
            for one in document.gaps
        },
        default_plan=document.default_plan,
        layers=tuple(one.contract(days) for one in layers),
        prefix=account.prefix,
    )


def _shown_zone(document: PolicyDocument, account: _Account) -> str:
    """The one zone of the calendars, in which their hours are written; else the account's."""
    zones = {
        one.time_zone for one in document.calendars.values() if "time_zone" in one.model_fields_set
    }
    return zones.pop() if len(zones) == 1 else account.zone_name


def _version(document: PolicyDocument, account: _Account, layers: Sequence[Overlay]) -> str:
    """The hash of the resolved document, overlays named."""
    resolved = {
        "document": document.model_dump(mode="json"),
        "zone": account.zone_name,
        "overlays": [one.document.contract for one in layers],
    }
    canonical = json.dumps(resolved, sort_keys=True)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _severity_rule(rule: SeverityRuleDocument) -> SeverityRule:
    parts = dict(rule)
    return SeverityRule(level=parts.pop("severity"), **parts)


def _wait(rule: WaitDocument) -> WaitRule:
    return WaitRule(effect=rule.effect, metrics=frozenset(rule.metrics), gaps=rule.gaps)


def _information(document: InformationDocument) -> Information:
    parts = dict(document)
    required = tuple(Requirement(**dict(one)) for one in parts.pop("required"))
    return Information(required=required, **parts)


def _steps(document: PolicyDocument) -> Iterator[Step]:
    at = document.escalate_management
    if at is not None:
        tags = (ESCALATE_MANAGEMENT,)
        yield StepDocument(id=ESCALATE_MANAGEMENT, at=at, tags=tags).to_step()
    for one in document.escalation:
        yield one.to_step()


def _targets(document: PolicyDocument) -> Iterator[Target]:
    for metric, targets in document.targets.items():
        for one in targets:
            yield _target(metric, one, document)


def _target(metric: Metric, document: TargetDocument, policy: PolicyDocument) -> Target:
    regime = document.regime
    return Target(
        metric=metric,
        when=document.when,
        calendar=None if document.clock == ELAPSED else document.clock,
        aim=document.aim,
        limit=document.limit or document.every,
        regime=Regime(**dict(regime)) if regime else None,
        strict=document.under,
        commitment=document.commitment or policy.commitment,
        start=document.start,
        inherits=document.inherit,
        source=document.source,
        gaps=document.gaps,
    )
