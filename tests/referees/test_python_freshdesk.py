"""The local Freshdesk as `python-freshdesk`, a client that we did not write, sees it.

The library wants https and a domain of the vendor, so its prefix is set after construction. It
sends some parameters twice (in the address and beside it), and knows the sources up to 7 only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from freshdesk.v2.api import API
from freshdesk.v2.errors import (
    FreshdeskAccessDenied,
    FreshdeskBadRequest,
    FreshdeskError,
    FreshdeskNotFound,
    FreshdeskRateLimited,
    FreshdeskUnauthorized,
)

from sandbox.application import create_sandbox
from sandbox.freshdesk.gate import API_KEY
from sandbox.server import Served, serving


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(create_sandbox("freshdesk", tickets=5)) as served:
        yield served


@pytest.fixture
def api(served: Served) -> Iterator[API]:
    made = client(served)
    yield made
    made._session.close()


def client(served: Served, key: str = API_KEY) -> API:
    made = API("sandbox.freshdesk.com", key)
    made._api_prefix = f"{served.url}/api/v2/"
    made._session.trust_env = False
    return made


def a_ticket(api: API, **given):
    wanted = {"description": "It burns.", "email": "sam@customers.test", "source": 2}
    return api.tickets.create_ticket("Printer on fire", **wanted | given)


def test_it_creates_and_reads_a_ticket(api):
    made = a_ticket(api, priority=4, tags=["vip"], custom_fields={"cf_affected_users": 3})
    read = api.tickets.get_ticket(made.id, "stats", "requester", "company", "conversations")
    assert (
        read.subject,
        read.status,
        read.priority,
        read.source,
        read.tags,
        read.custom_fields["cf_affected_users"],
    ) == ("Printer on fire", "open", "urgent", "portal", ["vip"], 3)
    assert isinstance(read.created_at, datetime)
    assert (read.requester["email"], read.conversations) == ("sam@customers.test", [])


def test_it_updates_and_tags_a_ticket(api):
    made = a_ticket(api, tags=["vip"])
    changed = api.tickets.update_ticket(made.id, status=6, priority=3, tags=[*made.tags, "sla_x"])
    assert (
        changed.status,
        changed.priority,
        changed.tags,
    ) == ("status_6", "high", ["vip", "sla_x"])


def test_it_writes_due_dates(api):
    made = a_ticket(api)
    now = datetime.now(UTC).replace(microsecond=0)
    dates = {
        "due_by": (now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fr_due_by": (now + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    api.tickets.update_ticket(made.id, **dates)
    read = api.tickets.get_ticket(made.id)
    assert dates == {"due_by": read.due_by, "fr_due_by": read.fr_due_by}


def test_it_deletes_tickets_and_lists_the_bin(api):
    made = a_ticket(api)
    api.tickets.delete_ticket(made.id)
    assert [made.id] == [ticket.id for ticket in api.tickets.list_deleted_tickets()]
    with pytest.raises(FreshdeskError, match="405"):
        api.tickets.update_ticket(made.id, priority=2)


def test_it_pages_through_all_tickets(api):
    made = {a_ticket(api).id for _ in range(3)}
    since = "2001-01-01T00:00:00Z"
    by_itself = api.tickets.list_tickets(filter_name=None, updated_since=since, per_page=2)
    pages = [
        api.tickets.list_tickets(
            filter_name=None, updated_since=since, page=page, per_page=3,
            order_by="updated_at", order_type="asc",
        )
        for page in (1, 2, 3, 4)
    ]  # fmt: skip
    ids = [ticket.id for page in pages for ticket in page]
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    assert len(ids) == len(set(ids))
    assert set(ids) == {ticket.id for ticket in by_itself} > made


def test_its_usual_list_is_that_of_new_and_my_open_tickets(api):
    new = a_ticket(api)
    me = api.agents.currently_authenticated_agent()
    mine = a_ticket(api, responder_id=me.id)
    other = next(agent for agent in api.agents.list_agents() if agent.id != me.id)
    a_ticket(api, responder_id=other.id)
    a_ticket(api, status=5)
    assert {new.id, mine.id} == {t.id for t in api.tickets.list_tickets() if t.id >= new.id}
    assert api.tickets.list_watched_tickets() == []


def test_it_searches(api, served):
    made = a_ticket(api, priority=4, tags=["brand-new"])
    sandbox = served.app.extensions["sandbox"]
    sandbox.clock.advance(120)
    found = api.tickets.filter_tickets("priority:4 AND tag:'brand-new'")
    assert [made.id] == [ticket.id for ticket in found]


def test_it_replies_and_takes_notes(api):
    made = a_ticket(api)
    api.comments.create_reply(made.id, "On our way")
    api.comments.create_note(made.id, "Bring a hose", private=True)
    entries = api.comments.list_comments(made.id)
    expected = [("On our way", "reply", False), ("Bring a hose", "note", True)]
    assert expected == [(entry.body_text, entry.source, entry.private) for entry in entries]


def test_it_keeps_contacts(api):
    made = api.contacts.create_contact(name="Ada", email="ada@engines.test")
    changed = api.contacts.update_contact(made.id, name="Ada King")
    assert (changed.name, changed.email) == ("Ada King", "ada@engines.test")
    assert [made.id] == [c.id for c in api.contacts.list_contacts(email="ada@engines.test")]
    api.contacts.soft_delete_contact(made.id)
    assert made.id not in {contact.id for contact in api.contacts.list_contacts()}
    api.contacts.restore_contact(made.id)
    assert api.contacts.get_contact(made.id).name == "Ada King"
    api.contacts.permanently_delete_contact(made.id)
    with pytest.raises(FreshdeskNotFound):
        api.contacts.get_contact(made.id)


def test_an_address_belongs_to_one_contact(api):
    api.contacts.create_contact(name="Ada", email="ada@engines.test")
    with pytest.raises(FreshdeskError, match="409"):
        api.contacts.create_contact(name="Another", email="ada@engines.test")


def test_it_keeps_companies(api):
    made = api.companies.create_company(name="Engines", domains=["engines.test"])
    api.companies.update_company(made.id, account_tier="Premium")
    read = api.companies.get_company(made.id)
    assert (read.name, read.domains, read.account_tier) == ("Engines", ["engines.test"], "Premium")
    assert made.id in {company.id for company in api.companies.list_companies()}
    api.companies.delete_company(made.id)
    with pytest.raises(FreshdeskNotFound):
        api.companies.get_company(made.id)


def test_it_reads_agents_roles_groups_and_fields(api):
    me = api.agents.currently_authenticated_agent()
    assert me.id == api.agents.get_agent(me.id).id
    assert me.role_ids[0] in {role.id for role in api.roles.list_roles()}
    group = api.groups.list_groups()[0]
    assert group.name == api.groups.get_group(group.id).name
    assert "status" in {field.name for field in api.ticket_fields.list_ticket_fields()}


def test_an_agent_can_be_changed(api):
    agent = api.agents.list_agents()[-1]
    assert api.agents.update_agent(agent.id, occasional=True).occasional is True


@pytest.mark.parametrize(
    ("switches", "error"),
    [
        pytest.param({"suspended": True}, FreshdeskAccessDenied, id="suspended"),
        pytest.param({"list_403_share": 1.0}, FreshdeskAccessDenied, id="403 on a list"),
    ],
)
def test_it_understands_refusals(api, served, switches, error):
    served.app.extensions["sandbox"].desk.set_switches(switches)
    with pytest.raises(error):
        api.tickets.list_tickets()


def test_it_understands_a_wrong_key_and_a_wrong_value(api, served):
    stranger = client(served, "wrong")
    with pytest.raises(FreshdeskUnauthorized, match="logged in"):
        stranger.tickets.list_tickets()
    stranger._session.close()
    with pytest.raises(FreshdeskBadRequest, match="It should be one of these values"):
        api.tickets.update_ticket(a_ticket(api).id, priority=9)


def test_it_understands_a_used_up_limit():
    with serving(create_sandbox("freshdesk", tickets=0, plan="growth")) as served:
        api = client(served)
        for _ in range(20):
            api.tickets.list_tickets(page=1)
        with pytest.raises(FreshdeskRateLimited, match=r"until \d+ seconds"):
            api.tickets.list_tickets(page=1)
        api._session.close()
