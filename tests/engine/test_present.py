"""A policy that rests on the present alone: no history is read, but where a minute would decide."""

from dataclasses import replace
from pathlib import Path

import pytest

from connector.engine.policies import as_written
from tests.engine.conftest import Desk, choice

POLICY = """
policy: present
title: One hour
document: none
commitment: target
judge_by: latest
calendars:
  always: {time_zone: Europe/London, week: always}
severity:
  levels: [{id: normal, name: Normal}]
  rules: [{severity: normal}]
targets:
  first_response: [{limit: 1h, clock: always}]
  resolution: [{limit: 5d, clock: always}]
"""


@pytest.fixture
def present(zendesk: Desk, tmp_path: Path) -> Desk:
    path = tmp_path / "present.yaml"
    path.write_text(POLICY, encoding="utf-8")
    assignments = as_written([choice(str(path))])
    zendesk.account = replace(zendesk.account, assignments=assignments)
    return zendesk


@pytest.mark.parametrize(
    ("reply_after", "asked", "state"),
    [(1_800.0, 0, "met"), (3_590.0, 1, "met"), (3_605.0, 1, "breached"), (5_400.0, 0, "breached")],
    ids=["in time", "just in time", "just late", "late"],
)
def test_the_exact_instant_is_read_only_where_a_minute_would_decide(
    present: Desk, reply_after: float, asked: int, state: str
) -> None:
    assert not present.account.needs_past
    present.control("POST", "clock", {"freeze": True})
    ticket = present.create()
    present.advance(reply_after)
    present.reply(ticket)
    present.advance(60)
    present.enrich(ticket)
    present.drain_until_quiet()
    assert present.helpdesk.called.count("history") == asked
    assert present.metric(ticket, "first_response")["state"] == state
    assert present.right(ticket)
