"""Whole tickets, told in timelines/*.yaml so that a support lead can read, check and add them.

A story gives the account's time zone, how the ticket came in, and then, in the order of time, what
`happens` and what to `expect`. Times are local; an expectation names only what matters: `state`,
`severity`, `tier`, `tags` (all of them, without the prefix), `gaps` (all of them, by id), and for a
metric its `state`, `due`, `aim`, `at_risk`, `fulfilled`, `breached`, `excused`, or `absent`. The
policy is user-support, unless the story brings one of its own as `text`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mappings.answer import as_json
from mappings.evaluate import Evaluation, MetricResult, evaluate
from mappings.policy import Metric
from tests.builders import a_policy, a_ticket, history, local, shown, user_support

FOLDER = Path(__file__).parent / "timelines"
STORIES = sorted(FOLDER.glob("*.yaml"))


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
    policy = a_policy(text=story["text"], zone=zone) if "text" in story else user_support(zone)
    events = "; ".join(
        f"{one['at']} {one['happens']}" for one in story["steps"] if "happens" in one
    )
    opened = dict(story["ticket"])
    ticket = a_ticket(at=local(opened.pop("at"), zone), events=history(events, zone=zone), **opened)
    return evaluate(ticket, policy, local(at, zone))


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
