"""What the local Zendesk answers to requests that no sensible client sends, and some that do."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bodies import object_id, strict_json

JSON = {"Content-Type": "application/json"}
FAR = 2**63


TEXTS = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    )
)
def test_what_is_json_is_read_as_python_reads_it(value):
    assert strict_json(json.dumps(value).encode()) == value
    assert strict_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense", b"NaN", b'{"a":Infinity}', b"[-Infinity]", b"1e999", b'"\\ud800"', b'"\xff"',
        b"[" * 101 + b"{}" + b"]" * 101, b"[" * 100_000, b"9" * 5000, b"\xef\xbb\xbf{}",
    ],
    ids=lambda raw: f"{len(raw)} {raw[:14]!r}",
)  # fmt: skip
def test_what_is_no_json_is_refused(zendesk, raw):
    with pytest.raises(ValueError):  # noqa: PT011 - the texts are many, and Python's own
        strict_json(raw)
    ticket_id = zendesk.ticket()
    for path in ("/tickets", f"/tickets/{ticket_id}/tags", "/webhooks/test"):
        method = "PUT" if path.endswith("tags") else "POST"
        answer = zendesk.api(method, path, data=raw, headers=JSON)
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()["error"]
    assert zendesk.get(ticket_id)["tags"] == []


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1), ("12", 12), (FAR - 1, FAR - 1), (FAR, None), ("²", None), ("9" * 5000, None),
     (True, None), (-1, None), (1.0, None), ([], None), (None, None)],
)  # fmt: skip
def test_ids_from_outside(value, number):
    assert object_id(value) == number


ODD_UPDATES = [
    {"tags": 5}, {"additional_tags": 5}, {"remove_tags": {"a": 1}}, {"metadata": "x"},
    {"metadata": [[]]}, {"comment": 5}, {"comment": []},
    {"comment": {"body": "x", "author_id": "abc"}},
    {"requester_id": "²"}, {"requester_id": 5}, {"assignee_id": [1]}, {"group_id": FAR},
    {"custom_fields": 5}, {"custom_fields": [{"id": []}]}, {"external_id": {}}, {"status": {}},
    {"type": "task", "due_at": "9999-12-31T23:59:59-12:00"},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_UPDATES, ids=repr)
def test_an_odd_update_is_refused_in_the_vendors_words(zendesk, odd):
    ticket_id = zendesk.ticket()
    before = zendesk.get(ticket_id)
    answer = zendesk.api("PUT", f"/tickets/{ticket_id}", {"ticket": odd})
    assert answer.status_code in (400, 422), answer.text
    assert {"error", "description"} <= set(answer.json())
    assert zendesk.get(ticket_id) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/tickets/1001/tags", [1]),
        ("POST", "/tickets/1001/merge", {"ids": 5}),
        ("POST", "/tickets/1001/merge", {"ids": ["²"]}),
        ("POST", "/tickets", {"ticket": {"comment": "x", "requester_id": "²"}}),
        ("POST", "/tickets", {"ticket": {"comment": "x", "additional_tags": 5}}),
        ("POST", "/ticket_fields", {"ticket_field": {"title": "x", "type": [None]}}),
        *(
            ("POST", "/ticket_fields", {"ticket_field": {
                "title": "x", "type": "tagger", "custom_field_options": options}})
            for options in ("abc", [{}], [5])
        ),
        ("PUT", "/ticket_forms/900700000001", {"ticket_form": {"ticket_field_ids": True}}),
        ("POST", "/webhooks/test", [1]),
        ("POST", "/webhooks/test", {"request": [1]}),
        *(
            ("POST", "/webhooks", {"webhook": {
                "name": "x", "endpoint": "http://127.0.0.1:9", **odd}})
            for odd in (
                {"subscriptions": [None]},
                {"subscriptions": 5},
                {"custom_headers": [1]},
                {"authentication": {"data": 5}},
                {"subscriptions": ["zen:event-type:ticket.created"], "http_method": "GET"},
            )
        ),
        ("POST", "/users", {"user": {"name": 5}}),
        ("POST", "/users", {"user": {"name": "x", "email": "agent@sandbox.test"}}),
        ("POST", "/users", {"user": {"name": "x", "role": "owner"}}),
        ("POST", "/organizations", {"organization": {"name": "x", "domain_names": 5}}),
        ("POST", "/tickets/create_many", {"tickets": [5]}),
        ("DELETE", "/tickets/destroy_many?ids=²", None),
        ("GET", "/search/export?query=status:open", None),
        ("GET", "/users/search", None),
        ("GET", "/tickets?page[size]=2&page[after]=LTUtLTM=", None),
        *(
            ("GET", f"/incremental/tickets/cursor?{asked}", None)
            for asked in ("start_time=nan", "start_time=inf", "start_time=²", "cursor=aW5mfHwx")
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_request_is_refused(zendesk, method, path, body):
    answer = zendesk.api(method, path, body)
    assert answer.status_code in (400, 422), answer.text
    assert {"error", "errors"} & set(answer.json())


@pytest.mark.parametrize("number", [FAR - 1, FAR, 2**70])
def test_numbers_that_no_object_has_are_not_found(zendesk, number):
    for path in ("tickets", "users", "organizations", "ticket_fields"):
        assert zendesk.api("GET", f"/{path}/{number}").status_code == 404
    assert zendesk.api("GET", f"/tickets/{number}/audits").status_code == 404
    mark = base64.urlsafe_b64encode(f"{number}-{number}".encode()).decode()
    answer = zendesk.api("GET", "/tickets", params={"page[size]": 2, "page[after]": mark})
    assert (answer.status_code, answer.json()["tickets"]) == (200, [])


@pytest.mark.parametrize("start", ["1767225600.0", "0", "-5", "-9.9e99", str(-(2**80))])
def test_a_start_time_may_be_a_fraction_and_lie_anywhere_in_the_past(zendesk, start):
    zendesk.control("POST", "clock", {"advance_seconds": 3600})
    answer = zendesk.api("GET", f"/incremental/tickets/cursor?start_time={start}&per_page=2")
    assert (answer.status_code, len(answer.json()["tickets"])) == (200, 2)


def field_with(zendesk, **wanted):
    answer = zendesk.api("POST", "/ticket_fields", {"ticket_field": {"title": "Odd", **wanted}})
    return answer.json()["ticket_field"]["id"]


def kept(zendesk, field_id, value):
    ticket_id = zendesk.ticket()
    wanted = {"ticket": {"custom_fields": [{"id": field_id, "value": value}]}}
    answer = zendesk.api("PUT", f"/tickets/{ticket_id}", wanted)
    if answer.status_code != 200:
        return answer.status_code
    fields = answer.json()["ticket"]["custom_fields"]
    return next(field["value"] for field in fields if field["id"] == field_id)


@pytest.mark.parametrize(
    ("pattern", "value", "held"),
    [
        (r"\A\d+\z", "123", "123"),
        (r"\A\d+\z", "12x", 422),
        (r"\A\d+\z", "12\n", 422),
        (r"\A\d+\Z", "12\n", "12\n"),
        (r"\A\h{2}\z", "fF", "fF"),
        (r"\A\h{2}\z", "fg", 422),
        (r"(?<year>\d+)[", "anything", "anything"),
    ],
)
def test_patterns_are_rubys(zendesk, pattern, value, held):
    key = field_with(zendesk, type="regexp", regexp_for_validation=pattern)
    assert kept(zendesk, key, value) == held


def test_of_a_card_only_the_last_digits_are_kept(zendesk):
    key = field_with(zendesk, type="partialcreditcard")
    assert kept(zendesk, key, "4111 1111 1111 1234") == "1234"


def test_what_is_no_option_is_ignored(zendesk):
    options = [{"name": "One", "value": "odd_one"}]
    for kind, nothing in (("tagger", None), ("multiselect", None)):
        options = [{"name": "One", "value": f"odd_{kind}"}]
        key = field_with(zendesk, type=kind, custom_field_options=options)
        assert kept(zendesk, key, {}) == nothing
    assert kept(zendesk, key, [{}, "odd_multiselect"]) == ["odd_multiselect"]


def test_system_fields_stay(zendesk):
    fields = zendesk.api("GET", "/ticket_fields").json()["ticket_fields"]
    status = next(field for field in fields if field["type"] == "status")
    assert status["removable"] is False
    answer = zendesk.api("DELETE", f"/ticket_fields/{status['id']}")
    assert (answer.status_code, answer.json()["error"]) == (422, "RecordInvalid")
    assert zendesk.api("GET", f"/ticket_fields/{status['id']}").status_code == 200


def test_the_connection_serves_on_after_a_long_body_that_nobody_wanted(zendesk):
    body = b"x" * 300_000
    for path in ("/api/v2/tickets", "/api/v2/nonsense", "/nonsense"):
        refused = zendesk.raw("POST", path, data=body, headers=JSON)
        assert refused.status_code in (401, 404)
        assert zendesk.raw("GET", "/api/v2/users/me").status_code == 200


@pytest.mark.parametrize("name", ["offset_seconds", "advance_seconds", "set"])
@pytest.mark.parametrize("value", [[], {}, None, "²", "nan"])
def test_the_controls_refuse_what_is_no_time(zendesk, name, value):
    answer = zendesk.raw("POST", "/_sandbox/clock", json={name: value})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tickets", {"subject": "x", "tags": 5}),
        ("tickets/1001", {"fields": 5}),
        ("organizations", {"name": [], "domains": []}),
        ("organizations", {"name": "x", "domains": 5}),
        ("deliveries/faults", {"duplicate": []}),
        ("limits", {"minute_seconds": []}),
    ],
)
def test_the_controls_refuse_odd_shapes(zendesk, path, body):
    answer = zendesk.raw("POST", f"/_sandbox/{path}", json=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]
