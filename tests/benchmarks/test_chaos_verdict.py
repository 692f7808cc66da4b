"""The verdict of the kill test finds what was done twice, and knows the two excuses."""

from dataclasses import replace

from benchmarks.chaos.desk import Deed
from benchmarks.chaos.processes import Blow
from benchmarks.chaos.verdict import doubled, markers_in, sort_out
from benchmarks.truth import Final, Standing

WRITE = Deed(
    ticket=1, by_api=True, asked_at=100.0, done_at=100.5, changed=True, spoilt=False, standing="a"
)
AGAIN = replace(WRITE, asked_at=110.0, done_at=110.5, changed=False)
PEOPLE = replace(WRITE, by_api=False, asked_at=105.0, done_at=105.0, changed=False)


def _words(*deeds: Deed, killed_at: float = 0.0) -> list[str]:
    blows = [Blow(at=killed_at, name="worker 1", what="kill")]
    return [word for word, _ in sort_out(deeds, blows)]


def test_a_write_of_what_stands_there_already_was_in_vain() -> None:
    assert _words(WRITE, AGAIN) == ["changed", "in vain"]


def test_it_is_excused_where_the_sender_never_learnt_of_the_first() -> None:
    assert _words(replace(WRITE, spoilt=True), AGAIN) == ["changed", "unknown outcome"]


def test_it_is_excused_where_the_sender_was_killed_before_the_first_took_effect() -> None:
    assert _words(WRITE, AGAIN, killed_at=100.2) == ["changed", "outlived"]
    assert _words(WRITE, AGAIN, killed_at=105.0) == ["changed", "in vain"]


def test_a_write_that_brings_back_what_stood_there_was_in_vain_unless_people_had_acted() -> None:
    other = replace(WRITE, asked_at=104.0, done_at=104.0, standing="b")
    back = replace(WRITE, asked_at=110.0, done_at=110.5)

    assert _words(WRITE, other, back) == ["changed", "changed", "in vain"]
    assert _words(WRITE, other, PEOPLE, back) == ["changed", "changed", "changed"]


def test_a_note_that_stands_twice_is_found_on_both_helpdesks() -> None:
    standing = Standing(fields={}, tags=frozenset(), writable=True)
    text = f"Resolution breached.\n[deskclock {'ab' * 16}]"
    row = {"body_text": text, "private": True}
    freshdesk = {"conversations": [row, row, {"body_text": text, "private": False}]}
    event = {"type": "Comment", "body": text, "public": False}
    zendesk = {"audits": [{"events": [event]}, {"events": [event]}]}

    for document in (freshdesk, zendesk):
        final = Final(ticket_id="1", subject="", document=document, standing=standing)
        assert doubled({"1": markers_in(final)}) == {"1": [f"2 times {'ab' * 16}"]}
