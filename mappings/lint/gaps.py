"""Findings about gaps: where the document is silent, and what nobody has decided yet."""

from collections.abc import Collection, Iterable, Iterator

from mappings.document.policy import gaps_used
from mappings.document.policy_form import GapDocument, PolicyDocument
from mappings.entitlement import ENTITLEMENT_UNKNOWN
from mappings.lint.findings import Found, Path
from mappings.policy import Grade

#: the gap of a document that names hours and no time zone; the calendars tell of it
ZONE_GAP = "time-zone"
_CODES = {
    Grade.ERROR: "gap-undecided",
    Grade.WARNING: "gap-assumed",
    Grade.INFORMATION: "gap-noted",
}


def gap_findings(document: PolicyDocument, decided: Collection[str], zone_is_told: bool) -> Found:
    """`decided` are the ids of gaps that the tenant has decided; with `zone_is_told` the gap of
    the time zone is told by the calendars."""
    used = set(_used(document))
    for at, gap in enumerate(document.gaps):
        if gap.id == ZONE_GAP and zone_is_told:
            continue
        yield _gap(gap, ("gaps", at), document.decisions.get(gap.id), gap.id in decided)
        if gap.grade is Grade.WARNING and gap.id not in used:
            message = f"no rule rests on gap '{gap.id}', so that no answer shows it"
            yield "gap-unused", ("gaps", at), message


def own_gap_findings(gaps: Iterable[GapDocument], decided: Collection[str]) -> Found:
    """The same for the gaps that a contract adds; every answer under it rests on them."""
    for at, gap in enumerate(gaps):
        yield _gap(gap, ("gaps", at), None, gap.id in decided)


def _used(document: PolicyDocument) -> Iterator[str]:
    for _, names in gaps_used(document):
        yield from names
    if document.default_plan is not None:
        yield ENTITLEMENT_UNKNOWN


def _gap(
    gap: GapDocument, path: Path, decision: str | None, is_decided: bool
) -> tuple[str, Path, str]:
    said = f"gap '{gap.id}': {gap.text}"
    if decision is not None or is_decided:
        how = decision or "in a contract for everybody"
        return "gap-decided", path, f"{said}; decided: {how}"
    assumed = f"{said}; assumed: {gap.assumption}"
    if gap.grade is Grade.ERROR:
        way = f"a contract for everybody with overrides: {{decisions: {{{gap.id}: …}}}}"
        return _CODES[gap.grade], path, f"{assumed}. Decide it in {way}"
    return _CODES[gap.grade], path, assumed
