"""The text of a policy file -> a `Policy` resolved for one account."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Any

from mappings.clock import State
from mappings.conditions import Condition, Test, same_word
from mappings.document.policy_form import PolicyDocument, TargetDocument
from mappings.document.reading import DocumentError, Problem, locate, parse_yaml, validate
from mappings.document.zones import zone_named
from mappings.errors import MappingError
from mappings.policy import (
    Duty,
    Exemption,
    Gap,
    Level,
    Policy,
    Regime,
    SeverityRule,
    Target,
    Tier,
)
from mappings.promises import ELAPSED
from mappings.severity import CHANNEL, SEVERITY
from mappings.ticket import (
    CLASS,
    STATUS,
    WAITING,
    Cause,
    Channel,
    Status,
    TicketClass,
)

ACCOUNT_ZONE = "account"  #: a calendar whose zone the document does not name
UNDECIDED_ZONE = "UTC"
# facts of ours and the words that they can hold; a channel that is not known counts as portal
WORDS: Mapping[str, Iterable[StrEnum]] = {
    CHANNEL: [one for one in Channel if one is not Channel.OTHER],
    CLASS: TicketClass,
    STATUS: Status,
    WAITING: Cause,
    "resolution": State,
}


def load_policy(
    text: str, file: str, *, time_zone: str | None = None, prefix: str = "sla_"
) -> Policy:
    """The policy in `text`, for an account in `time_zone` (None: nobody has decided; UTC).

    Raises `DocumentError` with every problem of the file, or `MappingError` for the zone.
    """
    zone_name = time_zone or UNDECIDED_ZONE
    try:
        zone_named(zone_name)
    except ValueError as error:
        raise MappingError(f"time zone: {error}") from None
    data = parse_yaml(text, file)
    zoneless = _fill_zones(data, zone_name)
    document = validate(PolicyDocument, data, file)
    problems = list(_contradictions(document, data, file))
    if problems:
        raise DocumentError(problems)
    return _resolve(document, zone_name, zoneless, time_zone is not None, prefix)


def _fill_zones(data: Any, zone_name: str) -> frozenset[str]:
    """Put the account's zone where the document names none; returns the calendars concerned."""
    calendars = data.get("calendars") if isinstance(data, Mapping) else None
    found = set()
    for name, calendar in (calendars if isinstance(calendars, dict) else {}).items():
        if isinstance(calendar, dict) and calendar.get("time_zone") == ACCOUNT_ZONE:
            calendar["time_zone"] = zone_name
            found.add(str(name))
    return frozenset(found)


def _contradictions(document: PolicyDocument, data: Any, file: str) -> Iterator[Problem]:
    """What each part may be by itself, but not together with the others."""
    for path, message in (
        *_name_problems(document),
        *_severity_problems(document),
        *_target_problems(document),
        *_condition_problems(document),
        *_gap_problems(document),
    ):
        line, column = locate(data, path)
        yield Problem(file=file, line=line, column=column, grade="E", message=message)


Found = Iterator[tuple[tuple[str | int, ...], str]]


def _severity_problems(document: PolicyDocument) -> Found:
    levels = {level.id for level in document.severity.levels}
    for at, rule in enumerate(document.severity.rules):
        place = ("severity", "rules", at)
        if rule.severity is not None and rule.severity not in levels:
            yield (*place, "severity"), _no_such(SEVERITY, rule.severity, levels)
        if any(test.fact == SEVERITY for test in rule.when.tests):
            yield (*place, "when"), "a severity rule cannot depend on the severity"


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
        **{fact: [one.value for one in words] for fact, words in WORDS.items()},
        SEVERITY: levels,
    }
    for place, condition in _conditions(document):
        for test in condition.tests:
            words = known.get(test.fact)
            if words is None or not isinstance(test, Test):
                continue
            right = {same_word(word) for word in words} | {""}
            for value in test.values:
                if same_word(value) not in right:
                    yield (*place, test.fact), _no_such(test.fact, value, words)


def _conditions(document: PolicyDocument) -> Iterator[tuple[tuple[str | int, ...], Condition]]:
    for at, rule in enumerate(document.severity.rules):
        yield ("severity", "rules", at, "when"), rule.when
    for name in ("exempt", "targets", "duties"):
        for at, one in enumerate(getattr(document, name)):
            yield (name, at, "when"), one.when
    for at, tier in enumerate(document.tiers):
        for place, condition in enumerate(tier.any):
            yield ("tiers", at, "any", place), condition


def _gap_problems(document: PolicyDocument) -> Found:
    known = {gap.id for gap in document.gaps}
    used = [
        *((("severity", "rules", at), one.gaps) for at, one in enumerate(document.severity.rules)),
        *((("exempt", at), one.gaps) for at, one in enumerate(document.exempt)),
        *((("targets", at), one.gaps) for at, one in enumerate(document.targets)),
        *((("tiers", at), one.gaps) for at, one in enumerate(document.tiers)),
    ]
    for place, gaps in used:
        for name in gaps:
            if name not in known:
                message = f"gap '{name}' is not listed under gaps"
                yield (*place, "gaps"), f"{message}; known: {', '.join(sorted(known))}"


def _target_problems(document: PolicyDocument) -> Found:
    for at, target in enumerate(document.targets):
        for path, message in _one_target(target, document):
            yield ("targets", at, *path), message


def _one_target(
    target: TargetDocument, document: PolicyDocument
) -> Iterator[tuple[tuple[str, ...], str]]:
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
    known = sorted(known)
    near = difflib.get_close_matches(value, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{what} '{value}' does not exist; {hint}known: {', '.join(known)}"


def _resolve(
    document: PolicyDocument, zone_name: str, zoneless: frozenset[str], decided: bool, prefix: str
) -> Policy:
    canonical = json.dumps(
        {"document": document.model_dump(mode="json"), "zone": zone_name}, sort_keys=True
    )
    severity = document.severity
    return Policy(
        id=document.policy,
        title=document.title,
        document=document.document,
        version=f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}",
        levels=tuple(Level(**dict(level)) for level in severity.levels),
        severity_rules=tuple(
            SeverityRule(
                taken_from=rule.taken_from,
                when=rule.when,
                level=rule.severity,
                source=rule.source,
                gaps=rule.gaps,
            )
            for rule in severity.rules
        ),
        exemptions=tuple(Exemption(**dict(one)) for one in document.exempt),
        targets=tuple(_target(one, document) for one in document.targets),
        calendars={name: one.to_schedule(name) for name, one in document.calendars.items()},
        zone=zone_named(zone_name),
        zone_name=zone_name,
        zone_is_decided=decided,
        zoneless=zoneless,
        waiting={cause.value: effect for cause, effect in document.waiting.items()},
        on_reopen=document.on_reopen,
        at_risk_at=Fraction(str(document.at_risk_at)),
        business_day=document.business_day,
        duties=tuple(Duty(**dict(one)) for one in document.duties),
        tiers=tuple(Tier(**dict(one)) for one in document.tiers),
        gaps={one.id: Gap(**dict(one)) for one in document.gaps},
        prefix=prefix,
    )


def _target(document: TargetDocument, policy: PolicyDocument) -> Target:
    regime = document.regime
    return Target(
        metric=document.metric,
        when=document.when,
        calendar=None if document.clock == ELAPSED else document.clock,
        aim=document.aim,
        limit=document.limit or document.every,
        regime=Regime(**dict(regime)) if regime else None,
        strict=document.under,
        commitment=document.commitment or policy.commitment,
        source=document.source,
        gaps=document.gaps,
    )
