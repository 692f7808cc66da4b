"""Lines say which request and which account they belong to, and never what a customer wrote."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from app import create_app, create_worker, open_accounts
from connector.engine.intake import Intake
from connector.errors import WriteBlocked, loggable, quoted
from connector.helpdesks.base import Hint
from connector.helpdesks.freshdesk.refusals import refused_write
from connector.helpdesks.zendesk.refusals import refusal, row_refusal
from connector.http import Answer
from connector.settings import Settings
from connector.store import tables
from operations import hidden, logs, requests
from tests.runners.site import KINDS, SECRET, Site, eventually, helpdesks

WORDS = "My printer burns, yours Jane <jane@example.com>"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Lines:
    """What is logged, as JSON."""

    def __init__(self) -> None:
        self.out = io.StringIO()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.all() if one["event"] == event]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    root, found = logging.getLogger(), Lines()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(logs, "_hidden", ())
    logs.configure("json", "debug", found.out)
    yield found
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with helpdesks(*KINDS) as urls:
        made = Site(tmp_path, urls)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("given_id", "is_kept"),
    [
        ("proxy-7_a.b", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("two words", False),
        ('"},"level":"x', False),
        ("", False),
        (None, False),
    ],
)
def test_a_request_has_an_id_in_its_lines_and_in_its_answer(
    lines: Lines, given_id: str | None, is_kept: bool
) -> None:
    app = Flask("web")
    requests.register(app)
    app.add_url_rule("/", view_func=lambda: (structlog.get_logger("ours").info("seen"), "")[1])
    headers = {} if given_id is None else {"X-Request-Id": given_id}
    answers = [app.test_client().get("/", headers=headers) for _ in range(2)]
    ids = [one.headers["X-Request-Id"] for one in answers]
    assert ids == [line["request"] for line in lines.of("seen")]
    assert (ids == [given_id] * 2) is is_kept
    assert is_kept or ids[0] != ids[1]
    assert "X-Request-Id" in app.test_client().get("/nowhere").headers


@pytest.mark.parametrize(
    ("given_trace", "told"),
    [(f"00-{TRACE}-b7ad6b7169203331-01", TRACE), (f"00-{'0' * 32}-b7ad6b7169203331-01", None)],
)
def test_a_callers_trace_is_in_the_lines_of_its_request(
    lines: Lines, site: Site, given_trace: str, told: str | None
) -> None:
    web = create_app(site.settings).test_client()
    web.post("/webhooks/acme", headers={"traceparent": given_trace, "X-Request-Id": "r1"})
    (line,) = lines.of("delivery refused")
    assert (line["request"], line.get("trace_id")) == ("r1", told)


def test_every_line_of_a_lane_names_its_account_and_its_ticket(lines: Lines, site: Site) -> None:
    """Also where it was written by a thread of a pool."""
    worker = create_worker(site.settings)
    intake = Intake(site.database)
    tickets = {(kind, site.create(kind)) for kind in KINDS}
    for kind, ticket in tickets:
        opened = worker._visits.served[kind].helpdesk
        _tell_of_each_plan(opened)
        intake.submit(kind, Hint(ticket_id=ticket))
    eventually("they are written", lambda: worker.tick() and site.enriched() == tickets)
    eventually("it is at rest", lambda: worker.tick() and site.at_rest())
    worker.stop()
    worker.run()
    planned = lines.of("planned")
    assert {one["account"] for one in planned} == set(KINDS)
    # one ticket by itself, in a thread of the pool
    assert ("freshdesk", dict(tickets)["freshdesk"]) in {
        (one["account"], one.get("ticket")) for one in planned
    }
    assert {(one["account"], one["ticket"]) for one in lines.of("written")} == tickets


def _tell_of_each_plan(helpdesk: Any) -> None:
    real = helpdesk.plan

    def plan(*asked: Any) -> Any:
        structlog.get_logger("helpdesk").info("planned")
        return real(*asked)

    helpdesk.plan = plan


def zendesk(body: Any, status: int = 422) -> Exception:
    return refusal(Answer(status=status, headers={}, data=body), "ticket 7")


def freshdesk(body: Any, status: int = 400) -> Exception:
    answer = Answer(status=status, headers={}, data=body)
    return refused_write(answer, "ticket 7", sent={}, own=frozenset())


LINE = {"error": "BlankValue", "description": WORDS, "ticket_field_id": 360}
FLAW = {"field": "cf_region", "message": WORDS, "code": "missing_field"}


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (zendesk({"error": "RecordInvalid", "details": {"base": [LINE]}}), "RecordInvalid: field"),
        (zendesk({"error": WORDS}), "ticket 7"),
        (zendesk({"error": {"title": WORDS, "message": WORDS}}), "ticket 7"),
        (zendesk({"errors": [{"code": "Bad", "title": WORDS, "detail": WORDS}]}), "Bad"),
        (zendesk(None), "refused with status 422"),
        (row_refusal("7", {"error": "TicketUpdateFailed", "details": WORDS}), "TicketUpdateFailed"),
        (refusal(Answer(status=400, headers={}, data=None, text=WORDS), "ticket 7"), "ticket 7"),
        (freshdesk({"description": WORDS, "errors": [FLAW]}), "cf_region: missing_field"),
        (freshdesk({"description": "x", "errors": [FLAW | {"field": WORDS}]}), "missing_field"),
        (freshdesk({"message": WORDS}), "ticket 7"),
        (ValueError(WORDS), "ValueError"),
        (WriteBlocked(f"a {quoted(WORDS + ' » » « ')} b {quoted(WORDS)[:20]}"), "WriteBlocked: a"),
    ],
)
def test_of_a_helpdesks_answer_a_line_tells_codes_and_fields_only(
    error: Exception, kept: str
) -> None:
    told = loggable(error)
    assert kept in told
    assert not [word for word in ("printer", "burns", "Jane", "jane@") if word in told]


def test_whoever_looks_after_the_ticket_reads_all_of_it() -> None:
    assert WORDS in str(freshdesk({"description": "x", "errors": [FLAW]}))
    assert WORDS in str(zendesk({"error": "RecordInvalid", "details": {"base": [LINE]}}))


def test_where_a_look_broke_is_told_without_its_message() -> None:
    try:
        raise KeyError(WORDS)
    except KeyError as error:
        told = loggable(error)
    assert told.startswith(f"KeyError < {__file__}:")


def test_a_refused_ticket_leaves_no_word_of_its_customer_in_the_log(
    lines: Lines, site: Site
) -> None:
    worker = create_worker(site.settings)
    ticket = site.create("freshdesk")
    real = worker._visits.served["freshdesk"].helpdesk

    def write(_plan: Any) -> None:
        raise freshdesk({"description": WORDS, "errors": [FLAW]})

    def history(*_: Any) -> None:
        raise ValueError(WORDS)

    real.write = write
    Intake(site.database).submit("freshdesk", Hint(ticket_id=ticket))
    eventually("it is told", lambda: worker.tick() and lines.of("ticket takes no writes of ours"))
    worker.stop()
    worker.run()
    (line,) = lines.of("ticket takes no writes of ours")
    assert "cf_region: missing_field" in line["reason"]
    assert "printer" not in lines.out.getvalue()
    assert "printer" in str(site.rows(tables.ticket))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-ghi_jk=", "Authorization: Bearer [hidden]"),
        ("sent 'Basic c2VzYW1lOlg=' there", "sent 'Basic [hidden]' there"),
        ("GET /oauth?access_token=abc&page=2", "GET /oauth?access_token=[hidden]&page=2"),
        ("https://x.test/a?page=2&api_key=abc#x", "https://x.test/a?page=2&api_key=[hidden]#x"),
        ("see ?code=abc.", "see ?code=[hidden]"),
        ("Basic support is open from 9", "Basic support is open from 9"),
        ("page=2&per_page=100", "page=2&per_page=100"),
    ],
)
def test_proofs_in_texts_and_addresses_are_hidden(text: str, shown: str) -> None:
    assert logs.redact(None, "info", {"event": text, "deep": [text]}) == {
        "event": shown,
        "deep": [shown],
    }


SECRETS = st.text(min_size=hidden.SHORTEST, max_size=40).filter(
    lambda it: len(it.strip()) >= hidden.SHORTEST and not set(it) <= set("[hidden]")
)
VALUES = st.recursive(
    st.sampled_from(["{}", "a {} b", "https://host/{}?x=1", "Bearer {}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(secret=SECRETS, value=VALUES, form=st.sampled_from(["json", "console"]))
@example(secret='quo"ted\\and', value="{}", form="json")
@example(secret="with\nlines\tin", value=["{}"], form="console")
def test_no_secret_of_the_settings_shows_in_any_line(secret: str, value: Any, form: Any) -> None:
    settings = Settings(secret_key=secret, _env_file=None)
    out, root = io.StringIO(), logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, (logs._secrets, logs._hidden)
    logs._secrets, logs._hidden = set(), ()
    try:
        logs.hide(hidden.secrets_in(settings))
        logs.configure(form, "info", out)
        structlog.get_logger("ours").warning(f"it is {secret}", found=_filled(value, secret))
        logging.getLogger("theirs").warning("seen: %s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            structlog.get_logger("ours").exception("failed")
        text = out.getvalue()
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
        assert repr(secret)[1:-1] not in text
        assert text.count("failed") == 1
    finally:
        root.handlers[:], root.level = handlers, level
        logs._secrets, logs._hidden = before
        structlog.reset_defaults()


def _filled(value: Any, secret: str) -> Any:
    if isinstance(value, str):
        return value.replace("{}", secret)
    if isinstance(value, dict):
        return {name: _filled(one, secret) for name, one in value.items()}
    return [_filled(one, secret) for one in value]


def test_the_secrets_of_accounts_and_the_passwords_of_addresses_are_known(
    lines: Lines, site: Site
) -> None:
    open_accounts(site.settings)
    settings = Settings(database_url="postgresql://us:pass%20word@host/name", _env_file=None)
    logs.hide(hidden.secrets_in(settings))
    for one in (SECRET, "pass%20word", "pass word"):
        structlog.get_logger("ours").info(f"it was {one}")
    assert [line["event"] for line in lines.all()[-3:]] == ["it was [hidden]"] * 3
