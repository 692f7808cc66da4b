"""Knows which files were given to lint, and what each of them holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any

from mappings.document.calendar import Read
from mappings.document.careful_yaml import at
from mappings.document.contract import Overlay, parse_contract
from mappings.document.fields import FieldsDocument
from mappings.document.policy import checked, laid, with_zones
from mappings.document.policy_form import CalendarDocument, PolicyDocument
from mappings.document.problems import near
from mappings.document.reading import DocumentError, decoded, locate, parse_yaml, validate
from mappings.document.zones import zone_named
from mappings.lint.findings import Finding, of_problem

POLICY, CONTRACT, FIELDS = "policy", "contract", "helpdesk"
KINDS = (POLICY, CONTRACT, FIELDS)  #: the key that each kind of file begins with


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file as it was found."""

    file: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What the files themselves do not say."""

    #: the zone of calendars whose document names none
    zone_name: str
    zone_is_decided: bool
    #: (policy file) -> what reads an iCalendar file by its name there
    reader: Callable[[str], Read]

    @property
    def zone(self) -> tzinfo:
        """The account's zone."""
        return zone_named(self.zone_name)


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """A policy, alone or with contracts laid over it."""

    file: str
    data: Any
    setting: Setting
    layers: tuple[Overlay, ...] = ()

    @cached_property
    def _checked(self) -> tuple[PolicyDocument, frozenset[str]]:
        merged, place = laid(self.data, self.file, self.layers)
        if not self.layers:
            place = self.place
        read = self.setting.reader(self.file)
        return checked(merged, self.file, self.setting.zone_name, place, read)

    @property
    def document(self) -> PolicyDocument:
        """The checked policy. Raises `DocumentError`."""
        return self._checked[0]

    def error(self) -> DocumentError | None:
        """Why it cannot be used; None where it can."""
        try:
            self._checked  # noqa: B018 -- it is kept for the answer
        except DocumentError as error:
            return error
        return None

    @property
    def zoneless(self) -> frozenset[str]:
        """The calendars whose zone the document leaves to the account."""
        return self._checked[1]

    @property
    def id(self) -> str:
        """The name of the policy."""
        return str(self.data.get(POLICY))

    def place(self, path: tuple[Any, ...]) -> tuple[str, int, int]:
        """File, line and column of a part of the policy itself."""
        return self.file, *locate(self.data, path)

    def calendars(self) -> Mapping[str, CalendarDocument]:
        """The calendars as they are written, holidays by country and file."""
        merged, _ = laid(self.data, self.file, self.layers)
        data, _ = with_zones(merged, self.setting.zone_name)
        written = data.get("calendars", {})
        return {name: CalendarDocument.model_validate(one) for name, one in written.items()}

    def under(self, *layers: Overlay) -> "PolicyFile":
        """The same policy with contracts laid over it, the last one on top."""
        return PolicyFile(file=self.file, data=self.data, setting=self.setting, layers=layers)


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldsFile:
    """A field mapping."""

    file: str
    data: Any
    document: FieldsDocument

    def place(self, path: tuple[Any, ...]) -> tuple[str, int, int]:
        """File, line and column of a part of the mapping."""
        return self.file, *locate(self.data, path)


@dataclass(kw_only=True, slots=True)
class Given:
    """What the files hold, sorted by kind, and what is wrong with those that do not load."""

    setting: Setting
    policies: list[PolicyFile]
    contracts: list[Overlay]
    fields: list[FieldsFile]
    findings: list[Finding]
    #: names of policies that were given and cannot be used
    broken: set[str]


def read_all(sources: Sequence[Source], setting: Setting) -> Given:
    """Every file that can be loaded, and the problems of the others."""
    given = Given(setting=setting, policies=[], contracts=[], fields=[], findings=[], broken=set())
    for source in sources:
        try:
            _take(source, setting, given)
        except DocumentError as error:
            given.findings.extend(map(of_problem, error.problems))
    return given


def policy_in(source: Source, setting: Setting) -> PolicyFile:
    """The policy in a file. Raises `DocumentError`."""
    text = decoded(source.content, source.file)
    found = PolicyFile(file=source.file, data=parse_yaml(text, source.file), setting=setting)
    error = found.error()
    if error is not None:
        raise error
    return found


def _take(source: Source, setting: Setting, given: Given) -> None:
    text = decoded(source.content, source.file)
    data = parse_yaml(text, source.file)
    kind = _kind(data)
    if kind == POLICY:
        given.broken.add(str(data[POLICY]))
        given.policies.append(policy_in(source, setting))
        given.broken.discard(str(data[POLICY]))
    elif kind == CONTRACT:
        given.contracts.append(parse_contract(text, source.file))
    elif kind == FIELDS:
        document = validate(FieldsDocument, data, source.file)
        given.fields.append(FieldsFile(file=source.file, data=data, document=document))
    elif data is None:
        raise at(source.file, 1, 1, "is empty")
    else:
        given.findings.extend(_unknown_kind(data, source.file))


def _kind(data: Any) -> str | None:
    names = data if isinstance(data, Mapping) else ()
    return next((str(name) for name in names if name in KINDS), None)


def _unknown_kind(data: Any, file: str) -> Iterator[Finding]:
    first = next(iter(data), None) if isinstance(data, Mapping) else None
    meant = near(str(first), KINDS) if first is not None else None
    hint = f"; did you mean '{meant}' instead of '{first}'?" if meant else ""
    rule = f"a file begins with {', '.join(f'{kind}:' for kind in KINDS[:-1])} or {FIELDS}:"
    for problem in at(file, 1, 1, f"{rule}{hint}").problems:
        yield of_problem(problem, "unknown-kind")
