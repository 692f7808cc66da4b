"""Freshdesk's automation rules with a webhook action: when they fire, and what they send."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.clock import Clock
from sandbox.freshdesk.changes import CREATED, Moved, Save
from sandbox.freshdesk.errors import BLANK, Flaw, broken, flawed
from sandbox.freshdesk.kinds import (
    ID,
    LIST,
    PAIRS,
    TEXT,
    TRUTH,
    all_objects,
    blank_flaws,
    kind_flaws,
    mismatch,
)
from sandbox.freshdesk.people import People
from sandbox.state import Doc, Row, State

ON_CREATION, BY_TIME, ON_UPDATE = 1, 3, 4
KINDS = (ON_CREATION, BY_TIME, ON_UPDATE)
WEBHOOK = "trigger_webhook"
SIMPLE, ADVANCED = "1", "2"
_FIRST_RULE = 43_000_710_001
_ANY = "--"
_NEEDED = ("request_type", "content_type", "content_layout", "url", "content", "custom_headers")
_CHANGEABLE = (
    "name", "description", "position", "active", "performer", "events", "conditions", "operator",
    "actions",
)  # fmt: skip
_KINDS = {
    "name": TEXT, "description": TEXT, "position": ID, "active": TRUTH, "performer": PAIRS,
    "events": LIST, "conditions": LIST, "operator": TEXT, "actions": LIST,
}  # fmt: skip
_ACTION_KINDS = {"field_name": TEXT, "url": TEXT, "custom_headers": PAIRS, "auth_header": PAIRS}
_KEYS = {"ticket_type": "type", "agent": "responder_id", "tag_names": "tags"}
_OPERATORS = {"in": True, "is": True, "not_in": False, "is_not": False}
_NO_CONDITIONS = {"name": "condition_set_1", "match_type": "all", "properties": []}
# What is sent is asked for word by word, so that no rule promises more than the sandbox does.
_ONLY: Mapping[str, tuple[Any, ...]] = {
    "request_type": ("POST",), "content_type": ("JSON",), "content_layout": (SIMPLE, ADVANCED),
}  # fmt: skip


class Rules:
    """The rules by type. Time-triggered ones are kept and never fire."""

    def __init__(self, state: State, clock: Clock, people: People) -> None:
        self._state = state
        self._clock = clock
        self._people = people
        self._lock = threading.RLock()
        self._all: dict[int, Doc] = {int(d["id"]): d for d in state.all("rule")}

    def all(self, kind: int) -> list[Doc]:
        """The rules of a type by position."""
        found = [_shown(doc) for doc in self._all.values() if doc["_kind"] == kind]
        return sorted(found, key=lambda doc: (doc["position"], doc["id"]))

    def get(self, kind: int, rule_id: int) -> Doc | None:
        """One rule, or None."""
        found = self._all.get(rule_id)
        return _shown(found) if found is not None and found["_kind"] == kind else None

    def create(self, kind: int, wanted: Mapping[str, Any], by: int) -> Doc:
        """Create a rule. Raises FreshdeskError: 400, or 500 for an action that lacks a key."""
        _check(kind, wanted, new=True)
        at = self._clock.stamp()
        with self._lock:
            rule: Doc = {
                "id": self._state.next_id("automation", start=_FIRST_RULE), "name": "",
                "description": None, "position": len(self.all(kind)) + 1, "active": True,
                "outdated": False, "performer": {}, "events": [],
                "conditions": [dict(_NO_CONDITIONS)], "operator": "condition_set_1",
                "actions": [], "summary": {},
                "affected_tickets_count": 0, "created_at": at, "_kind": kind,
            }  # fmt: skip
            return self._store(rule | _given(wanted, by, at))

    def update(self, kind: int, rule_id: int, wanted: Mapping[str, Any], by: int) -> Doc:
        """Change a rule. Raises FreshdeskError as `create` does."""
        _check(kind, wanted, new=False)
        with self._lock:
            return self._store(self._all[rule_id] | _given(wanted, by, self._clock.stamp()))

    def remove(self, rule_id: int) -> None:
        """Delete a rule."""
        with self._lock:
            self._state.remove("rule", rule_id)
            self._all.pop(rule_id, None)

    def fired(self, ticket: Doc, save: Save) -> list[tuple[Doc, Doc, str]]:
        """Each webhook that a save sets off: the rule, its action, and the event's text."""
        kind = ON_CREATION if save.action == CREATED else ON_UPDATE
        found = []
        for rule in self.all(kind) if self._all else []:
            event = self._event(rule, kind, save) if rule["active"] else None
            if event is not None and _meets(rule, ticket):
                webhooks = (one for one in rule["actions"] if one["field_name"] == WEBHOOK)
                found += [(rule, action, event) for action in webhooks]
        return found

    def _event(self, rule: Doc, kind: int, save: Save) -> str | None:
        """The first event of the rule that the save matches; None when there is none."""
        if kind == ON_CREATION:
            return triggered_event(save)
        if not self._performed(rule["performer"], save.by):
            return None
        texts = (_matching(event, save) for event in rule["events"])
        return next((text for text in texts if text is not None), None)

    def _performed(self, performer: Mapping[str, Any], by: int | None) -> bool:
        members = performer.get("members") or []
        is_agent = by in self._people.agents
        match performer.get("type"):
            case 1:  # agent
                return is_agent and (not members or by in members)
            case 2:  # requester
                return by in self._people.contacts
            case 3:  # either
                return by is not None
        return by is None  # 4: Freshdesk itself

    def _store(self, rule: Doc) -> Doc:
        self._state.put(Row(kind="rule", id=rule["id"], doc=rule))
        self._all[rule["id"]] = rule
        return _shown(rule)


def triggered_event(save: Save) -> str:
    """The first thing that happened, in Freshdesk's notation that looks like JSON but is not."""
    if save.action is not None:
        return f"{{{save.action[0]}:{save.action[1]}}}"
    return _moved_text(save.moved[0])


def _moved_text(moved: Moved) -> str:
    return f"{{{moved.name}:{{from:{_bare(moved.previous)},to:{_bare(moved.value)}}}}}"


def _bare(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _matching(event: Mapping[str, Any], save: Save) -> str | None:
    name = _KEYS.get(event["field_name"], event["field_name"])
    if name == "ticket_action" and event.get("value") == "update":
        return triggered_event(save) if save.moved else None
    if save.action is not None and name == save.action[0]:
        return triggered_event(save) if _fits(event.get("value"), save.action[1]) else None
    for moved in save.moved:
        is_same = _fits(event.get("from"), moved.previous) and _fits(event.get("to"), moved.value)
        if moved.name == name and is_same:
            return _moved_text(moved)
    return None


def _fits(wanted: Any, value: Any) -> bool:
    return wanted in (None, _ANY, "any") or str(wanted) == _bare(value)


def _meets(rule: Doc, ticket: Doc) -> bool:
    answers = [_meets_set(one, ticket) for one in rule["conditions"]]
    return any(answers) if " or " in str(rule["operator"]).lower() else all(answers)


def _meets_set(conditions: Mapping[str, Any], ticket: Doc) -> bool:
    answers = [_holds(one, ticket) for one in conditions.get("properties") or ()]
    if not answers:
        return True
    return any(answers) if conditions.get("match_type") == "any" else all(answers)


def _holds(condition: Mapping[str, Any], ticket: Doc) -> bool:
    name = _KEYS.get(condition["field_name"], condition["field_name"])
    found = ticket[name] if name in ticket else ticket["custom_fields"].get(name)
    wanted = condition.get("value")
    listed = wanted if isinstance(wanted, list) else [wanted]
    values = found if isinstance(found, list) else [found]
    return any(value in listed for value in values) is _OPERATORS[condition["operator"]]


def _check(kind: int, wanted: Mapping[str, Any], *, new: bool) -> None:
    flaws = _shape_flaws(wanted)
    if flaws:
        raise flawed(flaws)
    needed = ("name", "actions", *(("performer", "events") if kind == ON_UPDATE else ()))
    flaws = [
        Flaw(field=name, message=BLANK, code="missing_field")
        for name in needed
        if (new or name in wanted) and not wanted.get(name)
    ]
    for action in wanted.get("actions") or []:
        flaws += _action_flaws(action)
    for listed in wanted.get("conditions") or []:
        flaws += _condition_flaws(listed.get("properties") or [])
    if flaws:
        raise flawed(flaws)


def _shape_flaws(wanted: Mapping[str, Any]) -> list[Flaw]:
    """What is of another kind than Freshdesk takes."""
    flaws = [*kind_flaws(wanted, _KINDS), *blank_flaws(wanted, ("position", "active"))]
    lists = [name for name in ("actions", "events", "conditions") if wanted.get(name)]
    flaws += [mismatch(n, "Array of objects") for n in lists if not all_objects(wanted[n])]
    if flaws:
        return flaws
    flaws = kind_flaws(wanted.get("performer") or {}, {"type": ID, "members": LIST}, "performer.")
    for event in wanted.get("events") or []:
        flaws += _named_flaws(event, "events.")
    for action in wanted.get("actions") or []:
        flaws += kind_flaws(action, _ACTION_KINDS, "actions.")
    for one in wanted.get("conditions") or []:
        if not all_objects(one.get("properties") or []):
            flaws.append(mismatch("conditions.properties", "Array of objects"))
    return flaws


def _named_flaws(one: Mapping[str, Any], place: str) -> list[Flaw]:
    if one.get("field_name"):
        return kind_flaws(one, {"field_name": TEXT}, place)
    return [Flaw(field=f"{place}field_name", message=BLANK, code="missing_field")]


def _action_flaws(action: Mapping[str, Any]) -> list[Flaw]:
    if action.get("field_name") != WEBHOOK:
        return [_only("actions.field_name", (WEBHOOK,))]
    if any(action.get(name) is None for name in _NEEDED):
        raise broken()
    flaws = [
        _only(f"actions.{name}", known)
        for name, known in _ONLY.items()
        if action[name] not in known
    ]
    if not str(action["url"]).startswith(("http://", "https://")):
        flaws.append(Flaw(field="actions.url", message="It should be a valid URL"))
    return flaws


def _condition_flaws(properties: Sequence[Mapping[str, Any]]) -> list[Flaw]:
    known = tuple(_OPERATORS)
    if any(one.get("operator") not in known for one in properties):
        return [_only("conditions.properties.operator", known)]
    return [flaw for one in properties for flaw in _named_flaws(one, "conditions.properties.")]


def _only(name: str, known: Sequence[str]) -> Flaw:
    return Flaw(field=name, message=f"It should be one of these values: '{','.join(known)}'")


def _given(wanted: Mapping[str, Any], by: int, at: str) -> Doc:
    given = {name: wanted[name] for name in _CHANGEABLE if name in wanted}
    if "conditions" in given:
        given["conditions"] = given["conditions"] or [dict(_NO_CONDITIONS)]
    return given | {"updated_at": at, "last_updated_by": by}


def _shown(rule: Doc) -> Doc:
    return {name: value for name, value in rule.items() if not name.startswith("_")}
