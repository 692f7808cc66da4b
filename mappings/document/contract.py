"""The text of a contract file -> an overlay that can be laid over a policy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from mappings.document.calendar import Date
from mappings.document.condition_form import Name
from mappings.document.policy_form import GapDocument, PolicyDocument
from mappings.document.reading import Document, DocumentError, Problem, locate, parse_yaml, validate
from mappings.policy import Contract

#: keys that say which document it is; a contract leaves them alone
FIXED = frozenset({"policy", "title", "document", "gaps"})
_OVERRIDABLE = frozenset(PolicyDocument.model_fields) - FIXED


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class ContractDocument(Document):
    """A contract file: for whom and when it holds, and what it says otherwise than the policy."""

    contract: Name
    policy: Name = Field(description="the policy that it amends")
    title: str = ""
    plan: Name | None = Field(
        default=None,
        description="with organizations or domains: the plan that they hold; without: the plan "
        "that this file describes",
    )
    organizations: tuple[Id, ...] = Field(default=(), description="ids, as the helpdesk has them")
    domains: tuple[str, ...] = Field(default=(), description="mail domains of the organization")
    valid_from: Date | None = Field(
        default=None, description="first day, in the account's zone; empty: without bound"
    )
    valid_to: Date | None = Field(default=None, description="last day, included")
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="keys of the policy with other values; a list replaces a list",
    )
    gaps: tuple[GapDocument, ...] = Field(
        default=(), description="what this contract leaves open; every answer under it says so"
    )
    source: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ContractDocument":
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to ({self.valid_to}) lies before valid_from")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlay:
    """A contract file that was read."""

    file: str
    data: Any
    document: ContractDocument

    def contract(self, zone: tzinfo) -> Contract:
        """The contract, with its days in `zone`."""
        one = self.document
        return Contract(
            id=one.contract,
            title=one.title or one.contract,
            plan=one.plan,
            organizations=frozenset(one.organizations),
            domains=frozenset(domain.lower() for domain in one.domains),
            begins_at=_midnight(one.valid_from, zone),
            ends_at=_midnight(one.valid_to, zone, later=timedelta(days=1)),
            gaps=tuple(gap.id for gap in one.gaps),
            gives=frozenset(given_by(one.overrides)),
            source=one.source,
        )

    def place(self, path: tuple[Any, ...]) -> tuple[str, int, int]:
        """File, line and column of a part of the overrides."""
        line, column = locate(self.data, ("overrides", *path))
        return self.file, line, column


def parse_contract(text: str, file: str) -> Overlay:
    """The contract in `text`. Raises `DocumentError`."""
    data = parse_yaml(text, file)
    document = validate(ContractDocument, data, file)
    problems = list(_wrong_keys(document, data, file))
    if problems:
        raise DocumentError(problems)
    return Overlay(file=file, data=data, document=document)


def given_by(overrides: Mapping[str, Any]) -> Iterator[str]:
    """The keys that an overlay gives, as in "targets.resolution"."""
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{name}" for name in value)
        else:
            yield key


def laid_over(base: Any, overrides: Any) -> Any:
    """`base` with what `overrides` says otherwise; a list replaces a list. Neither is changed."""
    if not isinstance(base, Mapping) or not isinstance(overrides, Mapping):
        return overrides
    merged = dict(base)
    for key, value in overrides.items():
        merged[key] = laid_over(base[key], value) if key in base else value
    return merged


def _wrong_keys(document: ContractDocument, data: Any, file: str) -> Iterator[Problem]:
    for key in document.overrides:
        if key in _OVERRIDABLE:
            continue
        line, column = locate(data, ("overrides", key))
        known = ", ".join(sorted(_OVERRIDABLE))
        what = "cannot be overridden" if key in FIXED else "is no key of a policy"
        message = f"overrides: '{key}' {what}; possible: {known}"
        yield Problem(file=file, line=line, column=column, grade="E", message=message)


def _midnight(
    day: date | None, zone: tzinfo, *, later: timedelta = timedelta(0)
) -> datetime | None:
    return None if day is None else datetime.combine(day + later, time(0), zone)
