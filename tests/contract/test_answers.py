"""Every 2xx answer of the local helpdesks against the vendors' documents and shapes of our own."""

import pytest

from tests.contract.differences import KNOWN, listed, unlisted, unneeded
from tests.contract.own import problems, shape_names
from tests.contract.recording import general


def answers(desk):
    return [one for one in desk.recorder.exchanges if 200 <= one.status < 300]


def differences(desk, document):
    """Name -> an example, of everything that the document says otherwise."""
    found = {}
    for exchange in answers(desk):
        for one in document.differences(exchange):
            found.setdefault(one.name, one.example)
    return found


def folded(names):
    """What differs -> the calls in which it does."""
    found = {}
    for name in sorted(names):
        call, _, what = name.partition(": ")
        found.setdefault(what, []).append(call)
    return dict(sorted(found.items()))


@pytest.fixture(params=["zendesk", "freshdesk"])
def desk(request):
    return request.getfixturevalue(f"driven_{request.param}")


def test_every_route_was_asked_for_with_success(desk):
    routes = {
        f"{method} {general(rule.rule)}"
        for rule in desk.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/oauth/"))
    }
    well = {f"{one.method} {one.rule}" for one in answers(desk)}
    assert routes - well == set()
    assert [one.name for one in desk.recorder.exchanges if one.status >= 400] == []


def test_zendesk_answers_as_its_document_says(driven_zendesk, zendesk_document, told):
    found = differences(driven_zendesk, zendesk_document)
    for line, names in listed(found).items():
        told(f"Zendesk: {line}\n    ({KNOWN[line]})")
        told("\n".join(f"        {name}" for name in names))
    assert [f"{name}: {found[name]}" for name in unlisted(found)] == []
    assert unneeded(found) == []


def test_freshdesk_differs_from_an_unofficial_document(driven_freshdesk, freshdesk_document, told):
    found = differences(driven_freshdesk, freshdesk_document)
    for what, calls in folded(found).items():
        told(f"Freshdesk (only a hint): {what}\n    in {', '.join(calls)}")
    assert found, "the document is generated and lacks what is known; nothing was compared"


def test_answers_have_the_shapes_of_the_fact_sheets(desk):
    document = f"{desk.kind}-answers"
    known = {name for name in shape_names(document) if " " in name}
    held = [one for one in answers(desk) if one.name in known]
    wrong = [
        f"{one.name}: {problem}"
        for one in held
        for problem in problems(document, one.name, one.answered)
    ]
    assert wrong == []
    assert {one.name for one in held} == known
