"""How a private note is sent and found again on each helpdesk's wire."""

import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import TicketNotFound, TicketReadOnly, WriteRefused
from connector.helpdesks.zendesk.limits import NOTES, ZendeskLimits

TEXT = "Due <soon> & late.\n[deskclock 0123456789abcdef]"
MARKER = "0123456789abcdef"
SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)
TICKET = "35436"
NUMBERS = itertools.count(1)
ANY = re.compile(rf".*/tickets/{TICKET}(/.*)?$")


def said(at, text="Hello", name="body"):
    return {name: text, "created_at": at.isoformat().replace("+00:00", "Z"), "id": next(NUMBERS)}


def pages(wire, desk, *rows):
    """The lists of a ticket's messages, page by page."""
    z = desk.kind == "zendesk"
    path = f"/tickets/{TICKET}/" + ("comments" if z else "conversations")
    for number, page in enumerate(rows):
        more = number + 1 < len(rows)
        link = {"link": '<http://127.0.0.1:9/?page=2>; rel="next"'} if more else {}
        meta = {"has_more": more, "after_cursor": f"c{number}"}
        body = {"comments": page, "meta": meta} if z else page
        wire.get(f"http://127.0.0.1:9/api/v2{path}", json=body, headers={} if z else link)


def test_a_note_is_private_and_its_lines_stay_lines(desk, wire):
    z = desk.kind == "zendesk"
    (wire.put if z else wire.post)(ANY, json={}, status=200 if z else 201)
    desk.open().add_note(TICKET, TEXT)

    sent = json.loads(wire.calls[0].request.body)
    html = "Due &lt;soon&gt; &amp; late.<br>[deskclock 0123456789abcdef]"
    assert sent == (
        {"ticket": {"comment": {"body": TEXT, "public": False}}}
        if z
        else {"body": html, "private": True}
    )


@pytest.mark.parametrize("name", ["body", "html_body", "plain_body", "body_text"])
def test_the_marker_is_found_in_every_form_of_a_text(desk, wire, name):
    known = name in (
        ("body", "html_body", "plain_body") if desk.kind == "zendesk" else ("body", "body_text")
    )
    pages(wire, desk, [said(SINCE), said(SINCE, f"<p>[deskclock {MARKER}]</p>", name)])

    assert desk.open().has_note(TICKET, MARKER, SINCE) is known


def test_a_note_is_looked_for_on_every_page_that_may_hold_it(desk, wire):
    newest = SINCE + timedelta(days=1)
    pages(wire, desk, [said(newest), said(SINCE)], [said(SINCE, MARKER)])

    assert desk.open().has_note(TICKET, MARKER, SINCE)


def test_zendesks_older_comments_are_not_read(zendesk, wire):
    older = SINCE - timedelta(seconds=1)
    pages(wire, zendesk, [said(SINCE), said(older)], [said(older, MARKER)])

    assert not zendesk.open().has_note(TICKET, MARKER, SINCE)
    assert "sort=-created_at" in wire.calls[0].request.url


def test_a_list_that_comes_oldest_first_all_the_same_is_read_to_its_end(zendesk, wire):
    older = SINCE - timedelta(days=1)
    pages(wire, zendesk, [said(older - timedelta(days=1)), said(older)], [said(SINCE, MARKER)])

    assert zendesk.open().has_note(TICKET, MARKER, SINCE)


@pytest.mark.parametrize(
    ("status", "error"), [(404, TicketNotFound), (405, TicketReadOnly), (422, WriteRefused)]
)
def test_a_refusal_of_a_note_is_the_tickets(desk, wire, status, error):
    if desk.kind == "zendesk" and status == 405:
        status = 422
        body = {"error": "RecordInvalid", "description": "Status: closed prevents ticket update"}
    else:
        body = {}
    wire.put(ANY, json=body, status=status)
    wire.post(ANY, json=body, status=status)

    with pytest.raises(error):
        desk.open().add_note(TICKET, TEXT)


def test_a_ticket_that_is_gone_holds_no_note(desk, wire):
    wire.get(ANY, status=404, json={"error": "RecordNotFound"})

    with pytest.raises(TicketNotFound):
        desk.open().has_note(TICKET, MARKER, SINCE)
    with pytest.raises(TicketNotFound):
        desk.open().has_note("../users", MARKER, SINCE)


def test_notes_leave_the_single_updates_of_dates_their_share():
    def charged(fields):
        path, template = f"/api/v2/tickets/{TICKET}", "/api/v2/tickets/{id}"
        charges = ZendeskLimits().charges("PUT", path, template, {}, {"ticket": fields})
        return {one.bucket: one.share for one in charges}

    note, dates = charged({"comment": {"body": TEXT}}), charged({"custom_fields": []})
    assert note == dates | {NOTES: 0.15}
    assert note[NOTES] < note["tickets-update"]
