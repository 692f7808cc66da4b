"""The adapter against a local Freshdesk over HTTP, under either answer to what is not certain."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import requests

from connector.errors import (
    AccountSuspended,
    DatesRefused,
    RateLimited,
    RoleMissing,
    SignInRefused,
    TicketReadOnly,
    WriteBlocked,
    WriteRefused,
)
from connector.helpdesks.base import Desired, Wants
from sandbox.application import create_sandbox
from sandbox.server import serving

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SIGN_IN = {"api_key": "sandbox"}


class Live:
    """A local Freshdesk over HTTP, and our account there."""

    def __init__(self, desk, served):
        self.desk, self.url, self.app = desk, served.url, served.app
        self.http = requests.Session()
        self.http.trust_env = False
        self.switch(native_seconds=0)

    def control(self, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        answer = self.http.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def api(self, method, path, body=None):
        answer = self.http.request(
            method, f"{self.url}/api/v2/{path}", json=body, auth=("sandbox", "X"), timeout=10
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.text else None

    def switch(self, **switches):
        self.control("switches", switches)

    def advance(self, seconds):
        self.control("clock", {"advance_seconds": seconds})

    def ticket(self, **named):
        wanted = {"subject": "Printer on fire", "organization": "Acme", "priority": "high"}
        return str(self.control("tickets", wanted | named)["id"])

    @property
    def vendor(self):
        """What an agent does in Freshdesk's own screen, and has no control."""
        return self.app.extensions["sandbox"].desk

    def open(self, wants=None, **named):
        helpdesk = self.desk.open(
            wants=wants or Wants(), base_url=self.url, sign_in=SIGN_IN, **named
        )
        helpdesk.prepare()
        helpdesk.identify()
        self.forget()
        return helpdesk

    def forget(self):
        self.http.delete(f"{self.url}/_sandbox/requests", timeout=10)

    def asked(self):
        return self.control("requests")["counts"]


@contextmanager
def served(desk, **settings):
    with serving(create_sandbox("freshdesk", **{"tickets": 0} | settings)) as server:
        one = Live(desk, server)
        yield one
        one.http.close()


@pytest.fixture
def live(freshdesk):
    with served(freshdesk) as one:
        yield one


def desired(reading, **changes):
    """Both dates a day and two after the creation, one tag, one field."""
    created = reading.ticket.created_at
    dates = {
        "first_response_due_at": created + timedelta(days=1),
        "resolution_due_at": created + timedelta(days=2),
    }
    shown = {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in dates.items()}
    values = {
        "fields": {"explanation": "Because.", **shown},
        "tags": frozenset({"sla_sev_high"}),
        "own_tags": frozenset({"sla_sev_high", "sla_sev_low"}),
        **dates,
    }
    return Desired(**(values | changes))


def one_round(helpdesk, cursor=None, since=LONG_AGO):
    """All readings of a round, and where the next one goes on."""
    readings, is_end, pages = [], False, 0
    while not is_end:
        page = helpdesk.changes(cursor, since)
        readings += page.readings
        cursor, is_end, pages = page.cursor, page.end, pages + 1
        assert pages < 100, "the round does not end"
    return readings, cursor


def write(helpdesk, reading, **changes):
    """Write what is desired; the plan that was written."""
    plan = helpdesk.plan(reading, desired(reading, **changes))
    assert plan is not None
    helpdesk.write(plan)
    return plan


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("link", ["documented", "plain"])
def test_every_ticket_is_shown_once(live, inclusive, link):
    live.switch(updated_since_inclusive=inclusive, link=link)
    live.control("bulk", {"count": 450})
    live.advance(3600)
    helpdesk = live.open()
    readings, cursor = one_round(helpdesk)

    assert len(readings) == len({one.ticket.id for one in readings}) == helpdesk.count() == 450
    assert live.asked() == {"GET /tickets": sum(live.asked().values())}
    assert sum(live.asked().values()) <= 9  # six of the list, one each of the bin and the spam
    assert one_round(helpdesk, cursor)[0] == []


def test_a_list_reading_tells_what_a_single_one_does(live):
    live.control("bulk", {"count": 30})
    live.advance(3600)
    helpdesk = live.open()
    for listed in one_round(helpdesk)[0]:
        single = helpdesk.read(listed.ticket.id)
        fields = {"ticket", "updated_at", "counters", "fields", "tags", "read_only", "raw"}
        assert all(getattr(listed, name) == getattr(single, name) for name in fields - {"ticket"})
        assert listed.ticket.changes == single.ticket.changes
        assert listed.ticket.values.items() <= single.ticket.values.items()


def test_only_what_changed_is_shown_again(live):
    tickets = [live.ticket() for _ in range(3)]
    live.advance(600)
    helpdesk = live.open()
    _, cursor = one_round(helpdesk)
    live.control(f"tickets/{tickets[1]}", {"priority": "urgent"})
    page = helpdesk.changes(cursor, LONG_AGO)

    assert [one.ticket.id for one in page.readings] == [tickets[1]]
    assert (page.end, page.position) == (True, page.readings[0].updated_at)


def test_a_crowded_second_is_read_page_by_page(live):
    live.control("clock", {"freeze": True})
    tickets = {live.ticket() for _ in range(230)}
    live.advance(600)
    readings, _ = one_round(live.open())

    assert {one.ticket.id for one in readings} == tickets
    assert len(readings) == 230


def test_deleted_tickets_and_spam_come_at_the_end_of_the_first_round(live):
    kept, deleted, spam = (live.ticket() for _ in range(3))
    live.control(f"tickets/{deleted}", method="DELETE")
    live.vendor.mark_spam(int(spam))
    readings, _ = one_round(live.open())

    found = {one.ticket.id: one.read_only for one in readings}
    assert found == {kept: None, deleted: "deleted", spam: "spam"}


def test_a_list_that_is_refused_under_load_is_asked_again_later(live):
    helpdesk = live.open()
    _, cursor = one_round(helpdesk)
    live.switch(list_403_share=1.0)
    with pytest.raises(RateLimited, match="under load"):
        helpdesk.changes(cursor, LONG_AGO)
    live.switch(list_403_share=0.0)

    assert helpdesk.changes(cursor, LONG_AGO).end


def test_a_backfill_pays_for_figures_once_and_replaces_no_tag_of_others(live):
    ticket = live.ticket(tags=["vip"])
    live.advance(600)
    helpdesk = live.open()
    ((listed,), _) = one_round(helpdesk)
    plan = helpdesk.plan(listed, desired(listed))
    assert (plan.needs_single_read, "tags" in plan.body) == (True, False)

    live.forget()
    fresh = helpdesk.refresh(listed)
    assert live.asked() == {"GET /tickets/{ticket_id}": 1}
    write(helpdesk, fresh)
    assert helpdesk.read(ticket).tags == {"vip", "sla_sev_high"}


# --- archived tickets -----------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["missing", "shown"])
def test_an_archived_ticket_can_be_read_and_not_written(live, shown):
    live.switch(archived_get=shown)
    ticket = live.ticket()
    live.control(f"tickets/{ticket}/reply", {"as": "agent", "body": "Done."})
    helpdesk = live.open()
    before = helpdesk.read(ticket)
    live.vendor.archive(int(ticket))
    reading = helpdesk.read(ticket)

    assert reading.read_only == "archived"
    assert helpdesk.plan(reading, desired(reading)) is None
    assert helpdesk.history(reading).replies == before.ticket.replies
    assert one_round(helpdesk)[0] == []


# --- native dates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["classic", "new"])
@pytest.mark.parametrize("overwrites", [False, True])
def test_a_later_read_shows_whether_the_dates_stood(live, engine, overwrites):
    live.switch(engine=engine, native_overwrites=overwrites)
    ticket = live.ticket()
    helpdesk = live.open(mode="native")
    plan = write(helpdesk, helpdesk.read(ticket))
    assert {"first_response_due_at", "resolution_due_at"} <= plan.fields.keys()
    assert plan.verify_after >= 10

    live.control(f"tickets/{ticket}", {"priority": "low"})  # gives the native engine a reason
    later = helpdesk.read(ticket)
    again = helpdesk.plan(later, desired(later))
    assert (again is not None) is overwrites


def test_a_write_without_dates_needs_no_later_look(live):
    helpdesk = live.open(mode="own_fields")
    assert write(helpdesk, helpdesk.read(live.ticket())).verify_after is None


@pytest.mark.parametrize(
    "switch", [{"due_when_resolved": "refuse"}, {"due_in_past": "refuse"}], ids=str
)
def test_dates_that_freshdesk_refuses_go_to_own_fields(live, switch):
    live.switch(**switch)
    ticket = live.ticket()
    live.control(f"tickets/{ticket}", {"status": "solved"})
    live.advance(10 * 86_400)
    helpdesk = live.open(mode="native")
    reading = helpdesk.read(ticket)
    with pytest.raises(DatesRefused):
        write(helpdesk, reading)

    plan = write(helpdesk, reading, native=False)
    assert not plan.body.keys() & {"due_by", "fr_due_by"}
    later = helpdesk.read(ticket)
    assert helpdesk.plan(later, desired(later, native=False)) is None
    due = desired(later).fields["resolution_due_at"]
    assert live.api("GET", f"tickets/{ticket}")["custom_fields"]["cf_sla_resolution_due_at"] == due


def test_dates_go_back_to_freshdesks_own_and_leave_nothing_behind(live):
    ticket = live.ticket()
    helpdesk = live.open(mode="native")
    write(helpdesk, helpdesk.read(ticket), native=False)
    write(helpdesk, helpdesk.read(ticket))

    shown = live.api("GET", f"tickets/{ticket}")
    assert shown["custom_fields"]["cf_sla_resolution_due_at"] is None
    assert shown["due_by"] == desired(helpdesk.read(ticket)).fields["resolution_due_at"]


# --- what refuses a write -------------------------------------------------------------------------


def make_field(live, label, **flags):
    wanted = {"label": label, "type": "custom_text", "customers_can_edit": False} | flags
    return live.api("POST", "admin/ticket_fields", wanted)


@pytest.mark.parametrize("errors", ["dotted", "bare"])
def test_somebody_elses_mandatory_field_blocks_the_ticket(live, errors):
    live.switch(mandatory_on_update=True, custom_field_errors=errors)
    ticket = live.ticket()
    make_field(live, "Root cause", required_for_agents=True)
    helpdesk = live.open()
    reading = helpdesk.read(ticket)

    with pytest.raises(WriteBlocked, match=r"root_cause.*fill it in there"):
        write(helpdesk, reading)


def test_a_mandatory_type_blocks_the_ticket(live):
    live.switch(type_required_on_update=True)
    helpdesk = live.open()

    with pytest.raises(WriteBlocked, match="before type is put right"):
        write(helpdesk, helpdesk.read(live.ticket()))


def test_a_tag_that_is_too_long_is_named(live):
    live.switch(tag_longest=5)
    helpdesk = live.open()

    with pytest.raises(WriteRefused, match="tag prefix"):
        write(helpdesk, helpdesk.read(live.ticket()))


def test_a_ticket_in_the_bin_takes_no_writes(live):
    ticket = live.ticket()
    helpdesk = live.open()
    reading = helpdesk.read(ticket)
    live.control(f"tickets/{ticket}", method="DELETE")

    with pytest.raises(TicketReadOnly):
        write(helpdesk, reading)
    assert helpdesk.read(ticket).read_only == "deleted"


# --- fields that change behind our back -----------------------------------------------------------

CHANGED_FIELDS = {
    "deleted": (lambda live: live.control("fields/cf_sla_explanation", method="DELETE"), "has no"),
    "retyped": (
        lambda live: live.control("fields/cf_sla_explanation", {"type": "custom_number"}),
        "is of type custom_number",
    ),
    "hidden": (lambda live: live.control("fields/cf_sla_explanation", {"hidden": True}), "hides"),
}


@pytest.mark.parametrize(("change", "line"), CHANGED_FIELDS.values(), ids=CHANGED_FIELDS)
def test_a_field_that_went_is_named_and_the_others_are_still_written(live, change, line):
    ticket = live.ticket()
    helpdesk = live.open()
    reading = helpdesk.read(ticket)
    change(live)
    with pytest.raises(WriteRefused) as caught:
        write(helpdesk, reading)
    assert not isinstance(caught.value, WriteBlocked)

    told = [one for one in helpdesk.prepare() if one.startswith("output explanation")]
    assert len(told) == 1
    assert line in told[0]
    reading = helpdesk.read(ticket)
    write(helpdesk, reading)
    assert helpdesk.read(ticket).tags == {"sla_sev_high"}


def test_a_field_that_comes_back_is_written_again(live):
    ticket = live.ticket()
    live.control("fields/cf_sla_explanation", {"hidden": True})
    helpdesk = live.open()
    write(helpdesk, helpdesk.read(ticket))
    live.control("fields/cf_sla_explanation", {"hidden": False})
    assert helpdesk.prepare() == ()

    assert write(helpdesk, helpdesk.read(ticket)).fields == {"explanation": "Because."}


@pytest.mark.parametrize("names", ["cf", "bare", "suffix"])
def test_fields_are_found_in_every_form_of_their_names(live, names):
    live.switch(field_names=names)
    field = make_field(live, "Contract level")
    live.desk.with_inputs({"level": {"field": "cf_contract_level"}})
    ticket = live.ticket()
    live.api("PUT", f"tickets/{ticket}", {"custom_fields": {field["name"]: "gold"}})

    assert live.open().read(ticket).ticket.values["level"] == "gold"


# --- the account ----------------------------------------------------------------------------------


def test_a_suspended_account_and_a_disabled_key_have_names(live):
    helpdesk = live.open()
    live.control("account", {"suspended": True})
    with pytest.raises(AccountSuspended, match="an admin has to settle that"):
        helpdesk.identify()
    live.control("account", {"suspended": False, "deactivated": True})
    with pytest.raises(SignInRefused, match="API key"):
        helpdesk.identify()
    live.control("account", {"deactivated": False})

    assert helpdesk.identify().user_id


def test_an_agents_key_is_enough(live):
    live.switch(key_role="agent")
    ticket = live.ticket()
    helpdesk = live.open(Wants(organizations=True))
    write(helpdesk, helpdesk.read(ticket))

    assert len(one_round(helpdesk)[0]) == 1


def test_a_plan_without_the_api_says_so(freshdesk):
    with served(freshdesk, plan="free") as live, pytest.raises((RoleMissing, RateLimited)):
        live.open()
