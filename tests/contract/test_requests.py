"""What our adapters send, captured on the wire, against closed shapes of our own."""

import time
from datetime import UTC, datetime

import pytest
import requests

from app import field_mapping
from connector.helpdesks.base import Desired
from connector.helpdesks.freshdesk import connect as connect_freshdesk
from connector.helpdesks.zendesk import connect as connect_zendesk
from connector.helpdesks.zendesk.oauth import NAME, ask, exchange, token_session
from connector.helpdesks.zendesk.signin import sign_in
from connector.settings import AccountSettings, SignIn
from connector.store.keys import Keys
from connector.store.secrets import StoredVault
from tests.contract.own import problems, shape_names
from tests.contract.recording import driven

CONNECT = {"zendesk": connect_zendesk, "freshdesk": connect_freshdesk}
SIGN_IN = {
    "zendesk": {"client_id": "sandbox", "client_secret": "sandbox"},
    "freshdesk": {"api_key": "sandbox"},
}
VALUES = {
    "first_response_due_on": "2040-01-01",
    "first_response_due_at": "2040-01-01T09:00:00Z",
    "resolution_due_on": "2040-01-02",
    "resolution_due_at": "2040-01-02T09:00:00Z",
    "explanation": "Four working hours, because it is urgent.",
    "tier": None,
}
OTHERS = {"first_response_due_on": None, "explanation": "Two working hours."}
DUES = (datetime(2040, 1, 1, 9, tzinfo=UTC), datetime(2040, 1, 2, 9, tzinfo=UTC))
OWN_TAGS = frozenset({"sla_at_risk", "sla_breached", "sla_old"})


def desired(values, tags, dues=DUES):
    return Desired(
        fields=values,
        tags=frozenset(tags),
        own_tags=OWN_TAGS,
        first_response_due_at=dues[0],
        resolution_due_at=dues[1],
    )


def connected(desk, **settings):
    account = AccountSettings.model_validate(
        {
            "name": "acme",
            "helpdesk": desk.kind,
            "base_url": desk.url,
            "policy": "user-support",
            "sign_in": SIGN_IN[desk.kind],
        }
        | settings
    )
    helpdesk = CONNECT[desk.kind](account, field_mapping(desk.kind, None), sleep=lambda _: None)
    helpdesk.prepare()
    helpdesk.identify()
    return helpdesk


def sent(desk):
    """Our own requests that hold something, without those of the test."""
    return [one for one in desk.recorder.exchanges if one.asked is not None]


def wrong(desk, exchanges):
    document = f"{desk.kind}-requests"
    known = shape_names(document)
    return [
        f"{one.name}: {problem}"
        for one in exchanges
        for problem in (
            problems(document, one.name, one.asked)
            if one.name in known
            else ["is sent, and no shape describes it"]
        )
    ]


def test_what_we_write_to_zendesk():
    with driven("zendesk", tickets=3, job_seconds=0.01) as desk:
        helpdesk = connected(desk)
        ids = ["1001", "1002"]
        plans = [
            helpdesk.plan(reading, desired(VALUES, {"sla_at_risk"}))
            for reading in helpdesk.read_many(ids)
        ]
        job = helpdesk.write_many(plans)
        end = time.monotonic() + 5
        while not helpdesk.jobs([job.id])[0].done:
            assert time.monotonic() < end
            time.sleep(0.01)
        plan = helpdesk.plan(helpdesk.read("1001"), desired(OTHERS, {"sla_breached"}))
        helpdesk.write(plan)
        seen = sent(desk)
    assert wrong(desk, seen) == []
    assert {one.name for one in seen} == {
        "POST /oauth/tokens",
        "PUT /tickets/update_many",
        "PUT /tickets/{}",
        "PUT /tickets/{}/tags",
        "DELETE /tickets/{}/tags",
    }
    (bulk,) = [one.asked["tickets"] for one in seen if one.name == "PUT /tickets/update_many"]
    assert [row["id"] for row in bulk] == [1001, 1002]
    assert all("custom_fields" in row and "additional_tags" in row for row in bulk)


def test_what_we_say_to_be_signed_in_to_zendesk(tmp_path, database):
    settings = SignIn.model_validate(
        {"client_id": "sandbox", "client_secret": "sandbox", "flow": "code"}
    )
    vault = StoredVault(database, "acme", Keys("", tmp_path))
    with driven("zendesk", tickets=0) as desk:
        tokens = token_session(desk.url)
        consent = ask(settings, desk.url, "http://127.0.0.1:9/back")
        back = allowed(desk, consent.url)
        pair = exchange(settings, tokens, consent, consent.code(back), vault.now())
        vault.write(NAME, pair)
        signed = sign_in(settings, tokens, vault)
        assert signed.renew(signed.authorization())
        seen = [one for one in sent(desk) if one.name == "POST /oauth/tokens"]
    assert wrong(desk, seen) == []
    assert [one.asked["grant_type"] for one in seen] == ["authorization_code", "refresh_token"]


def allowed(desk, url):
    """The query with which a person who says yes is sent back."""
    answer = requests.get(url + "&_sandbox=approve", timeout=10, allow_redirects=False)
    assert answer.status_code in (302, 303), answer.text[:500]
    query = requests.models.PreparedRequest()
    query.url = answer.headers["Location"]
    return dict(one.split("=", 1) for one in query.url.partition("?")[2].split("&"))


@pytest.mark.parametrize("mode", ["native", "own_fields"])
def test_what_we_write_to_freshdesk(mode):
    with driven("freshdesk", tickets=3) as desk:
        desk.control("switches", {"native_seconds": 0})
        helpdesk = connected(desk, mode=mode)
        (listed, *_) = helpdesk.read_many(["1", "2"])
        helpdesk.write(helpdesk.plan(listed, desired(VALUES, ())))
        for tags in ({"sla_at_risk"}, {"sla_breached"}):
            helpdesk.write(helpdesk.plan(helpdesk.read(listed.ticket.id), desired(OTHERS, tags)))
        seen = sent(desk)
    assert wrong(desk, seen) == []
    assert {one.name for one in seen} == {"PUT /tickets/{}"}
    assert {200} == {one.status for one in seen}
    keys = {key for one in seen for key in one.asked}
    assert keys == {"custom_fields", "tags"} | (
        {"due_by", "fr_due_by"} if mode == "native" else set()
    )
