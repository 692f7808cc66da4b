"""Which policy judges a ticket of a running account, and how a changed one reaches it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connector.engine import accounts
from connector.engine.context import Account
from connector.engine.explaining import explain_ticket
from connector.engine.policies import Choice, as_recorded, take_in
from connector.engine.rank import Rank
from connector.store import tables
from connector.store.database import now
from connector.store.documents import find_policy
from mappings.document.condition_form import condition_of
from tests.engine.conftest import Desk, choice

HOUR = 3600


class Files:
    """A data dir with a policy of its own, which the tests edit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        source, _ = find_policy("user-support", folder, (), time_zone=None)
        self.shipped = source.text
        (folder / "policies").mkdir()
        (folder / "contracts").mkdir()

    def policy(self, name: str = "own", *changes: tuple[str, str]) -> Choice:
        """The shipped policy under another name, with some texts replaced."""
        text = self.shipped
        for before, after in (("policy: user-support", f"policy: {name}"), *changes):
            assert before in text
            text = text.replace(before, after)
        (self.folder / "policies" / f"{name}.yaml").write_text(text)
        return choice(name, folder=self.folder)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


HIGH = ("limit: 8h", "limit: 12h")
LATEST = ("at_risk_at: 0.75", "at_risk_at: 0.75\njudge_by: latest")


def start(desk: Desk, *choices: Choice) -> Account:
    """What a start of the worker does with the account."""

    desk.account = take_in(desk.database, desk.account, choices)
    return desk.account


def hours(desk: Desk, ticket: str) -> float:
    """Promised time of the resolution in hours."""
    found = desk.metric(ticket, "resolution")
    due, begun = (datetime.fromisoformat(found[name]) for name in ("due_at", "started_at"))
    return (due - begun).total_seconds() / HOUR


def test_a_ticket_stays_judged_by_the_version_of_its_report(
    desk_anywhere: Desk, files: Files
) -> None:
    desk = desk_anywhere
    start(desk, files.policy())
    early = desk.create()
    desk.enrich(early)
    desk.advance(60)
    for _ in range(3):
        desk.helpdesk.real.identify()
        desk.enrich(early)
    start(desk, files.policy("own", HIGH))
    desk.advance(60)
    late = desk.create()
    desk.drain()
    desk.enrich(late)

    assert (hours(desk, early), hours(desk, late)) == (8, 12)
    assert desk.right(early)
    assert desk.right(late)


def test_the_latest_version_reaches_open_tickets_by_itself(
    desk_anywhere: Desk, files: Files
) -> None:
    desk = desk_anywhere
    start(desk, files.policy("own", LATEST))
    ticket = desk.create()
    desk.enrich(ticket)
    start(desk, files.policy("own", LATEST, HIGH))
    row = desk.row(ticket)
    assert (row["rank"], row["look_at"] <= row["evaluated_at"] + HOUR) == (Rank.BACKFILL, True)
    desk.drain()
    assert hours(desk, ticket) == 12
    assert desk.right(ticket)


def test_a_start_without_a_change_looks_at_nothing(desk: Desk, files: Files) -> None:
    start(desk, files.policy())
    ticket = desk.create()
    desk.enrich(ticket)
    before = desk.row(ticket)
    start(desk, files.policy("own", ("title: User Support", "# words\ntitle: User Support")))
    assert desk.row(ticket) == before


def test_what_is_solved_gone_or_never_seen_is_left_alone(desk: Desk, files: Files) -> None:
    start(desk, files.policy("own", LATEST))
    solved = desk.create()
    desk.edit(solved, status="solved")
    desk.enrich(solved, "99999")
    desk.change(look_at=1.0, not_before=0.0)
    desk.drain()
    start(desk, files.policy("own", LATEST, HIGH))
    desk.forget_requests()
    desk.drain()
    assert desk.requests() == {}


def test_what_was_parked_is_tried_again_under_a_policy_that_was_mended(
    desk: Desk, files: Files
) -> None:
    start(desk, files.policy("own", LATEST))
    parked = desk.create()
    desk.enrich(parked)
    with desk.database.write() as conn:
        where = tables.ticket.c.ticket_id == parked
        broken = {"parked": "broken", "attempts": 5, "evaluation": None, "look_at": None}
        conn.execute(tables.ticket.update().where(where).values(**broken))
    start(desk, files.policy("own", LATEST, HIGH))
    desk.drain()
    row = desk.row(parked)
    assert (row["parked"], row["attempts"]) == (None, 0)
    assert row["evaluation"] is not None


def test_a_ticket_that_is_due_already_keeps_its_better_rank(desk: Desk, files: Files) -> None:
    start(desk, files.policy())
    ticket = desk.create()
    desk.enrich(ticket)
    desk.hint(ticket)
    before = desk.row(ticket)
    start(desk, files.policy("own", HIGH))
    after = desk.row(ticket)
    assert (after["rank"], after["look_at"]) == (Rank.HINT, before["look_at"])
    assert after["wanted"] == before["wanted"] + 1


def test_tags_of_replaced_versions_are_removed(desk_anywhere: Desk, files: Files) -> None:
    desk = desk_anywhere
    start(desk, files.policy("own", LATEST))
    ticket = desk.create()
    desk.enrich(ticket)
    assert "sla_sev_high" in desk.stands(ticket).tags
    renamed = files.policy("own", LATEST, ("id: high\n", "id: grave\n"), ("high}", "grave}"))
    start(desk, renamed)
    desk.drain()
    tags = {tag for tag in desk.stands(ticket).tags if tag.startswith("sla_sev_")}
    assert tags == {"sla_sev_grave"}


def test_tags_of_a_policy_that_is_no_longer_assigned_are_removed(desk: Desk, files: Files) -> None:
    start(desk, files.policy("own", ("id: high\n", "id: grave\n"), ("high}", "grave}")))
    ticket = desk.create()
    desk.enrich(ticket)
    start(desk, choice("user-support"))
    desk.drain()
    tags = {tag for tag in desk.stands(ticket).tags if tag.startswith("sla_sev_")}
    assert tags == {"sla_sev_high"}


def test_going_back_to_an_earlier_text_is_a_new_version_in_force_from_then(
    desk_anywhere: Desk, files: Files
) -> None:
    for choices in ([], [HIGH], [], []):
        start(desk_anywhere, files.policy("own", *choices))
    rows = desk_anywhere.rows(tables.policy_version)
    found = [row["version"] for row in rows]
    assert len(found) == 3
    assert (found[0] == found[2], found[0] == found[1]) == (True, False)
    assert rows[0]["in_force_from"] < rows[1]["in_force_from"] < rows[2]["in_force_from"]


def test_a_version_is_in_force_from_an_instant_of_the_helpdesks_clock(
    desk: Desk, files: Files
) -> None:
    desk.change(tables.account, clock_offset=-9.0 * HOUR)
    start(desk, files.policy())
    with desk.database.read() as conn:
        at = now(conn)
        offset = accounts.clock_offset(conn, "acme")
    (row,) = desk.rows(tables.policy_version)
    assert row["in_force_from"] == pytest.approx(at + offset, abs=60)


def test_an_earlier_version_that_can_no_longer_be_read_does_not_stop_the_account(
    desk: Desk, files: Files
) -> None:
    start(desk, files.policy())
    (row,) = desk.rows(tables.policy_version)
    desk.change(tables.policy_version, source=row["source"] | {"text": "policy: [of, yore]"})
    account = start(desk, files.policy("own", HIGH))
    ticket = desk.create()
    desk.enrich(ticket)
    assert len(account.assignments[0].versions) == 1
    assert hours(desk, ticket) == 12


def test_a_contract_that_is_added_is_a_new_version(desk: Desk, files: Files) -> None:
    start(desk, files.policy("own", LATEST))
    ticket = desk.create()
    desk.enrich(ticket)
    (files.folder / "contracts" / "all.yaml").write_text(
        "contract: all\npolicy: own\n"
        "overrides: {targets: {resolution: [{limit: 5h, clock: elapsed}]}}\n"
    )
    start(desk, files.policy("own", LATEST))
    desk.drain()
    assert hours(desk, ticket) == 5
    layers = [one["values"]["id"] for one in lines(desk, ticket, "layer")]
    assert layers == ["all"]


def lines(desk: Desk, ticket: str, code: str) -> list[dict[str, Any]]:
    return [one for one in desk.row(ticket)["evaluation"]["explanation"] if one["code"] == code]


def test_the_first_policy_whose_condition_holds_judges(desk_anywhere: Desk, files: Files) -> None:
    desk = desk_anywhere
    urgent = Choice(
        when=condition_of({"priority": 1}),
        policy=(
            short := files.policy("short", ("limit: 4h\n      clock: elapsed", "limit: 2h"))
        ).policy,
        source=short.source,
    )
    start(desk, urgent, files.policy())
    tickets = [desk.create(priority=priority) for priority in ("urgent", "high")]
    desk.enrich(*tickets)
    found = [desk.row(one)["evaluation"]["policy"]["id"] for one in tickets]
    assert found == ["short", "own"]
    desk.edit(tickets[1], priority="urgent")
    desk.enrich(tickets[1])
    assert desk.row(tickets[1])["evaluation"]["policy"]["id"] == "short"
    assert [desk.right(one) for one in tickets] == [True, True]


def test_another_order_of_policies_reaches_open_tickets(desk: Desk, files: Files) -> None:
    start(desk, files.policy())
    ticket = desk.create()
    desk.enrich(ticket)
    other = choice("user-support")
    start(
        desk,
        Choice(when=condition_of({"priority": 2}), policy=other.policy, source=other.source),
        files.policy(),
    )
    desk.drain()
    assert desk.row(ticket)["evaluation"]["policy"]["id"] == "user-support"


def test_a_person_who_asks_is_told_by_the_version_that_the_lane_uses(
    desk: Desk, files: Files
) -> None:
    start(desk, files.policy())
    ticket = desk.create()
    desk.enrich(ticket)
    edited = files.policy("own", HIGH)
    account = as_recorded(desk.database, desk.account, [edited])
    shown = explain_ticket(desk.database, account, ticket)
    resolution = shown.metrics[-1]
    assert (resolution.outcome.due_at - resolution.promise.course.start).total_seconds() == 8 * HOUR
    assert len(account.assignments[0].versions) == 2
    assert len(desk.rows(tables.policy_version)) == 1


def test_a_policy_that_takes_over_the_helpdesks_dates_waits_until_they_stand(
    freshdesk: Desk, files: Files
) -> None:
    """Freshdesk computes its dates some time after an update, and tells nobody."""
    (files.folder / "policies" / "theirs.yaml").write_text(
        "policy: theirs\ntitle: Theirs\ndocument: theirs.txt\n"
        "targets: {first_response: [{inherit: true}], resolution: [{inherit: true}]}\n"
    )
    start(freshdesk, choice("theirs", folder=files.folder))
    ticket = freshdesk.create()
    freshdesk.enrich(ticket)
    first = freshdesk.row(ticket)["look_at"]
    assert first is not None
    assert freshdesk.row(ticket)["rank"] == Rank.HINT
