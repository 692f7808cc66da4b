"""What is wrong in a policy file is said with its place and with what would be right."""

import pytest

from mappings.document.reading import DocumentError
from mappings.errors import MappingError
from mappings.policy import Amount
from tests.builders import POLICIES, a_policy, user_support

GOOD = """\
policy: small
title: Small
document: small.txt
calendars:
  business:
    time_zone: account
    week: {mon: ["09:00-17:00"]}
severity:
  levels:
    - {id: high, name: High}
    - {id: low, name: Low}
  rules:
    - from: priority
    - severity: low
      gaps: [silence]
targets:
  - metric: first_response
    when: {severity: high}
    aim: 1h
    limit: 4h
    clock: business
gaps:
  - {id: silence, grade: W, text: nothing is said, assumption: low}
"""

MISTAKES = [
    # what is written instead of what: line and column, and how the problem begins or ends
    (
        "    limit: 4h",
        "    limti: 4h",
        "20:5",
        "targets.0.limti: 'limti' is no field here; did you mean 'limit'?",
    ),
    ("title:", "tilte:", "2:1", "tilte: 'tilte' is no field here; did you mean 'title'?"),
    (
        "    limit: 4h",
        "    limit: 4 hrs",
        "20:5",
        "targets.0.limit: '4 hrs' is no length of time; write 15m, 4h, 2bd",
    ),
    (
        "    limit: 4h",
        "    limit: 4",
        "20:5",
        "targets.0.limit: '4' is no length of time; write 15m, 4h, 2bd",
    ),
    (
        "    limit: 4h",
        "    limit: 0h",
        "20:5",
        "targets.0.limit: '0h' is out of range; a length of time is more than 0",
    ),
    (
        "    limit: 4h",
        "    limit: -4h",
        "20:5",
        "targets.0.limit: '-4h' is no length of time; write 15m, 4h, 2bd",
    ),
    ("aim: 1h", "aim: 5h", "17:5", "targets.0: the aim (5 hours) lies after the limit (4 hours)"),
    (
        "{severity: high}",
        "{severity: hgih}",
        "18:12",
        "severity 'hgih' does not exist; did you mean 'high'? known: high, low",
    ),
    (
        "{severity: high}",
        "{channel: emial}",
        "18:12",
        "channel 'emial' does not exist; did you mean 'email'?",
    ),
    (
        "{severity: high}",
        "high",
        "18:5",
        "targets.0.when: a condition is written as {severity: high",
    ),
    (
        "{severity: high}",
        "{severity: 1}",
        "18:5",
        "targets.0.when: 'severity' needs a word or a list of words, such as severity: [email]",
    ),
    (
        "    clock: business",
        "    clock: busines",
        "21:5",
        "calendar 'busines' does not exist; did you mean 'business'? known: business, elapsed",
    ),
    (
        "    limit: 4h\n    clock: business",
        "    limit: 4bd",
        "20:5",
        "business days need a clock that names a calendar",
    ),
    ("[silence]", "[silance]", "15:7", "gap 'silance' is not listed under gaps; known: silence"),
    (
        "severity: low",
        "severity: lowest",
        "14:7",
        "severity 'lowest' does not exist; did you mean 'low'? known: high, low",
    ),
    (
        "from: priority",
        "from: mood",
        "13:7",
        "severity.rules.0: from: 'mood' is unknown; severity or priority is meant",
    ),
    (
        "    - severity: low",
        "    - severity: low\n      when: {severity: high}",
        "15:7",
        "a severity rule cannot depend on the severity",
    ),
    ("{id: low, name", "{id: high, name", "11:8", "'high' stands there twice"),
    ("first_response", "first_reply", "17:5", "targets.0.metric: input should be 'first_response'"),
    ("title: Small", "title: 5", "2:1", "title: input should be a valid string"),
    ("title: Small\n", "", "1:1", "title: is missing"),
    (
        "  business:",
        "  elapsed:",
        "5:3",
        "'elapsed' means every second; name the calendar otherwise",
    ),
    (
        "mon:",
        "monday:",
        "7:5",
        "calendars.business.week: 'monday' is no day; write mon, tue, wed, thu, fri, sat or sun",
    ),
    (
        "title: Small",
        "title: Small\ntitle: Large",
        "3:1",
        'found duplicate key "title"; each key',
    ),
    ("title: Small", "\ttitle: Small", "2:1", "found character '\\t' that cannot start any token"),
    (
        "title: Small",
        "title: &a Small\ndocument: *a",
        "3:1",
        "aliases (*name) are not allowed; write the value out",
    ),
    ("title: Small", "title: " + "[" * 40 + "]" * 40, "2:1", "nested deeper than 30 levels"),
]


@pytest.mark.parametrize(
    ("good", "bad", "place", "message"), MISTAKES, ids=[row[1].strip()[:40] for row in MISTAKES]
)
def test_a_mistake_is_named_with_its_place_and_what_is_right(
    good: str, bad: str, place: str, message: str
) -> None:
    assert good in GOOD
    with pytest.raises(DocumentError) as caught:
        a_policy(text=GOOD.replace(good, bad, 1))
    found = [one for one in caught.value.problems if message in one.message]
    assert [f"{one.line}:{one.column}" for one in found] == [place]


NAMES = "names with values (name: value) are expected here"
WHOLE = [
    ("", "policy.yaml:0:0: E is empty"),
    ("# nothing but a comment\n", "policy.yaml:0:0: E is empty"),
    ("- policy\n", f"policy.yaml:1:1: E the document: {NAMES}"),
    ("small", f"policy.yaml:1:1: E the document: {NAMES}"),
    (
        "a: " + "x" * 10_000_000,
        "policy.yaml:0:0: E has 10,000,003 characters; the limit is 1,000,000",
    ),
]


@pytest.mark.parametrize(
    ("text", "problem"), WHOLE, ids=["empty", "comment", "list", "word", "10 MB"]
)
def test_a_file_that_is_no_policy_at_all(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert [str(one) for one in caught.value.problems] == [problem]


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "%", "\x00", "--- a\n--- b\n", "!!python/x {}"]
)
def test_what_is_no_yaml_is_said_in_words(text: str) -> None:
    with pytest.raises(DocumentError):
        a_policy(text=text)


def test_all_mistakes_are_told_at_once() -> None:
    text = GOOD.replace("limit: 4h", "limit: 4 hrs").replace("title:", "tilte:")
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert sorted({problem.line for problem in caught.value.problems}) == [1, 2, 20]
    text = GOOD.replace("[silence]", "[x]").replace("clock: business", "clock: b")
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert sorted(problem.line for problem in caught.value.problems) == [15, 21]


def test_unknown_words_are_found_wherever_a_condition_stands() -> None:
    text = GOOD + (
        "exempt: [{when: {channel: forums}, reason: channel}]\n"
        "duties: [{id: call, when: {waiting: nobody}, text: call}]\n"
        "tiers: [{tier: 2, any: [{severity: critical, resolution: late}]}]\n"
    )
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert [problem.message.split(";")[0] for problem in caught.value.problems] == [
        "channel 'forums' does not exist",
        "waiting 'nobody' does not exist",
        "severity 'critical' does not exist",
        "resolution 'late' does not exist",
    ]


def test_facts_of_mapped_fields_may_have_any_value() -> None:
    policy = a_policy(text=GOOD.replace("{severity: high}", '{area: ["", Data Loss]}'))
    assert str(policy.targets[0].when) == "area Data Loss"


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert a_policy(text="\ufeff" + GOOD) == a_policy(text=GOOD)


def test_an_unknown_time_zone_is_named() -> None:
    with pytest.raises(MappingError, match="Mars/Olympus"):
        a_policy(text=GOOD, zone="Mars/Olympus")


def test_the_version_is_that_of_what_is_promised_and_not_of_how_it_is_written() -> None:
    written = GOOD.replace("aim: 1h", "aim: 60m # an hour")
    assert a_policy(text=written).version == a_policy(text=GOOD).version
    assert a_policy(text=GOOD, zone="Asia/Tokyo").version != a_policy(text=GOOD).version
    changed = GOOD.replace("limit: 4h", "limit: 5h")
    assert a_policy(text=changed).version != a_policy(text=GOOD).version


AMOUNTS = [
    ("15m", Amount(seconds=900)),
    ("4h", Amount(seconds=14_400)),
    ("90s", Amount(seconds=90)),
    ("1w", Amount(seconds=604_800)),
    ("2bd", Amount(business_days=2)),
    ("4 h", Amount(seconds=14_400)),
]


@pytest.mark.parametrize(("text", "amount"), AMOUNTS, ids=[row[0] for row in AMOUNTS])
def test_lengths_of_time(text: str, amount: Amount) -> None:
    target = a_policy(text=GOOD.replace("aim: 1h\n    ", "").replace("4h", text)).targets[0]
    assert target.limit == amount


@pytest.mark.parametrize("name", sorted(path.stem for path in POLICIES.glob("*.yaml")))
def test_every_shipped_policy_can_be_read(name: str) -> None:
    text = (POLICIES / f"{name}.yaml").read_text(encoding="utf-8")
    assert a_policy(text=text).id == name


def test_user_support_lists_every_gap_that_it_uses_and_uses_every_gap() -> None:
    policy = user_support()
    used = {gap for one in policy.targets for gap in one.gaps}
    used |= {gap for one in policy.severity_rules for gap in one.gaps}
    used |= {gap for one in policy.tiers for gap in one.gaps}
    # the time zone is told by the calendar; holidays touch no date until the account has some
    assert set(policy.gaps) == used | {"time-zone", "holidays"}
