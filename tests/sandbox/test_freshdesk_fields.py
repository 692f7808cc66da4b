"""The local Freshdesk's ticket fields: names, choices, demands of the form, and troubles."""

import pytest


def put(freshdesk, ticket_id, **wanted):
    return freshdesk.api("PUT", f"/tickets/{ticket_id}", wanted)


def errors(answer):
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def field(freshdesk, name):
    return next(f for f in freshdesk.api("GET", "/ticket_fields").json() if f["name"] == name)


def create(freshdesk, **changed):
    wanted = {"label": "Root cause", "type": "custom_text", "customers_can_edit": False}
    return freshdesk.api("POST", "/admin/ticket_fields", wanted | changed)


def change(freshdesk, name, **wanted):
    path = f"/admin/ticket_fields/{field(freshdesk, name)['id']}"
    return freshdesk.api("PUT", path, wanted)


NESTED = [{"value": "Hardware", "choices": [{"value": "Printer", "choices": []}]}]


def test_choices_have_four_shapes(freshdesk):
    create(freshdesk, label="Area", type="nested_field", choices=NESTED)
    group = freshdesk.api("GET", "/groups").json()[0]
    shapes = {
        name: field(freshdesk, name)["choices"]
        for name in ("status", "priority", "group", "ticket_type", "cf_area")
    }
    assert shapes["status"]["6"] == ["Waiting on Customer", "Waiting on Customer"]
    assert (shapes["priority"]["Urgent"], shapes["group"][group["name"]]) == (4, group["id"])
    assert ("Incident" in shapes["ticket_type"], shapes["cf_area"]) == (True, NESTED)


@pytest.mark.parametrize(
    ("naming", "names"),
    [
        pytest.param("cf", ["cf_root_cause", "cf_root_cause297458"], id="usual"),
        pytest.param("bare", ["root_cause", "root_cause297458"], id="of long standing"),
        pytest.param("suffix", ["cf_root_cause_297457", "cf_root_cause_297458"], id="digits"),
    ],
)
def test_new_fields_are_named_in_three_ways(freshdesk, naming, names):
    freshdesk.control("POST", "switches", {"field_names": naming})
    made = [create(freshdesk).json()["name"] for _ in names]
    ticket_id = freshdesk.ticket()
    put(freshdesk, ticket_id, custom_fields={names[0]: "Paper"})
    assert made == names
    assert freshdesk.get(ticket_id)["custom_fields"][names[0]] == "Paper"


def test_a_nested_field_has_names_for_its_levels(freshdesk):
    made = create(
        freshdesk,
        label="Area",
        type="nested_field",
        choices=NESTED,
        dependent_fields=[{"label": "Device", "level": 2}],
    ).json()
    ticket_id = freshdesk.ticket()
    values = {"cf_area": "Hardware", "cf_device": "Printer"}
    statuses = [
        put(freshdesk, ticket_id, custom_fields=values).status_code,
        put(freshdesk, ticket_id, custom_fields={"cf_device": "Cat"}).status_code,
    ]
    assert (made["nested_ticket_fields"][0]["name"], statuses) == ("cf_device", [200, 400])
    assert values.items() <= freshdesk.get(ticket_id)["custom_fields"].items()


def test_a_status_of_ones_own_has_the_next_number(freshdesk):
    change(freshdesk, "status", choices=[{"value": "Parked"}, {"id": 6, "value": "Your turn"}])
    ticket_id = freshdesk.ticket()
    answers = [put(freshdesk, ticket_id, status=number).status_code for number in (8, 9)]
    assert answers == [200, 400]
    choices = field(freshdesk, "status")["choices"]
    assert (choices["8"][0], choices["6"][0]) == ("Parked", "Your turn")
    freshdesk.control("POST", f"tickets/{ticket_id}", {"status": "Your turn"})
    assert freshdesk.get(ticket_id)["status"] == 6


@pytest.mark.parametrize(
    ("kind", "choices", "good", "bad", "code"),
    [
        ("custom_text", None, "a", 1, "datatype_mismatch"),
        ("custom_paragraph", None, "a", ["a"], "datatype_mismatch"),
        ("custom_number", None, 3, "3", "datatype_mismatch"),
        ("custom_decimal", None, 3.5, True, "datatype_mismatch"),
        ("custom_checkbox", None, True, "true", "datatype_mismatch"),
        ("custom_date", None, "2026-03-06", "06.03.2026", "invalid_value"),
        ("custom_dropdown", ["a", "b"], "b", "c", "invalid_value"),
    ],
)
def test_values_are_checked_by_type(freshdesk, kind, choices, good, bad, code):
    create(freshdesk, type=kind, choices=choices)
    ticket_id = freshdesk.ticket()
    kept = put(freshdesk, ticket_id, custom_fields={"cf_root_cause": good})
    refused = put(freshdesk, ticket_id, custom_fields={"cf_root_cause": bad})
    assert (kept.status_code, errors(refused)) == (200, [("custom_fields.cf_root_cause", code)])
    assert kept.json()["custom_fields"]["cf_root_cause"] == good


def test_a_wrong_choice_is_told_the_right_ones(freshdesk):
    answer = put(freshdesk, freshdesk.ticket(), custom_fields={"cf_product_area": "Kitchen"})
    expected = "It should be one of these values: 'Invoicing,Sign-in,Reports,Mobile app'"
    assert answer.json()["errors"][0]["message"] == expected


def test_errors_may_name_custom_fields_by_their_bare_name(freshdesk):
    freshdesk.control("POST", "switches", {"custom_field_errors": "bare"})
    answer = put(freshdesk, freshdesk.ticket(), custom_fields={"cf_product_area": "Kitchen"})
    assert errors(answer) == [("cf_product_area", "invalid_value")]


@pytest.mark.parametrize("strict", [True, False])
def test_a_mandatory_field_may_block_an_update_of_anything_else(freshdesk, strict):
    ticket_id = freshdesk.ticket()
    change(freshdesk, "cf_product_area", required_for_agents=True)
    freshdesk.control("POST", "switches", {"mandatory_on_update": strict})
    answer = put(freshdesk, ticket_id, tags=["sla_x"])
    assert answer.status_code == (400 if strict else 200)
    assert not strict or errors(answer) == [("custom_fields.cf_product_area", "invalid_value")]
    both = put(freshdesk, ticket_id, tags=["a"], custom_fields={"cf_product_area": "Reports"})
    assert both.status_code == 200


def test_a_new_ticket_needs_what_agents_must_fill(freshdesk):
    change(freshdesk, "ticket_type", required_for_agents=True)
    new = {"subject": "x", "description": "y", "email": "a@b.test", "status": 2, "priority": 1}
    refused = freshdesk.api("POST", "/tickets", new)
    made = freshdesk.api("POST", "/tickets", new | {"type": "Incident"})
    assert (errors(refused), made.status_code) == ([("type", "invalid_value")], 201)


@pytest.mark.parametrize("status", [4, 5])
def test_closing_needs_what_must_be_filled_for_it(freshdesk, status):
    change(freshdesk, "cf_product_area", required_for_closure=True)
    ticket_id = freshdesk.ticket()
    answers = [
        put(freshdesk, ticket_id, priority=3).status_code,
        put(freshdesk, ticket_id, status=status).status_code,
        put(
            freshdesk, ticket_id, status=status, custom_fields={"cf_product_area": "Reports"}
        ).status_code,
    ]
    assert answers == [200, 400, 200]


@pytest.mark.parametrize(
    ("tag", "longest", "status"), [("x" * 32, 32, 200), ("x" * 33, 32, 400), ("x" * 33, 64, 200)]
)
def test_tags_have_a_greatest_length(freshdesk, tag, longest, status):
    freshdesk.control("POST", "switches", {"tag_longest": longest})
    assert put(freshdesk, freshdesk.ticket(), tags=[tag]).status_code == status


@pytest.mark.parametrize(("lower", "expected"), [(False, ["VIP", "vip"]), (True, ["vip"])])
def test_tags_may_lose_their_capitals(freshdesk, lower, expected):
    freshdesk.control("POST", "switches", {"tags_lower_case": lower})
    ticket_id = freshdesk.ticket()
    put(freshdesk, ticket_id, tags=["VIP", "vip", " "])
    assert freshdesk.get(ticket_id)["tags"] == expected


def test_an_outbound_tickets_subject_is_fixed(freshdesk):
    new = {"subject": "x", "description": "y", "email": "a@b.test", "status": 2, "priority": 1}
    made = freshdesk.api("POST", "/tickets", new | {"source": 10}).json()
    refused = put(freshdesk, made["id"], subject="Other")
    assert errors(refused) == [("subject", "incompatible_field")]
    assert put(freshdesk, made["id"], priority=2).status_code == 200


def test_a_deleted_fields_values_are_gone(freshdesk):
    ticket_id = freshdesk.ticket()
    put(freshdesk, ticket_id, custom_fields={"cf_sla_severity": "S1"})
    freshdesk.control("DELETE", "fields/SLA severity")
    create(freshdesk, label="SLA severity")
    assert freshdesk.get(ticket_id)["custom_fields"]["cf_sla_severity"] is None


def test_a_retyped_field_has_another_id_and_takes_other_values(freshdesk):
    before = field(freshdesk, "cf_sla_severity")["id"]
    freshdesk.control("POST", "fields/cf_sla_severity", {"type": "custom_number"})
    after = field(freshdesk, "cf_sla_severity")
    answer = put(freshdesk, freshdesk.ticket(), custom_fields={"cf_sla_severity": "S1"})
    assert (after["type"], after["id"] == before) == ("custom_number", False)
    assert errors(answer) == [("custom_fields.cf_sla_severity", "datatype_mismatch")]


def test_a_hidden_field_is_neither_shown_nor_written(freshdesk):
    ticket_id = freshdesk.ticket()
    values = {"cf_sla_severity": "S1"}
    put(freshdesk, ticket_id, custom_fields=values)
    freshdesk.control("POST", "fields/SLA severity", {"hidden": True})
    refused = put(freshdesk, ticket_id, custom_fields={"cf_sla_severity": "S2"})
    hidden = freshdesk.get(ticket_id)["custom_fields"]
    freshdesk.control("POST", "fields/SLA severity", {"hidden": False})
    assert errors(refused) == [("custom_fields.cf_sla_severity", "inaccessible_field")]
    assert ("cf_sla_severity" in hidden, values.items()) == (
        False,
        {"cf_sla_severity": freshdesk.get(ticket_id)["custom_fields"]["cf_sla_severity"]}.items(),
    )
