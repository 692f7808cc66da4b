"""Compares what stands in the sandbox's tickets with `deskclock evaluate` of the same tickets."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests
from tqdm import tqdm

from benchmarks.running import DESKCLOCK, BenchmarkError
from benchmarks.stage import Helpdesk, Scene

METRICS = ("first_response", "next_update", "resolution")
# the states in which no due date stands in a ticket (interfaces.md, "What stands in the ticket")
WITHOUT_DATE = frozenset({"met", "paused", "not_started", "cancelled"})
PREFIX = "sla_"
# deskclock knows the helpdesk's clock so well; a change of state within this may still be to come
CLOCK_IS_KNOWN_TO = timedelta(seconds=5)
_CALLERS = 8

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What stands in a ticket: our fields by our names, and our tags."""

    fields: Mapping[str, str | None]
    tags: frozenset[str]
    writable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Final:
    """A ticket as the vendor's API shows it at the end, with its history beside it."""

    ticket_id: str
    subject: str
    document: Document
    standing: Standing


class Reader:
    """Reads the final tickets from the sandbox's API; a session for each thread."""

    def __init__(self, helpdesk: Helpdesk) -> None:
        self._helpdesk = helpdesk
        self._local = threading.local()
        session = helpdesk.session()
        self._titles: dict[int, str] = {}
        if helpdesk.kind == "zendesk":
            fields = helpdesk.api(session, "/api/v2/ticket_fields")["ticket_fields"]
            self._titles = {field["id"]: field["title"] for field in fields}

    def read(self, ids: Sequence[str]) -> list[Final]:
        """The tickets with these ids, in the same order."""
        one = self._zendesk if self._helpdesk.kind == "zendesk" else self._freshdesk
        with ThreadPoolExecutor(_CALLERS) as pool:
            return list(
                tqdm(
                    pool.map(one, ids),
                    total=len(ids),
                    desc="reading back",
                    leave=False,
                    disable=None,
                )
            )

    def _get(self, path: str) -> Any:
        if not hasattr(self._local, "session"):
            self._local.session = self._helpdesk.session()
        session: requests.Session = self._local.session
        return self._helpdesk.api(session, path)

    def _zendesk(self, ticket_id: str) -> Final:
        include = "include=metric_sets,users,organizations"
        many = self._get(f"/api/v2/tickets/show_many?ids={ticket_id}&{include}")
        document: Document = {"ticket": many["tickets"][0], "metric_sets": many["metric_sets"]}
        document["organizations"] = many["organizations"]
        document |= {"audits": [], "users": many["users"]}
        path: str | None = f"/api/v2/tickets/{ticket_id}/audits?include=users&page[size]=100"
        while path:
            page = self._get(path)
            document["audits"] += page["audits"]
            document["users"] += page["users"]
            more = page["meta"]["has_more"]
            path = page["links"]["next"].removeprefix(self._helpdesk.url) if more else None
        ticket = document["ticket"]
        by_title = {
            self._titles.get(row["id"], ""): row["value"] for row in ticket["custom_fields"]
        }
        names = {_title(name): name for name in _names()}
        standing = Standing(
            fields={name: by_title.get(title) or None for title, name in names.items()},
            tags=_ours(ticket["tags"]),
            writable=ticket["status"] != "closed",
        )
        return Final(
            ticket_id=ticket_id, subject=ticket["subject"], document=document, standing=standing
        )

    def _freshdesk(self, ticket_id: str) -> Final:
        ticket = self._get(f"/api/v2/tickets/{ticket_id}?include=stats,company")
        ticket["conversations"] = []
        number, page = 1, None
        while page is None or len(page) == 100:
            path = f"/api/v2/tickets/{ticket_id}/conversations?per_page=100&page={number}"
            page, number = self._get(path), number + 1
            ticket["conversations"] += page
        custom = ticket["custom_fields"]
        fields = {
            name: custom.get("cf_" + _title(name).lower().replace(" ", "_")) or None
            for name in _names()
        }
        fields |= {"fr_due_by": ticket["fr_due_by"], "due_by": ticket["due_by"]}
        standing = Standing(fields=fields, tags=_ours(ticket["tags"]), writable=True)
        return Final(
            ticket_id=ticket_id, subject=ticket["subject"], document=ticket, standing=standing
        )


def _names() -> Iterator[str]:
    for metric in METRICS:
        yield f"{metric}_due_at"
        yield f"{metric}_due_on"
    yield from ("state", "tier", "severity", "explanation")


def _title(name: str) -> str:
    return "SLA " + name.replace("_", " ")


def _ours(tags: Sequence[str]) -> frozenset[str]:
    """Our tags; the options of our drop-down fields stand among the tags too."""
    return frozenset(
        tag for tag in tags if tag.startswith(PREFIX) and not tag.startswith(f"{PREFIX}f_")
    )


def evaluate(finals: Sequence[Final], scene: Scene, at: datetime, folder: Path) -> list[Document]:
    """What `deskclock evaluate` answers for the tickets at an instant, in the same order."""
    path = folder / "final.jsonl"
    path.write_text("".join(json.dumps(one.document) + "\n" for one in finals), encoding="utf-8")
    own = folder / "data" / "policies" / f"{scene.policy}.yaml"
    policy = str(own) if own.exists() else scene.policy
    command = [*DESKCLOCK, "evaluate", "--jsonl", "--policy", policy, "--at", at.isoformat()]
    command += ["--helpdesk", scene.helpdesk, "--time-zone", scene.time_zone, str(path)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchmarkError(f"deskclock evaluate failed: {ended.stderr or ended.stdout[:500]}")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def differences(
    finals: Sequence[Final], scene: Scene, at: datetime, folder: Path
) -> dict[str, list[str]]:
    """What stands otherwise than `deskclock evaluate` says, by ticket id."""
    wrong = {
        one.ticket_id: lines
        for one, answer in zip(finals, evaluate(finals, scene, at, folder), strict=True)
        if (lines := compare(one.standing, answer, scene))
    }
    if not wrong:
        return {}
    doubtful = [one for one in finals if one.ticket_id in wrong]
    before = evaluate(doubtful, scene, at - CLOCK_IS_KNOWN_TO, folder)
    for one, answer in zip(doubtful, before, strict=True):
        if not compare(one.standing, answer, scene):
            del wrong[one.ticket_id]
    return wrong


def compare(standing: Standing, answer: Document, scene: Scene) -> list[str]:
    """How a ticket differs from an evaluation, a line for each difference."""
    wanted = _wanted(answer, ZoneInfo(scene.time_zone))
    lines = []
    if scene.mode == "native":
        lines += _native(standing, wanted)
        for name in list(wanted):
            if name.startswith(("first_response", "resolution")):
                del wanted[name]
    for name, value in wanted.items():
        if standing.fields.get(name) != value:
            lines.append(f"{name} is {standing.fields.get(name)}, not {value}")
    if not standing.fields.get("explanation"):
        lines.append("the explanation is empty")
    severity = (answer["severity"] or {}).get("id")
    if bool(standing.fields.get("severity")) != bool(severity):
        lines.append(f"severity is {standing.fields.get('severity')}, not {severity}")
    if standing.tags != frozenset(answer["tags"]):
        lines.append(f"tags are {sorted(standing.tags)}, not {answer['tags']}")
    return lines


def _wanted(answer: Document, zone: ZoneInfo) -> dict[str, str | None]:
    metrics = {one["metric"]: one for one in answer["metrics"]}
    wanted: dict[str, str | None] = {}
    for name in METRICS:
        found = metrics.get(name)
        due = None if found is None or found["state"] in WITHOUT_DATE else found["due_at"]
        wanted[f"{name}_due_at"] = due
        local = datetime.fromisoformat(due).astimezone(zone) if due else None
        wanted[f"{name}_due_on"] = local.date().isoformat() if local else None
    wanted["state"] = f"{PREFIX}f_state_{answer['state']}" if answer["state"] else None
    wanted["tier"] = f"{PREFIX}f_tier_{answer['tier']}" if answer["tier"] else None
    return wanted


def _native(standing: Standing, wanted: Mapping[str, str | None]) -> list[str]:
    """Freshdesk's own dates: one that is wanted stands there; the resolution comes second."""
    response, resolution = wanted["first_response_due_at"], wanted["resolution_due_at"]
    lines = []
    if response and standing.fields["fr_due_by"] != response:
        lines.append(f"fr_due_by is {standing.fields['fr_due_by']}, not {response}")
    first = standing.fields["fr_due_by"]
    if resolution and first:
        after = datetime.fromisoformat(first) + timedelta(seconds=60)
        repaired = after.strftime("%Y-%m-%dT%H:%M:%SZ")
        right = resolution if resolution > first else repaired
        if standing.fields["due_by"] != right:
            lines.append(f"due_by is {standing.fields['due_by']}, not {right}")
    return lines
