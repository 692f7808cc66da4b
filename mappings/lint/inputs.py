"""Findings about field mappings: what policies ask for, and what the fields give."""

from collections.abc import Iterator, Sequence

from mappings.document.fields import FieldsDocument
from mappings.document.policy import conditions_of
from mappings.document.policy_form import PolicyDocument
from mappings.document.problems import near
from mappings.escalation import TIER
from mappings.field_mapping import REPORTED_AT
from mappings.lint.findings import Found
from mappings.policy import Metric
from mappings.severity import OWN_FACTS, REQUESTED
from mappings.ticket import ASSESSED, CLASS, DESCRIPTION, PRIORITY, PROMISED_UPDATE, STATUS
from mappings.waiting import INPUTS

RATING = "rating"  #: mapped by default on Zendesk, whatever the policy is
_WAITS = frozenset(name for names in INPUTS.values() for name in names)
#: inputs that mean something without a policy that asks for them
_OURS = _WAITS | {ASSESSED, REQUESTED, PROMISED_UPDATE, REPORTED_AT, TIER, RATING}
#: facts that need no field
_TOLD = frozenset({*OWN_FACTS, CLASS, PRIORITY, STATUS, DESCRIPTION, *Metric})


def fields_findings(document: FieldsDocument, policies: Sequence[PolicyDocument]) -> Found:
    """What is wrong with a mapping by itself, and with it under the policies that were given."""
    yield from _output_findings(document)
    yield from _flag_findings(document)
    if policies:
        asked = frozenset(name for policy in policies for name in _asked(policy))
        yield from _input_findings(document, asked)
        yield from _unmapped(document, policies)


def _output_findings(document: FieldsDocument) -> Found:
    seen: dict[str, str] = {}
    read = {one.field: name for name, one in document.inputs.items() if one.of == "ticket"}
    for name, output in document.outputs.items():
        path = ("outputs", name)
        if output.field in seen:
            message = f"'{name}' and '{seen[output.field]}' are written into one field"
            yield "output-twice", path, f"{message}, {output.field}"
        if output.field in read:
            message = f"the field {output.field} is written as '{name}' and read as"
            yield "output-is-input", path, f"{message} '{read[output.field]}'"
        seen.setdefault(output.field, name)


def _flag_findings(document: FieldsDocument) -> Found:
    for cause, names in INPUTS.items():
        for bound in (names.begins, names.ends):
            if bound in document.inputs and names.flag not in document.inputs:
                message = f"'{bound}' bounds a wait that nothing flags; map '{names.flag}' too"
                yield "flag-missing", ("inputs", bound), message
        if cause.value != names.flag and cause.value in document.inputs:
            message = f"'{cause.value}' flags nothing; the input is called '{names.flag}'"
            yield "flag-missing", ("inputs", cause.value), message


def _input_findings(document: FieldsDocument, asked: frozenset[str]) -> Found:
    causes = {cause.value for cause in INPUTS}  # one that is no flag is told of above
    for name in document.inputs:
        if name in asked or name in _OURS or name in causes:
            continue
        meant = near(name, ((asked - _TOLD) | _OURS) - document.inputs.keys(), cutoff=0.75)
        if meant is not None:
            message = f"no policy asks for '{name}'; did you mean '{meant}'?"
            yield "input-unknown", ("inputs", name), message
        else:
            yield "input-unused", ("inputs", name), f"no policy among these asks for '{name}'"


def _unmapped(document: FieldsDocument, policies: Sequence[PolicyDocument]) -> Found:
    for policy in policies:
        missing = sorted({*_asked(policy)} - document.inputs.keys() - _TOLD)
        if missing:
            message = f"policy '{policy.policy}' asks for what no field fills: {', '.join(missing)}"
            yield "fact-unmapped", ("inputs",), message


def _asked(policy: PolicyDocument) -> Iterator[str]:
    for _, condition in conditions_of(policy):
        yield from condition.facts()
    for required in policy.information.required:
        yield from required.any_of
    for duty in policy.duties:
        yield from (*duty.missing, *duty.missing_all)
    for one in policy.fulfilment:
        yield from (name for name in (one.filled, one.or_at) if name)
    matrix = policy.severity.matrix
    if matrix is not None:
        yield from (matrix.rows, matrix.columns)
