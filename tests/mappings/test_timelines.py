"""Whole tickets, told in timelines/*.yaml so that a support lead can read, check and add them.

A story gives the account's time zone, how the ticket came in, and then, in the order of time, what
`happens` and what to `expect`. Times are local; an expectation names only what matters: `state`,
`severity`, `tier`, `tags` (all of them, without the prefix), `gaps` (all of them, by id), and for a
metric its `state`, `due`, `aim`, `at_risk`, `fulfilled`, `breached`, `excused`, or `absent`. The
policy is user-support, unless the story names another shipped one as `policy` or brings one of its
own as `text`; `contracts` are texts or names of shipped ones. What `happens` is `reply`, `call`, or
the values that changed.

A `ticket` may have, beside its values (`severity`, `status`, `kind`, `channel`, mapped fields):
`mapped` (the fields that the account has, filled or not), `plans`, `organization`, `domains`,
`own_dues` (the helpdesk's own date by metric), `calls`, and `reported` where it was logged late.
`exceptions` are dues promised in writing: `reference`, `written`, `until`, and perhaps `metric`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mappings.answer import as_json
from mappings.entitlement import TicketException
from mappings.evaluate import Evaluation, MetricResult, evaluate
from mappings.policy import Metric, Policy
from tests.builders import a_policy, a_ticket, history, local, shipped, shown

FOLDER = Path(__file__).parent / "timelines"
STORIES = sorted(FOLDER.glob("*.yaml"))
INSTANTS = frozenset({"at", "reported"})


def steps() -> Iterator[Any]:
    for path in STORIES:
        story = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        for step in story["steps"]:
            if "expect" in step:
                yield pytest.param(story, step, id=f"{path.stem}, {step['at']}")


@pytest.mark.parametrize(("story", "step"), list(steps()))
def test_a_story_goes_as_it_is_told(story: dict[str, Any], step: dict[str, Any]) -> None:
    found = judged(story, step["at"])
    told = {name: said(found, name, wanted, story) for name, wanted in step["expect"].items()}
    assert told == step["expect"]


def judged(story: dict[str, Any], at: str) -> Evaluation:
    zone = story["time_zone"]
    events = "; ".join(
        f"{one['at']} {one['happens']}" for one in story["steps"] if "happens" in one
    )
    ticket = a_ticket(events=history(events, zone=zone), **opened(story["ticket"], zone))
    exceptions = [excepted(one, zone) for one in story.get("exceptions", ())]
    return evaluate(ticket, judged_by(story), local(at, zone), exceptions)


def judged_by(story: dict[str, Any]) -> Policy:
    zone, contracts = story["time_zone"], tuple(story.get("contracts", ()))
    if "text" in story:
        return a_policy(text=story["text"], zone=zone, contracts=contracts)
    return shipped(story.get("policy", "user-support"), zone, contracts)


def excepted(one: dict[str, str], zone: str) -> TicketException:
    return TicketException(
        reference=one["reference"],
        written_at=local(one["written"], zone),
        until=local(one["until"], zone),
        metric=Metric(one["metric"]) if "metric" in one else None,
    )


def opened(ticket: dict[str, Any], zone: str) -> dict[str, Any]:
    """The ticket of a story as `a_ticket` takes it: local times become instants."""
    found = {name: str(one) if type(one) is int else one for name, one in ticket.items()}
    for name in INSTANTS & found.keys():
        found[name] = local(found[name], zone)
    if "own_dues" in found:
        dues = found["own_dues"].items()
        found["own_dues"] = {metric: local(due, zone) for metric, due in dues}
    if "calls" in found:
        found["calls"] = [local(one, zone) for one in found["calls"]]
    return found


def said(found: Evaluation, name: str, wanted: Any, story: dict[str, Any]) -> Any:
    """What the evaluation says of one thing, in the form in which the story tells it."""
    answer = as_json(found)
    if name in list(Metric):
        metric = found.metric(Metric(name))
        if metric is None or wanted == "absent":
            return "absent" if metric is None else metric.state.value
        return {one: of_metric(metric, one, story["time_zone"]) for one in wanted}
    if name == "severity":
        return answer["severity"] and answer["severity"]["id"]
    if name == "tags":
        return [tag.removeprefix("sla_") for tag in answer["tags"]]
    if name == "gaps":
        return [gap.split(":")[0] for gap in answer["gaps"]]
    if name in ("next_due_at", "next_change_at"):
        return shown(getattr(found, name), story["time_zone"])
    return answer[name]


def of_metric(metric: MetricResult, name: str, zone: str) -> Any:
    outcome = metric.outcome
    instants = {
        "due": outcome.due_at,
        "aim": outcome.aim_at,
        "at_risk": outcome.at_risk_at,
        "breached": outcome.breached_at,
        "fulfilled": metric.fulfilled_at,
    }
    if name in instants:
        return shown(instants[name], zone)
    return {
        "state": metric.state.value,
        "governed_by": metric.promise.governed_by,
        "excused": outcome.excused,
    }[name]
