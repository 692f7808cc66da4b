"""That the reading of an OpenAPI document finds what it is there to find."""

import pytest

from tests.contract.differences import KNOWN, listed, unlisted, unneeded
from tests.contract.openapi import Description
from tests.contract.recording import Exchange

DOCUMENT = """
openapi: 3.0.3
paths:
  /api/v2/things/{thing_id}:
    get:
      responses:
        "200":
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Answer"}
components:
  schemas:
    Answer:
      type: object
      properties:
        thing: {$ref: "#/components/schemas/Thing"}
        open: {type: object, additionalProperties: true}
    Thing:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        name: {type: string, nullable: true}
        operator: {type: string, enum: [=, <]}
        owner:
          anyOf:
            - type: object
              required: [kind, badge]
              properties: {kind: {enum: [agent]}, badge: {type: integer}}
            - type: object
              properties: {kind: {enum: [customer]}, tier: {type: string}}
"""


@pytest.fixture
def document(tmp_path):
    file = tmp_path / "document.yaml"
    file.write_text(DOCUMENT, encoding="utf-8")
    return Description(file)


def answered(body, *, status=200, rule="/api/v2/things/{}"):
    return Exchange(
        method="GET",
        rule=rule,
        query="",
        asked=None,
        status=status,
        content_type="application/json",
        answered=body,
    )


@pytest.mark.parametrize(
    ("thing", "names"),
    [
        ({"id": 1}, []),
        ({"id": 1, "name": None, "operator": "="}, []),
        ({}, ["thing (required)"]),
        ({"id": None}, ["thing.id (null)"]),
        ({"id": 1, "operator": ">"}, ["thing.operator (enum)"]),
        ({"id": 1, "colour": "red"}, ["thing.colour (not in the document)"]),
        ({"id": 1, "owner": {"kind": "customer", "tier": 1}}, ["thing.owner.tier (type)"]),
        ({"id": 1, "owner": {"kind": "customer", "x": 1}}, ["thing.owner.x (not in the document)"]),
    ],
    ids=[
        "right",
        "null and a bare =",
        "missing",
        "null where none may be",
        "no such word",
        "unknown",
        "the nearest of several",
        "unknown to all of several",
    ],
)
def test_differences_have_names(document, thing, names):
    found = [one.name for one in document.differences(answered({"thing": thing}))]
    assert list(dict.fromkeys(found)) == [f"GET /things/{{}}: {name}" for name in names]


def test_what_the_document_does_not_hold_is_named_too(document):
    (one,) = document.differences(answered({}, status=201))
    assert one.name == "GET /things/{}: status 201 is not in the document"
    (one,) = document.differences(answered({}, rule="/api/v2/others"))
    assert one.name == "GET /others: not in the document"
    assert list(document.differences(answered({"open": {"anything": 1}}))) == []


def test_only_listed_differences_are_allowed_and_all_of_them_are_needed():
    known, unknown = "GET /tickets: tickets[].priority (null)", "GET /tickets: tickets[].id (type)"
    assert unlisted([known, unknown]) == [unknown]
    assert listed([known, unknown])["*: ticket*.priority (null)"] == [known]
    assert len(unneeded([known])) == len(KNOWN) - 1
