"""A step of a ladder is told once, signed, and in the end, whatever the receiver does."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from connector.engine import exceptions, messenger, notices
from connector.engine.explaining import explain_ticket
from connector.engine.intake import request_look
from connector.engine.messenger import Messenger, Receiver, take
from connector.engine.policies import as_written
from connector.engine.rank import Rank
from connector.engine.writes import desired
from connector.http import Poster
from connector.settings import Notify
from connector.store import tables
from connector.store.database import now
from connector.store.documents import find_policy
from mappings.entitlement import TicketException
from tests.engine.conftest import Desk, choice

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # from the specification; nothing real
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD9u+Aq0N8X5k="
LADDER = """
escalation:
  - {id: warn, metric: resolution, at: 50%, notify: true}
  - {id: alarm, metric: resolution, at: due, notify: true, group: Duty managers}
  - {id: quiet, metric: resolution, at: 25%, tags: [early]}
"""
HOUR = 3600.0


@dataclass
class Inbox:
    """A receiver of webhooks; answers as it is told, 204 by default."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def steps(self) -> list[str]:
        return [one["data"]["step"] for one in self.bodies]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            made.before()
            status, headers = made.answers.pop(0) if made.answers else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/hook?token=hidden"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Climbing:
    """A desk whose policy has a ladder, and a messenger that tells of it."""

    def __init__(self, desk: Desk, folder: Path, inbox: Inbox, *changes: tuple[str, str]) -> None:
        self.desk, self.inbox = desk, inbox
        source, _ = find_policy("user-support", folder, (), time_zone=None)
        text = source.text + LADDER
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        path = folder / "ladder.yaml"
        path.write_text(text)
        self.serve(assignments=as_written([choice(str(path))]), notifies=True)
        self.seconds = 0.0

    def serve(self, **changed: Any) -> None:
        self.desk.account = replace(self.desk.account, **changed)

    def messenger(self, *secrets: str, url: str | None = None) -> Messenger:
        keys = Notify.model_validate({"url": "https://x", "secrets": secrets or (SECRET,)}).keys
        receiver = Receiver(url=url or self.inbox.url, keys=keys)
        return Messenger(self.desk.database, {"acme": receiver}, Poster(), lambda: self.seconds)

    def deliver(self) -> None:
        """Send until nothing is due at this moment."""
        one = self.messenger()
        while one.deliver():
            pass

    def pass_time(self, hours: float, *tickets: str) -> None:
        """Move the helpdesk's clock and look at the tickets by it."""
        self.desk.advance(hours * HOUR)
        for _ in range(4):
            self.desk.helpdesk.real.identify()
            self.desk.look(*tickets)
        self.desk.look(*tickets)

    def rows(self, **wanted: Any) -> list[dict[str, Any]]:
        return [
            row
            for row in self.desk.rows(tables.notice)
            if all(row[name] == value for name, value in wanted.items())
        ]

    def hurry(self) -> None:
        """What waits for its time is due, and no receiver rests."""
        self.desk.change(tables.notice, not_before=0.0)
        self.seconds += HOUR


@pytest.fixture
def ladder(desk: Desk, tmp_path: Path, inbox: Inbox) -> Climbing:
    return Climbing(desk, tmp_path, inbox)


@pytest.fixture
def quick(freshdesk: Desk, tmp_path: Path, inbox: Inbox) -> Climbing:
    """On one helpdesk, for what no helpdesk has a part in."""
    return Climbing(freshdesk, tmp_path, inbox)


def warned(ladder: Climbing) -> str:
    """A ticket whose first step was reached a moment ago (8 h are promised)."""
    (ticket,) = all_warned(ladder, 1)
    return ticket


def all_warned(ladder: Climbing, count: int) -> list[str]:
    tickets = [ladder.desk.create() for _ in range(count)]
    ladder.desk.enrich(*tickets)
    ladder.pass_time(4.1, *tickets)
    return tickets


# --- what is told, and how often -----------------------------------------------------------------


def test_a_step_that_is_reached_is_told_signed_and_without_text_of_the_ticket(
    desk_anywhere: Desk, tmp_path: Path, inbox: Inbox
) -> None:
    ladder = Climbing(desk_anywhere, tmp_path, inbox)
    ticket = ladder.desk.create(subject="Printer on fire")
    ladder.desk.enrich(ticket)
    ladder.deliver()
    assert inbox.got == []
    ladder.pass_time(4.1, ticket)
    ladder.deliver()

    ((headers, body),) = inbox.got
    message = Webhook(SECRET).verify(body, headers)
    assert message["type"] == "escalation.step"
    data = message["data"]
    metric = ladder.desk.metric(ticket, "resolution")
    assert data | {"reasons": None, "policy": None, "reached_at": None} == {
        "account": "acme",
        "helpdesk": ladder.desk.kind,
        "ticket_id": ticket,
        "step": "warn",
        "metric": "resolution",
        "state": "running",
        "due_at": metric["due_at"],
        "reached_at": None,
        "severity": "high",
        "tier": 1,
        "group": None,
        "policy": None,
        "reasons": None,
    }
    assert message["timestamp"] == data["reached_at"]
    assert any("resolution (severity high) is promised" in line for line in data["reasons"])
    assert headers["content-type"] == "application/json"
    assert b"Printer" not in body
    assert [row["state"] for row in ladder.rows()] == ["sent"]


def test_each_step_is_told_once_however_often_the_ticket_is_looked_at(ladder: Climbing) -> None:
    ticket = warned(ladder)
    ladder.desk.look(ticket)
    ladder.pass_time(5, ticket)
    ladder.desk.look(ticket)
    ladder.deliver()
    ladder.deliver()
    assert ladder.inbox.steps == ["warn", "alarm"]
    assert ladder.inbox.bodies[1]["data"]["group"] == "Duty managers"
    assert ladder.desk.row(ticket)["evaluation"]["state"] == "breached"


def test_a_step_is_not_told_again_after_a_reopen(ladder: Climbing) -> None:
    ticket = warned(ladder)
    for status in ("solved", "open"):
        ladder.desk.edit(ticket, status=status)
        ladder.pass_time(0.1, ticket)
    ladder.deliver()
    assert ladder.inbox.steps == ["warn"]


def test_a_step_is_told_again_when_the_due_was_moved_and_it_is_reached_anew(
    quick: Climbing,
) -> None:
    ticket = warned(quick)
    except_for(quick, ticket, hours=20)
    quick.desk.drain()
    assert [row["stands"] for row in quick.rows()] == [False]
    quick.pass_time(12, ticket)
    quick.deliver()
    assert quick.inbox.steps == ["warn", "warn"]
    ids = {headers["webhook-id"] for headers, _ in quick.inbox.got}
    assert len(ids) == 2


def test_a_due_that_comes_back_to_where_it_was_is_not_told_again(quick: Climbing) -> None:
    ticket = warned(quick)
    for priority in ("low", "high", "low", "high"):
        quick.desk.edit(ticket, priority=priority)
        quick.pass_time(0.01, ticket)
    quick.deliver()
    assert quick.inbox.steps == ["warn"]
    assert [row["stands"] for row in quick.rows()] == [True]


def test_a_severity_under_which_the_step_is_reached_too_is_not_told_again(quick: Climbing) -> None:
    ticket = warned(quick)
    quick.desk.edit(ticket, priority="urgent")
    quick.pass_time(0.01, ticket)
    quick.deliver()
    assert quick.inbox.steps == ["warn", "alarm"]


def test_a_pause_does_not_tell_a_step_again(freshdesk: Desk, tmp_path: Path, inbox: Inbox) -> None:
    ladder = Climbing(freshdesk, tmp_path, inbox, ("customer: run", "customer: pause"))
    ticket = warned(ladder)
    for status in ("pending", "open"):
        ladder.desk.edit(ticket, status=status)
        ladder.pass_time(1, ticket)
    ladder.deliver()
    assert inbox.steps == ["warn"]


def except_for(ladder: Climbing, ticket: str, *, hours: float) -> None:
    with ladder.desk.database.write() as conn:
        at = exceptions.helpdesk_now(conn, "acme")
        until = at + timedelta(hours=hours)
        one = TicketException(reference="letter", written_at=at, until=until)
        exceptions.write(conn, "acme", ticket, one, by=None)
        request_look(conn, "acme", [ticket], Rank.HINT)


# --- what is on record and not told --------------------------------------------------------------


@pytest.mark.parametrize(
    ("served", "why"),
    [
        pytest.param({"mode": "shadow"}, "shadow mode", id="shadow"),
        pytest.param({"notifies": False}, "no receiver", id="no-receiver"),
    ],
)
def test_what_nobody_is_told_of_is_not_told_later_either(
    quick: Climbing, served: dict[str, Any], why: str
) -> None:
    before = {"mode": quick.desk.account.mode, "notifies": True}
    quick.serve(**served)
    ticket = warned(quick)
    quick.serve(**before)
    quick.desk.look(ticket)
    quick.deliver()
    (row,) = quick.rows()
    assert (row["state"], quick.inbox.got) == ("withheld", [])
    assert why in row["last_error"]
    (line,) = quick.desk.evidence(ticket, notices.NOTICED)
    assert (line["step"], line["state"]) == ("warn", "withheld")


@pytest.mark.parametrize(
    ("hours", "solve", "expected"),
    [
        pytest.param(24 * 6, False, ["warn", "alarm"], id="open-for-six-days"),
        pytest.param(24 * 9, False, [], id="open-for-nine-days"),
        pytest.param(24 * 6, True, [], id="solved-six-days-ago"),
    ],
)
def test_what_is_no_news_at_the_first_sight_of_a_ticket_is_not_told(
    quick: Climbing, hours: float, solve: bool, expected: list[str]
) -> None:
    ticket, other = quick.desk.create(), quick.desk.create()
    if solve:
        quick.desk.advance(10 * HOUR)
        quick.desk.edit(ticket, status="solved")
    quick.pass_time(hours, other)
    quick.inbox.got.clear()
    quick.desk.change(tables.notice, state="sent")
    quick.desk.look(ticket)
    quick.deliver()
    assert quick.inbox.steps == expected
    assert len(quick.rows(ticket_id=ticket)) == 2


def test_a_policy_without_a_ladder_stores_nothing(desk: Desk) -> None:
    ticket = desk.create(priority="urgent")
    desk.enrich(ticket)
    desk.advance(9 * HOUR)
    desk.look(ticket)
    assert desk.rows(tables.notice) == []


# --- receivers that fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        pytest.param(500, {}, 5, id="500"),
        pytest.param(429, {"retry-after": "120"}, 120, id="429-retry-after"),
        pytest.param(503, {"retry-after": "1"}, 5, id="503-short-retry-after"),
        pytest.param(401, {}, 5, id="401"),
        pytest.param(302, {"location": "/elsewhere"}, 5, id="redirect"),
    ],
)
def test_a_message_that_is_refused_is_sent_again_under_the_same_id(
    quick: Climbing, status: int, headers: dict[str, str], pause: float
) -> None:
    warned(quick)
    quick.inbox.answers = [(status, headers)]
    quick.deliver()
    (row,) = quick.rows()
    with quick.desk.database.read() as conn:
        at = now(conn)
    assert (row["state"], row["attempts"], len(quick.inbox.got)) == ("due", 1, 1)
    assert row["not_before"] - at == pytest.approx(pause, abs=3)
    assert f"answered {status}" in row["last_error"]
    quick.hurry()
    quick.deliver()
    (first, again) = quick.inbox.got
    assert first[0]["webhook-id"] == again[0]["webhook-id"]
    assert first[1] == again[1]
    assert [row["state"] for row in quick.rows()] == ["sent"]


def test_a_receiver_that_is_not_there_is_tried_again_for_days_and_given_up_then(
    quick: Climbing,
) -> None:
    warned(quick)
    nowhere = quick.messenger(url="http://127.0.0.1:9/hook?token=hidden")
    waits = []
    for _ in range(11):
        quick.hurry()
        with quick.desk.database.read() as conn:
            at = now(conn)
        assert nowhere.deliver() == 1
        (row,) = quick.rows()
        waits.append(round(row["not_before"] - at, -1))
    assert waits[1:] == [300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, 86400, 86400]
    assert "hidden" not in row["last_error"]
    quick.hurry()
    quick.desk.change(tables.notice, created_at=at - 5 * 86400)
    assert nowhere.deliver() == 0
    assert [row["state"] for row in quick.rows()] == ["given_up"]


def test_a_receiver_that_fails_is_left_alone_for_a_while(quick: Climbing) -> None:
    all_warned(quick, 3)
    quick.inbox.answers = [(500, {})] * 9
    one = quick.messenger()
    tries = []
    for _ in range(40):
        tries.append(one.deliver())
        quick.seconds += 0.5
    assert len(quick.rows(state="due")) == 3
    assert sum(tries) == 3  # each message has a pause of its own, of 5 s and more
    assert tries[:8] == [1, 0, 1, 0, 0, 0, 1, 0]


def test_a_receiver_that_is_gone_gets_nothing_more(quick: Climbing) -> None:
    all_warned(quick, 2)
    quick.inbox.answers = [(410, {})]
    one = quick.messenger()
    assert one.deliver() == 1
    quick.hurry()
    assert one.deliver() == 0
    assert [row["state"] for row in quick.rows()] == ["due", "due"]
    quick.deliver()  # as after a restart, with a receiver that is there
    quick.deliver()
    assert [row["state"] for row in quick.rows()] == ["sent", "sent"]


def test_one_receiver_that_fails_keeps_nothing_from_the_others(quick: Climbing) -> None:
    warned(quick)
    with quick.desk.database.write() as conn:
        (row,) = conn.execute(select(tables.notice)).mappings()
        conn.execute(tables.notice.insert().values(dict(row) | {"id": 2, "account": "beta"}))
    keys = (b"k" * 32,)
    receivers = {
        "acme": Receiver(url="http://127.0.0.1:9/", keys=keys),
        "beta": Receiver(url=quick.inbox.url, keys=keys),
    }
    Messenger(quick.desk.database, receivers, Poster()).deliver()
    assert [row["state"] for row in quick.rows(account="beta")] == ["sent"]


def test_an_address_that_cannot_be_one_is_an_answer_too(quick: Climbing) -> None:
    warned(quick)
    for url in (
        "http://hooks..example.test/x",
        "http://127.0.0.1:99999/",
        f"http://{'x' * 64}.test/",
    ):
        receivers = {"acme": Receiver(url=url, keys=(b"k" * 32,))}
        assert Messenger(quick.desk.database, receivers, Poster()).deliver() == 1
        quick.hurry()
    (row,) = quick.rows()
    assert (row["state"], row["attempts"]) == ("due", 3)
    assert "example" not in row["last_error"]


def test_a_receiver_that_never_ends_its_answer_is_left_behind(quick: Climbing) -> None:
    released = threading.Event()
    quick.inbox.before = lambda: released.wait(20.0) and None
    warned(quick)
    receivers = {"acme": Receiver(url=quick.inbox.url, keys=(b"k" * 32,))}
    impatient = Poster(timeout_seconds=0.2)
    assert Messenger(quick.desk.database, receivers, impatient).deliver() == 1
    (row,) = quick.rows()
    assert (row["state"], row["last_error"]) == ("due", "no answer in 0.2 s")
    released.set()
    quick.inbox.before = lambda: None
    quick.hurry()
    assert quick.messenger().deliver() == 1
    assert [one["state"] for one in quick.rows()] == ["sent"]
    assert len({headers["webhook-id"] for headers, _ in quick.inbox.got}) == 1


# --- nothing is lost, and nothing is forged ------------------------------------------------------


def test_what_was_taken_by_a_worker_that_died_is_sent_under_the_same_id(
    desk_anywhere: Desk, tmp_path: Path, inbox: Inbox
) -> None:
    ladder = Climbing(desk_anywhere, tmp_path, inbox)
    warned(ladder)
    with ladder.desk.database.write() as conn:
        taken = take(conn, "acme")
    ladder.deliver()
    assert (taken is not None, inbox.got) == (True, [])
    with ladder.desk.database.read() as conn:
        at = now(conn)
    (row,) = ladder.rows()
    assert 0 < row["not_before"] - at <= messenger.TAKEN_SECONDS
    ladder.hurry()
    ladder.deliver()
    ((headers, body),) = inbox.got
    assert headers["webhook-id"] == taken.id
    Webhook(SECRET).verify(body, headers)


def test_messengers_side_by_side_send_each_message_once(
    desk_anywhere: Desk, tmp_path: Path, inbox: Inbox
) -> None:
    ladder = Climbing(desk_anywhere, tmp_path, inbox)
    all_warned(ladder, 8)
    meet = threading.Barrier(3)

    def work() -> None:
        meet.wait(10)
        ladder.deliver()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    ladder.deliver()
    ids = [headers["webhook-id"] for headers, _ in inbox.got]
    assert len(ids) == len(set(ids)) == 8


def test_a_message_is_signed_with_every_secret(quick: Climbing) -> None:
    warned(quick)
    quick.messenger(SECRET, OTHER).deliver()
    ((headers, body),) = quick.inbox.got
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"resolution", b"resolutioN"), headers)


def test_a_receiver_that_is_slow_does_not_hold_up_the_lane(quick: Climbing) -> None:
    ticket = warned(quick)
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(20)

    quick.inbox.before = hold
    thread = threading.Thread(target=quick.deliver)
    thread.start()
    assert begun.wait(10)
    quick.desk.edit(ticket, priority="low")
    quick.desk.look(ticket)
    assert quick.desk.right(ticket)
    go.set()
    thread.join()
    assert quick.inbox.steps == ["warn"]


def test_the_group_of_the_step_is_what_the_ticket_is_to_show(quick: Climbing) -> None:
    ticket = warned(quick)
    for expected in (None, "Duty managers"):
        evaluation = explain_ticket(quick.desk.database, quick.desk.account, ticket)
        assert desired(evaluation, quick.desk.account).fields["group"] == expected
        quick.pass_time(5, ticket)
