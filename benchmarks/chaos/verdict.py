"""Judges a run that has come to rest: was anything lost, was anything done twice?"""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.chaos.desk import Deed
from benchmarks.chaos.processes import Blow
from benchmarks.chaos.stage import Account, Stage
from benchmarks.running import DESKCLOCK
from benchmarks.truth import CLOCK_IS_KNOWN_TO, Final, Reader, differences

SENDERS = ("worker", "postgres")  # whose end leaves a call without anybody who waits for it
KILL_SECONDS = 1.0  # a call that arrives so long after a kill was on its way already
MARKER = re.compile(r"\[deskclock ([0-9a-f]{32})\]")  # as connector/engine/notes ends a note

Findings = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What was found on one account; all findings are by ticket or delivery id."""

    account: str
    tickets: int
    #: deliveries that were answered with 202
    accepted: int
    #: writes of deskclock by what became of them: changed, unknown outcome, outlived, in vain
    writes: Mapping[str, int]
    #: tickets that stand otherwise than `deskclock evaluate` says
    wrong: Findings
    #: deliveries, or tickets of deliveries, that got a 202 and are not known any more
    lost: Findings
    #: writes that changed nothing, or back to what stood there before, without an excuse
    in_vain: Findings
    #: private notes of deskclock that stand in tickets
    notes: int
    #: those that stand in a ticket twice, or not at all
    doubled: Findings
    no_note: Findings

    @property
    def findings(self) -> dict[str, Findings]:
        """Everything that must not be, by what it is."""
        found = {
            "stand otherwise than evaluated": self.wrong,
            "got a 202 and are lost": self.lost,
            "were written though they were right": self.in_vain,
            "have a note twice": self.doubled,
            "have not the note that is said to be written": self.no_note,
        }
        return {name: one for name, one in found.items() if one}


def judge(stage: Stage, one: Account, at: datetime) -> Judgement:
    """Judge one account at the instant at which its clock stands still."""
    ids = sorted(str(row["id"]) for row in one.helpdesk.control("GET", "tickets")["tickets"])
    finals = Reader(one.helpdesk).read(ids)
    deeds = one.deeds()
    accepted = _accepted(one)
    sorted_out = sort_out(deeds, stage.processes.blows)
    markers = {final.ticket_id: markers_in(final) for final in finals}
    return Judgement(
        account=one.name,
        tickets=len(finals),
        accepted=len(accepted),
        writes=Counter(word for word, _ in sorted_out),
        wrong=_wrong(stage, one, finals, at),
        lost=_lost(stage, one, accepted),
        in_vain=_in_vain(sorted_out),
        notes=sum(map(len, markers.values())),
        doubled=doubled(markers),
        no_note=_no_note(stage, one, markers),
    )


def _wrong(stage: Stage, one: Account, finals: Sequence[Final], at: datetime) -> Findings:
    """Compared at the final instant, and as deskclock may know that instant, before and after."""
    wrong = differences(finals, one.scene, at, stage.folder)
    if wrong:
        doubtful = [final for final in finals if final.ticket_id in wrong]
        later = differences(doubtful, one.scene, at + CLOCK_IS_KNOWN_TO, stage.folder)
        wrong = {ticket: lines for ticket, lines in wrong.items() if ticket in later}
    reasons = stage.reasons(one)
    return {
        ticket: [*lines, reasons[ticket]] if ticket in reasons else lines
        for ticket, lines in wrong.items()
    }


def _accepted(one: Account) -> list[tuple[str, str]]:
    """Delivery id and ticket id of every answer of 2xx."""
    sent = one.helpdesk.control("GET", "deliveries?limit=1000000")["deliveries"]
    return [
        (row["id"], str(row["ticket_id"]))
        for row in sent
        for attempt in row["attempts"][-1:]
        if attempt["status"] is not None and 200 <= attempt["status"] < 300
    ]


def _lost(stage: Stage, one: Account, accepted: Sequence[tuple[str, str]]) -> Findings:
    """Zendesk's ids are stored; on Freshdesk each delivery has asked for a look at its ticket."""
    if one.helpdesk.kind == "zendesk":
        known = stage.remembered(one)
        return {key: [f"of ticket {ticket}"] for key, ticket in accepted if key not in known}
    hints = stage.hints(one)
    return {
        ticket: [f"{count} deliveries, and a look was asked for {hints.get(ticket, 0)} times"]
        for ticket, count in Counter(ticket for _, ticket in accepted).items()
        if hints.get(ticket, 0) < count
    }


def sort_out(deeds: Sequence[Deed], blows: Sequence[Blow]) -> list[tuple[str, Deed]]:
    """What became of each write of deskclock.

    `changed` is as it should be. A write that changed nothing has one of two excuses: the one
    before it took effect only after its sender was killed (`outlived`), or its answer was spoilt
    (`unknown outcome`). Otherwise it was `in vain`; so is one that brings back what stood there
    before though nothing else has happened to the ticket meanwhile.
    """
    kills = [blow.at for blow in blows if blow.name.startswith(SENDERS)]
    latest: dict[int, Deed] = {}
    seen: dict[int, set[str]] = {}
    found = []
    for deed in deeds:
        if not deed.by_api:
            seen[deed.ticket] = set()
            continue
        before = latest.get(deed.ticket)
        stood = seen.setdefault(deed.ticket, set())
        if deed.changed and deed.standing not in stood:
            word = "changed"
        elif before is not None and before.spoilt:
            word = "unknown outcome"
        elif before is not None and _outlived(before, kills):
            word = "outlived"
        else:
            word = "in vain"
        found.append((word, deed))
        stood.add(deed.standing)
        latest[deed.ticket] = deed
    return found


def _outlived(deed: Deed, kills: Sequence[float]) -> bool:
    return any(deed.asked_at - KILL_SECONDS <= at <= deed.done_at for at in kills)


def _in_vain(sorted_out: Sequence[tuple[str, Deed]]) -> Findings:
    found: Findings = {}
    for word, deed in sorted_out:
        if word == "in vain":
            told = "changed it back" if deed.changed else "changed nothing"
            line = f"{told}, asked for at {deed.asked_at:.3f} and done at {deed.done_at:.3f}"
            found.setdefault(str(deed.ticket), []).append(line)
    return found


def markers_in(final: Final) -> list[str]:
    """The markers of deskclock's private notes in a ticket."""
    return [marker for text in _private_notes(final) for marker in MARKER.findall(text)]


def doubled(markers: Mapping[str, Sequence[str]]) -> Findings:
    """Notes that stand in a ticket more than once, by ticket id."""
    found = {}
    for ticket, here in markers.items():
        if more := [f"{count} times {one}" for one, count in Counter(here).items() if count > 1]:
            found[ticket] = more
    return found


def _no_note(stage: Stage, one: Account, markers: Mapping[str, Sequence[str]]) -> Findings:
    found: Findings = {}
    for ticket, marker in stage.notes(one):
        if marker not in markers.get(ticket, ()):
            found.setdefault(ticket, []).append(marker)
    return found


def _private_notes(final: Final) -> list[str]:
    document = final.document
    if "conversations" in document:
        return [row["body_text"] for row in document["conversations"] if row["private"]]
    events = [event for audit in document["audits"] for event in audit["events"]]
    return [one["body"] for one in events if one["type"] == "Comment" and not one["public"]]


def broken_evidence(stage: Stage) -> str:
    """What `deskclock evidence verify` finds broken; empty: nothing."""
    ended = subprocess.run(
        [*DESKCLOCK, "evidence", "verify"],
        cwd=stage.folder, env={**os.environ, **stage.environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr
