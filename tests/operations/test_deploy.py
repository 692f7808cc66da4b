"""Every query of the dashboard and of the alerts asks for a figure that exists, by its labels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.telemetry import REGISTRY
from operations.metrics import _Figures
from tests.operations.conftest import Stage

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/deskclock.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
NAME = re.compile(r"\bdeskclock_\w+")


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


EXPRESSIONS = sorted(set(expressions()))


@pytest.fixture
def known(stage: Stage) -> dict[str, set[str]]:
    """Each name that a scrape can hold -> its labels."""
    found: dict[str, set[str]] = {}
    stage.well()
    stage.limit(allowance=1, remaining=1)
    stage.feed(position=stage.at)
    families = list(_Figures(stage.database, stage.served).collect())
    labels = {one._name: set(one._labelnames) for one in REGISTRY._collector_to_names}  # type: ignore[attr-defined]
    for family in families:
        has = labels.get(family.name)
        if has is None:
            has = {name for one in family.samples for name in one.labels}
        for suffix in SUFFIXES[family.type]:
            found[family.name + suffix] = has | ({"le"} if suffix == "_bucket" else set())
    return found


SUFFIXES = {
    "gauge": ("",),
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_query_asks_for_what_exists(text: str, known: Any) -> None:
    names = NAME.findall(text)
    assert names
    assert [one for one in names if one not in known] == []
    labels = {label for one in names for label in known[one]}
    grouped = {
        one.strip() for found in re.findall(r"by \(([^)]*)\)", text) for one in found.split(",")
    }
    chosen = {
        one
        for found in re.findall(r"\{([^}]*)\}", text)
        for one in re.findall(r"(\w+)\s*[!=]", found)
    }
    assert (grouped | chosen) - labels == set()
    assert text.count("(") == text.count(")")


def test_a_query_of_a_name_that_does_not_exist_would_be_found(known: Any) -> None:
    assert "deskclock_due_ticket" not in known
    assert known["deskclock_hint_to_written_seconds_bucket"] == {"account", "le"}


def test_every_figure_and_every_alert_is_documented(known: Any) -> None:
    documented = {name for found in re.findall(r"`(deskclock_[^`{ ]+)`", PAGE) for name in [found]}
    assert {
        one for one in known if not one.endswith(("_bucket", "_sum", "_count"))
    } - documented == set()
    alerts = {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}
    assert {one for one in alerts if one not in PAGE} == set()
