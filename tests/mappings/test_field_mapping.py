from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.document.fields import OUTPUTS, parse_fields
from mappings.document.reading import DocumentError
from mappings.field_mapping import OutputType, Words, plain
from mappings.ticket import Channel, Remark
from mappings.written import instant

FILES = Path(__file__).parents[2] / "mappings" / "fields"
SMALL = "helpdesk: zendesk\npriorities: [urgent, high, normal, low]\nstatuses: {open: open}\n"


@pytest.mark.parametrize("kind", ["freshdesk", "zendesk"])
def test_the_shipped_mappings_are_read(kind):
    mapping = parse_fields((FILES / f"{kind}.yaml").read_text(encoding="utf-8"), kind)

    assert mapping.helpdesk == kind
    assert len(mapping.priorities) == 4
    # nobody needs a field for groups before an escalation ladder names some
    assert set(OUTPUTS) - {"group"} <= set(mapping.outputs) <= set(OUTPUTS)
    assert mapping.outputs["resolution_due_at"].type is OutputType.INSTANT


def test_words_are_kept_in_lower_case_and_numbers_are_words():
    text = "helpdesk: freshdesk\npriorities: [4, 3]\nstatuses: {2: open, Parked: on_hold}\n"

    mapping = parse_fields(text, "f")

    assert mapping.priorities == ("4", "3")
    assert dict(mapping.statuses) == {"2": "open", "parked": "on_hold"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("waiting: {pending: coffee}", "'customer', 'third_party'"),
        ("channels: {fax: paper}", "'email', 'portal'"),
        ("types: {x: puzzle}", "'incident', 'question'"),
        ("cancelled_tags: {x: gone}", "'merged', 'deleted' or 'spam'"),
        ("outputs: {due: {field: x, type: date}}", "possible are first_response_due_on"),
        ("outputs: {severity: {field: x, type: blob}}", "'date', 'instant', 'option' or 'text'"),
        ("outputs: {resolution_due_at: {field: x, type: date}}", "it is instant"),
        ("inputs: {status: {field: x}}", "it is mapped by statuses"),
        ("inputs: {Im pact: {field: x}}", "use a-z, 0-9 and _"),
        ("inputs: {tier: {field: x, of: company}}", "'ticket' or 'organization'"),
        ("inputs: {reported_at: {field: x, of: organization}}", "a field of the ticket"),
        ("inputs: {flags: {field: tags}}", "needs 'values'"),
        ("colours: {}", "'colours' is no field here"),
    ],
)
def test_what_is_not_possible_is_refused_with_what_is(line, expected):
    with pytest.raises(DocumentError) as caught:
        parse_fields(SMALL + line + "\n", "fields.yaml")

    message = str(caught.value)
    assert message.startswith("fields.yaml:4:")
    assert expected in message


def test_a_priority_twice_is_refused():
    with pytest.raises(DocumentError, match="twice"):
        parse_fields("helpdesk: x\npriorities: [a, A]\nstatuses: {open: open}\n", "f")


@pytest.fixture
def words():
    text = (
        SMALL + "types: {incident: incident}\nclass_tags: {complaint: complaint, defect: defect}\n"
        "channels: {email: email}\ninputs:\n  impact: {field: '7', values: {Huge: high}}\n"
        "  build: {field: '8'}\n"
    )
    return Words(parse_fields(text, "f"))


def test_an_unknown_word_is_a_remark_and_never_an_error(words):
    assert words.status("Parked") == "unknown"
    assert words.priority("whenever") is None
    assert words.channel("pigeon") is Channel.OTHER
    assert words.ticket_class("riddle", frozenset()) == "other"
    assert words.given("impact", "odd") is None
    assert words.remarks == tuple(
        Remark(code="unknown_value", about=about, value=value)
        for about, value in [
            ("status", "Parked"),
            ("priority", "whenever"),
            ("channel", "pigeon"),
            ("type", "riddle"),
            ("impact", "odd"),
        ]
    )


def test_nothing_said_is_no_remark(words):
    assert (words.priority(None), words.channel(None)) == (None, Channel.OTHER)
    assert words.ticket_class(None, frozenset()) == "other"
    assert words.remarks == ()


def test_a_tag_wins_over_the_type_and_an_earlier_row_over_a_later_one(words):
    assert words.ticket_class("incident", frozenset({"defect", "complaint"})) == "complaint"
    assert words.ticket_class("incident", frozenset()) == "incident"


@pytest.mark.parametrize(
    ("ticket", "organization", "field", "expected"),
    [
        (["plan_gold"], ["plan_silver"], "bronze", ("gold",)),
        (["plan_Patrol", "x", "plan_enlist"], [], "bronze", ("enlist", "patrol")),
        ([], ["plan_silver"], "bronze", ("silver",)),
        (["planet", "plan_"], [], "Bronze, iron", ("bronze", "iron")),
        ([], [], None, ()),
    ],
)
def test_the_plans_come_from_the_nearest_place(words, ticket, organization, field, expected):
    assert words.plans(ticket, organization, field) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (True, "true"),
        (False, None),
        (None, None),
        ("", None),
        (["a", "b"], "a,b"),
        ([], None),
        (12.0, "12"),
        (0, "0"),
        (1.5, "1.5"),
        ("2026-03-02", "2026-03-02"),
        ({"a": 1}, None),
    ],
)
def test_a_value_as_text(words, raw, expected):
    assert plain(raw) == expected
    assert words.given("build", raw) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T08:15:00Z", datetime(2026, 3, 2, 8, 15, tzinfo=UTC)),
        ("2026-03-02T08:15:00.987+05:30", datetime(2026, 3, 2, 2, 45, tzinfo=UTC)),
        ("2026-03-02T08:15:00", None),
        ("2026-03-02", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_an_instant_is_utc_and_whole_seconds(text, expected):
    assert instant(text) == expected


FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1901, 2199))


@given(st.datetimes(FIRST, LAST, timezones=st.timezones()))
def test_any_aware_instant_is_read(at):
    # offsets of long ago have seconds, which ISO 8601 knows as well
    assert instant(at.isoformat()) == at.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize("year", ["0001", "1899", "2200", "9999"])
def test_an_instant_outside_the_years_that_are_computed_is_none(year):
    assert instant(f"{year}-06-01T00:00:00Z") is None


def test_only_an_earlier_report_counts(words):
    created_at = datetime(2026, 3, 2, 8, tzinfo=UTC)

    assert words.reported_at(created_at, "2026-03-02T07:00:00Z").hour == 7
    assert words.reported_at(created_at, "2026-03-02T09:00:00Z") == created_at
    assert words.remarks == ()
    assert words.reported_at(created_at, "this morning") == created_at
    assert words.remarks[0].about == "reported_at"


def words_of(inputs):
    return Words(parse_fields(SMALL + f"inputs:\n  {inputs}\n", "f"))


TAGS = "flags: {field: tags, values: {VIP: gold, vip_old: gold, slow: late}}"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], None),
        (["other", "sla_sev_low"], None),
        (["vip"], "gold"),
        (["Slow", "x", "VIP"], "gold,late"),
        (["vip_old", "slow", "vip"], "gold,late"),
    ],
)
def test_of_the_tags_those_count_that_the_table_names(tags, expected):
    words = words_of(TAGS)

    assert words.given("flags", tags) == expected
    assert words.remarks == ()


def test_inputs_are_those_of_the_ticket_or_those_of_its_organization():
    mapping = parse_fields(
        SMALL + "inputs: {a: {field: x, of: organization}, b: {field: y}}\n", "f"
    )

    assert list(mapping.inputs_of(organization=True)) == ["a"]
    assert list(mapping.inputs_of(organization=False)) == ["b"]
    assert parse_fields(SMALL + "inputs: {b: {field: y, of: ticket}}\n", "f").inputs_of(
        organization=False
    )


@pytest.mark.parametrize(
    ("name", "text", "is_read"),
    [
        ("promised_update_at", "2026-03-02T08:15:00Z", True),
        ("promised_update_at", "2026-03-02", True),
        ("promised_update_at", "2026-03-02 08:15", True),
        ("promised_update_at", "tomorrow", False),
        ("suspended_from", "02.03.2026", False),
        ("third_party_to", "2026-13-01", False),
        ("maintenance_to", "2026-03-02", True),
        ("maintenance", "tomorrow", True),
        ("valid_to", "tomorrow", True),
    ],
)
def test_a_bound_that_is_neither_an_instant_nor_a_date_is_remarked(name, text, is_read):
    words = words_of(f"{name}: {{field: x}}")

    assert words.given(name, text) == text
    assert words.given(name, None) is None
    expected = () if is_read else (Remark(code="unknown_value", about=name, value=text),)
    assert words.remarks == expected


def test_an_input_whose_field_is_missing_is_not_mapped():
    words = words_of("impact: {field: x}")
    words.missing("impact", "x")

    assert words.mapped(["impact", "urgency", "reported_at"]) == {"urgency"}
