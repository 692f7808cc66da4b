"""The facts of a ticket beyond its own fields: organizations, calls, ratings, own due dates."""

import copy
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from connector.helpdesks import wants_of
from connector.helpdesks.base import Wants
from mappings import conditions
from mappings.assignment import Assignment, Version
from mappings.document.contract import parse_contract
from mappings.document.policy import load_policy
from mappings.ticket import Remark, Reply

THEIRS = {
    "suspended": {"field": "on_hold", "of": "organization"},
    "tariff": {"field": "tariff", "of": "organization", "values": {"Large": "l"}},
}


def at(text):
    return datetime.fromisoformat(f"2026-03-02T{text}Z").astimezone(UTC)


def zendesk_ticket(theirs=None, **changes):
    """A document of Zendesk whose ticket belongs to an organization."""
    ticket = {"id": 1, "created_at": "2026-03-02T08:00:00Z", "organization_id": 9} | changes
    beside = {} if theirs is None else {"organizations": [{"id": 9} | theirs]}
    return {"ticket": ticket} | beside


def freshdesk_ticket(theirs=None, **changes):
    """A document of Freshdesk whose ticket belongs to a company."""
    ticket = {"id": 1, "created_at": "2026-03-02T08:00:00Z", "status": 2, "company_id": 9}
    beside = {} if theirs is None else {"company": {"id": 9, "name": "Acme"} | theirs}
    return ticket | beside | changes


def document(desk, theirs=None, **changes):
    build = zendesk_ticket if desk.kind == "zendesk" else freshdesk_ticket
    return build(theirs, **changes)


def fields(desk, **values):
    """The fields of an organization, or of a company."""
    key = "organization_fields" if desk.kind == "zendesk" else "custom_fields"
    return {key: values}


# --- fields of the organization ------------------------------------------------------------------


def test_fields_of_the_organization_fill_values(desk):
    desk.with_inputs(THEIRS)
    (ticket,) = desk.tickets(document(desk, fields(desk, on_hold=True, tariff="large")))

    assert (ticket.values["suspended"], ticket.values["tariff"]) == ("true", "l")
    assert ticket.mapped == {"suspended", "tariff"}
    assert ticket.remarks == ()


@pytest.mark.parametrize("key", ["cf_on_hold", "on_hold"])
@pytest.mark.parametrize("name", ["cf_on_hold", "on_hold"])
def test_names_of_company_fields_stand_with_or_without_their_prefix(freshdesk, key, name):
    freshdesk.with_inputs({"suspended": {"field": name, "of": "organization"}})
    (ticket,) = freshdesk.tickets(freshdesk_ticket({"custom_fields": {key: True}}))

    assert ticket.values["suspended"] == "true"


def test_an_organization_that_the_json_does_not_show_tells_nothing(desk):
    desk.with_inputs(THEIRS)
    for theirs in (None, {}):
        (ticket,) = desk.tickets(document(desk, theirs))

        assert not {"suspended", "tariff"} & ticket.values.keys()
        assert ticket.mapped == {"suspended", "tariff"}
        assert ticket.remarks == ()


def test_without_an_organization_its_fields_are_empty(desk):
    desk.with_inputs(THEIRS)
    (ticket,) = desk.tickets(document(desk, organization_id=None, company_id=None))

    assert (ticket.values["suspended"], ticket.values["tariff"]) == (None, None)
    (bare,) = desk.tickets({"id": 1, "created_at": "2026-03-02T08:00:00Z", "status": 2})
    assert "suspended" not in bare.values  # nobody said that there is none


def test_a_field_that_the_organization_lacks_is_missing_and_an_odd_word_is_unknown(desk):
    desk.with_inputs(THEIRS)
    (ticket,) = desk.tickets(document(desk, fields(desk, tariff="Huge")))

    assert set(ticket.remarks) == {
        Remark(code="field_missing", about="suspended", value="on_hold"),
        Remark(code="unknown_value", about="tariff", value="Huge"),
    }
    assert (ticket.mapped, ticket.values["tariff"]) == ({"tariff"}, None)


def test_tags_of_the_organization_are_those_that_the_table_names(zendesk):
    zendesk.with_inputs({"club": {"field": "tags", "of": "organization", "values": {"vip": "yes"}}})
    (told,) = zendesk.tickets(zendesk_ticket({"tags": ["Other", "VIP"]}))
    (untold,) = zendesk.tickets(zendesk_ticket({}))

    assert told.values["club"] == "yes"
    assert "club" not in untold.values


def test_tags_of_the_ticket_are_those_that_the_table_names(desk):
    desk.with_inputs({"club": {"field": "tags", "values": {"vip": "yes", "old": "no"}}})
    (ticket,) = desk.tickets(document(desk, tags=["OLD", "x", "Vip"]))
    (none,) = desk.tickets(document(desk, tags=["x"]))

    assert (ticket.values["club"], none.values["club"]) == ("yes,no", None)
    assert ticket.remarks == none.remarks == ()


def test_domains_are_in_lower_case(desk):
    key = "domain_names" if desk.kind == "zendesk" else "domains"
    (ticket,) = desk.tickets(document(desk, {key: ["Acme.Example", "acme.test", 7]}))
    (none,) = desk.tickets(document(desk))

    assert (ticket.domains, none.domains) == (("acme.example", "acme.test"), ())


@pytest.mark.parametrize(
    ("tags", "field", "expected"),
    [
        (["plan_gold", "PLAN_Patrol"], "silver", ("gold", "patrol")),
        ([], "Silver, gold", ("silver", "gold")),
        ([], None, ()),
    ],
)
def test_a_customer_can_hold_several_plans(desk, tags, field, expected):
    (ticket,) = desk.tickets(document(desk, fields(desk, plan=field), tags=tags))

    assert ticket.plans == expected


# --- description and rating ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"description": "It burns."}, {"description": "filled"}, id="filled"),
        pytest.param({"description": " "}, {"description": None}, id="blank"),
        pytest.param({"description": None}, {"description": None}, id="null"),
        pytest.param({}, {}, id="not-told"),
    ],
)
def test_the_description_is_filled_or_empty_or_not_told(desk, changes, expected):
    (ticket,) = desk.tickets(document(desk, **changes))

    assert {k: v for k, v in ticket.values.items() if k == "description"} == expected


def test_a_list_of_freshdesk_tells_no_key_that_it_leaves_out(freshdesk):
    freshdesk.with_inputs({"product": {"field": "product_id"}, "impact": {"field": "cf_impact"}})
    (ticket,) = freshdesk.tickets([freshdesk_ticket(custom_fields={})])

    assert "product" not in ticket.values
    assert ticket.values["impact"] is None
    assert ticket.mapped == {"product", "impact"}


@pytest.mark.parametrize(
    ("rating", "expected"),
    [
        ({"score": "good", "id": 1, "comment": "Fine"}, "good"),
        ({"score": "bad"}, "bad"),
        ({"score": "offered"}, None),
        ({"score": "unoffered"}, None),
        (None, None),
    ],
)
def test_a_rating_is_good_or_bad(zendesk, rating, expected):
    (ticket,) = zendesk.tickets(zendesk_ticket(satisfaction_rating=rating))

    assert ticket.values["rating"] == expected
    assert "rating" not in zendesk.tickets(zendesk_ticket())[0].values


def test_audits_date_the_rating(zendesk):
    given = audit(3, 209, change("satisfaction_score", "offered", "bad"))
    ticket = audited(zendesk, given, satisfaction_rating={"score": "bad"})

    assert [(c.before, c.after, c.by_agent) for c in ticket.changes_of("rating")] == [
        (None, "bad", False)
    ]


# --- the helpdesk's own due dates ----------------------------------------------------------------


def slas(*rows):
    keys = ("metric", "breach_at", "stage")
    return {"policy_metrics": [dict(zip(keys, row, strict=True)) for row in rows]}


NOON, EVENING = "2026-03-02T12:00:00Z", "2026-03-02T18:00:00Z"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            slas(("first_reply_time", NOON, "active"), ("next_reply_time", EVENING, "active")),
            {"first_response": at("12:00:00")},
            id="first-reply",
        ),
        pytest.param(
            slas(
                ("requester_wait_time", NOON, "active"),
                ("total_resolution_time", EVENING, "active"),
            ),
            {"resolution": at("18:00:00")},
            id="total-resolution-wins",
        ),
        pytest.param(
            slas(("requester_wait_time", NOON, "active")),
            {"resolution": at("12:00:00")},
            id="else-requester-wait",
        ),
        pytest.param(
            slas(("periodic_update_time", NOON, "active")),
            {"next_update": at("12:00:00")},
            id="periodic-update",
        ),
        pytest.param(slas(("first_reply_time", NOON, "paused")), {}, id="paused"),
        pytest.param(slas(("first_reply_time", None, "active")), {}, id="without-a-date"),
        pytest.param(
            slas(("first_reply_time", NOON, "achieved")),
            {"first_response": at("12:00:00")},
            id="achieved",
        ),
        pytest.param({"policy_metrics": [None, 7]}, {}, id="odd-rows"),
        pytest.param(None, {}, id="not-asked-for"),
    ],
)
def test_zendesks_own_dates(zendesk, told, expected):
    (ticket,) = zendesk.tickets(zendesk_ticket(slas=told))

    assert ticket.own_dues == expected


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"fr_due_by": NOON}, {"first_response": at("12:00:00")}),
        ({"fr_due_by": None, "due_by": EVENING}, {"resolution": at("18:00:00")}),
        ({"nr_due_by": NOON}, {}),
    ],
)
def test_freshdesks_own_dates(freshdesk, dates, expected):
    (ticket,) = freshdesk.tickets(freshdesk_ticket(**dates))

    assert ticket.own_dues == expected


# --- calls, and who changed a value --------------------------------------------------------------

USERS = [
    {"id": 3001, "role": "agent"},
    {"id": 3002, "role": "admin"},
    {"id": 666, "role": "agent"},
    {"id": 209, "role": "end-user"},
]


def audit(minute, author, *events, via="web"):
    return {
        "id": minute,
        "created_at": f"2026-03-02T08:{minute:02}:00Z",
        "author_id": author,
        "via": {"channel": via},
        "events": list(events),
    }


def call(author, *, public=False, **data):
    return {"type": "VoiceComment", "author_id": author, "public": public, "data": data}


def change(name, before, after, **more):
    return {"type": "Change", "field_name": name, "previous_value": before, "value": after} | more


OPENING = audit(0, 209, {"type": "Create", "field_name": "status", "value": "new"}, call(3001))


def audited(zendesk, *audits, **changes):
    whole = zendesk_ticket(status="open", priority="high", **changes)
    whole |= {"audits": [OPENING, *audits], "users": USERS}
    (ticket,) = zendesk.tickets(whole, own_user_id="777", robots=frozenset({"666"}))
    return ticket


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(audit(5, 3001, call(3001)), True, id="by-an-agent"),
        pytest.param(audit(5, 3001, call(3001, public=True)), True, id="public"),
        pytest.param(audit(5, 209, call(209, answered_by_id=3002)), True, id="answered"),
        pytest.param(audit(5, 209, call(209, answered_by_id=None)), False, id="on-the-machine"),
        pytest.param(audit(5, 666, call(666)), False, id="by-a-robot"),
        pytest.param(audit(5, 777, call(777)), False, id="by-us"),
        pytest.param(audit(5, 3001, call(3001), via="rule"), False, id="by-a-rule"),
        pytest.param(audit(5, 4000, call(4000)), False, id="by-a-stranger"),
    ],
)
def test_a_phone_conversation_of_an_agent_is_a_call_and_no_reply(zendesk, told, expected):
    ticket = audited(zendesk, told)

    assert ticket.calls == ((Reply(at=at("08:05:00"), sequence=1),) if expected else ())
    assert ticket.replies == ()


def test_comments_tell_calls_too_and_the_opening_is_none(zendesk):
    opening = call(3001) | {"created_at": "2026-03-02T08:00:00Z"}
    later = call(3001, public=True) | {"created_at": "2026-03-02T08:07:00Z"}
    answer = {"type": "Comment", "author_id": 3001, "public": True}
    comments = [opening, later, answer | {"created_at": "2026-03-02T08:09:00Z"}]
    (ticket,) = zendesk.tickets(zendesk_ticket() | {"comments": comments, "users": USERS})

    assert ticket.calls == (Reply(at=at("08:07:00"), sequence=1),)
    assert ticket.replies == (Reply(at=at("08:09:00"), sequence=2),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, True, id="logged-by-an-agent"),
        pytest.param({"private": False}, True, id="public"),
        pytest.param({"incoming": True}, False, id="came-in"),
        pytest.param({"source": 2}, False, id="a-note"),
        pytest.param({"user_id": 666}, False, id="by-a-robot"),
        pytest.param({"user_id": 777}, False, id="by-us"),
    ],
)
def test_a_logged_phone_conversation_is_a_call_and_no_reply(freshdesk, changes, expected):
    row = {"incoming": False, "private": True, "source": 9, "user_id": 3001, "id": 1}
    row |= {"created_at": "2026-03-02T08:05:00Z"} | changes
    (ticket,) = freshdesk.tickets(
        freshdesk_ticket(conversations=[row]), own_user_id="777", robots=frozenset({"666"})
    )

    assert ticket.calls == ((Reply(at=at("08:05:00")),) if expected else ())
    assert ticket.replies == ()


RAISED = change("priority", "normal", "high")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(audit(5, 3001, RAISED), True, id="agent"),
        pytest.param(audit(5, 3002, RAISED, via="api"), True, id="admin-through-the-api"),
        pytest.param(audit(5, 209, RAISED), False, id="customer"),
        pytest.param(audit(5, 666, RAISED), False, id="robot"),
        pytest.param(audit(5, -1, RAISED), False, id="zendesk-itself"),
        pytest.param(audit(5, 3001, RAISED, via="rule"), False, id="rule"),
        pytest.param(
            audit(5, 3001, RAISED | {"via": {"channel": "rule"}}), False, id="rule-in-an-update"
        ),
        pytest.param(
            audit(5, 3001, RAISED, change("status", "new", "open", via={"channel": "rule"})),
            True,
            id="rule-beside-it",
        ),
        pytest.param(audit(5, 4000, RAISED), None, id="role-not-told"),
        pytest.param(audit(5, None, RAISED), None, id="author-not-told"),
    ],
)
def test_who_changed_a_value(zendesk, told, expected):
    (raised,) = audited(zendesk, told).changes_of("priority")

    assert (raised.before, raised.after, raised.by_agent) == ("3", "2", expected)


def test_audits_date_a_tag_that_a_table_names(zendesk):
    zendesk.with_inputs({"club": {"field": "tags", "values": {"vip": "yes"}}})
    tagged = audit(5, 3001, change("tags", ["sla_sev_low"], ["sla_sev_high", "vip"]))
    own = audit(9, 777, change("tags", ["sla_sev_high", "vip"], ["sla_sev_low", "vip"]))
    ticket = audited(zendesk, tagged, own, tags=["sla_sev_low", "vip"])

    assert [(c.at, c.before, c.after, c.by_agent) for c in ticket.changes] == [
        (at("08:05:00"), None, "yes", True)
    ]


def test_the_order_of_rows_in_a_document_says_nothing(zendesk):
    audits = [audit(9, 3001, call(3001)), audit(5, 3001, RAISED)]
    assert audited(zendesk, *copy.deepcopy(audits)) == audited(zendesk, *reversed(audits))


# --- what a policy wants -------------------------------------------------------------------------

POLICIES = files("mappings") / "policies"


def shipped(name, *contracts):
    text = (POLICIES / f"{name}.yaml").read_text(encoding="utf-8")
    return load_policy(text, f"{name}.yaml", time_zone="UTC", contracts=contracts)


def assigned(policy, **named):
    version = Version(policy=policy, in_force_from=at("00:00:00"))
    return Assignment(versions=(version,), **named)


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        pytest.param(None, Wants(), id="the-policy-alone"),
        pytest.param("organizations: ['9']", Wants(), id="by-the-id-that-the-ticket-has"),
        pytest.param("domains: [acme.test]", Wants(organizations=True), id="by-domain"),
        pytest.param("plan: gold", Wants(organizations=True), id="by-plan"),
    ],
)
def test_user_support_costs_nothing_more_without_a_contract_that_needs_it(contract, expected):
    text = f"contract: acme\npolicy: user-support\n{contract}\n"
    contracts = () if contract is None else (parse_contract(text, "acme.yaml"),)

    assert wants_of([assigned(shipped("user-support", *contracts))]) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("infocyte", Wants(organizations=True, description=True)),
        ("jivrus", Wants(own_dues=True, description=True)),
        ("workeasy", Wants(calls=True)),
    ],
)
def test_a_policy_says_what_it_wants(name, expected):
    assert wants_of([assigned(shipped(name))]) == expected


def test_a_condition_on_the_plan_between_policies_wants_organizations():
    policy = shipped("user-support")
    gold = conditions.Test(fact="plan", values=("gold",))
    when = conditions.Condition(tests=(gold,))

    assert wants_of([assigned(policy, when=when), assigned(policy)]) == Wants(organizations=True)
