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
  first_response:
    - when: {severity: high}
      aim: 1h
      limit: 4h
      clock: business
gaps:
  - {id: silence, grade: W, text: nothing is said, assumption: low}
"""

MISTAKES = [
    # what is written instead of what: line and column, and a part of what is said
    # keys
    ("limit: 4h", "limti: 4h", "20:7", "first_response.0.limti: 'limti' is no field here; did you"),
    ("title:", "tilte:", "2:1", "tilte: 'tilte' is no field here; did you mean 'title'?"),
    ("title:", "xyz:", "2:1", "xyz: 'xyz' is no field here; known here: at_risk_at, business_day"),
    ("t_response:", "t_reply:", "17:3", "'first_reply' is unknown; did you mean 'first_response'?"),
    ("title: Small\n", "", "1:1", "title: is missing"),
    ("title: Small", "title: Small\ntitle: Large", "3:1", 'found duplicate key "title"; each key'),
    # a Cyrillic letter that looks like i
    (
        "title:",
        "t\u0456tle:",
        "2:1",
        "its '\u0456' is CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN",
    ),
    ("high}", "h\u0456gh}", "18:14", "I, no English letter; known: high, low"),
    ("title:", "ti\u200btle:", "2:1", "is ZERO WIDTH SPACE, no English letter; did you mean"),
    ("title:", "1:", "2:1", "1: write a name of letters, before the ':', not a number"),
    ("title:", f"{'x' * 300}:", "2:1", "a name has at most 200 characters"),
    # lengths of time
    ("limit: 4h", "limit: 4 hrs", "20:7", "limit: '4 hrs' is no length of time; write 4h"),
    ("limit: 4h", "limit: 4 hours", "20:7", "'4 hours' is no length of time; write 4h"),
    ("limit: 4h", "limit: 2 days", "20:7", "write 2d (of 24 hours) or 2bd (business days)"),
    ("limit: 4h", "limit: 1.5h", "20:7", "'1.5h' is no length of time; write 90m"),
    ("limit: 4h", "limit: 90", "20:7", "its unit is missing; write 90m for minutes, 90h for hours"),
    ("limit: 4h", "limit: soon", "20:7", "'soon' is no length of time; write 15m, 4h, 2bd"),
    ("limit: 4h", "limit: 0h", "20:7", "'0h' is out of range; a length of time is more than 0"),
    ("limit: 4h", "limit: -4h", "20:7", "'-4h' is no length of time; it must be more than 0"),
    ("limit: 4h", f"limit: {'9' * 5000}h", "20:7", "is no length of time; write 15m"),
    ("aim: 1h", "aim: 5h", "18:7", "the aim (5 hours) lies after the limit (4 hours)"),
    ("limit: 4h", "every: 4h", "20:7", "'every' is for next_update; write limit"),
    (
        "limit: 4h\n      clock: business",
        "limit: 4bd",
        "20:7",
        "business days need a clock that names",
    ),
    # conditions
    (
        "high}",
        "hgih}",
        "18:14",
        "severity 'hgih' does not exist; did you mean 'high'? known: high,",
    ),
    ("high}", "1}", "18:14", "severity '1' does not exist; known: high, low"),
    (
        "high}",
        "[]}",
        "18:7",
        "'severity' needs a word or a list of words, such as severity: [email]",
    ),
    ("high}", "{}}", "18:7", "'severity' says nothing; write a word or an operator"),
    ("high}", "{isnt: low}}", "18:7", "'severity': 'isnt' is no operator; known: is, is_not"),
    (
        "{severity: high}",
        "{channel: emial}",
        "18:14",
        "channel 'emial' does not exist; did you mean",
    ),
    ("{severity: high}", "high", "18:7", "when: a condition is written as {severity: high"),
    # names
    (
        "clock: business",
        "clock: busines",
        "21:7",
        "calendar 'busines' does not exist; did you mean",
    ),
    ("[silence]", "[silance]", "15:7", "gap 'silance' is not listed under gaps; known: silence"),
    ("severity: low", "severity: lowest", "14:7", "severity 'lowest' does not exist; did you mean"),
    ("from: priority", "from: mood", "13:7", "from: 'mood' is unknown; known: severity, matrix"),
    (
        "    - severity: low",
        "    - severity: low\n      when: {severity: high}",
        "15:7",
        "a severity rule cannot depend on the severity",
    ),
    ("{id: low, name", "{id: high, name", "11:8", "'high' stands there twice"),
    ("{id: low, name", "{id: Very low, name", "11:8", "'Very low' is no name; begin with a letter"),
    ("  business:", "  elapsed:", "5:3", "'elapsed' means every second; name the calendar"),
    # values
    ("title: Small", "title: 5", "2:1", "title: write a text, not a number"),
    ("title: Small", "title:", "2:1", "title: is empty; write a text"),
    ("title: Small", "title: [Small]", "2:1", "title: write a text, not a list"),
    ("title:", "at_risk_at: 75\ntitle:", "2:1", "at_risk_at: must be less than 1"),
    ("title:", "commitment: tagret\ntitle:", "2:1", "'tagret' is unknown; did you mean 'target'?"),
    (
        "title:",
        "on_reopen: [resume]\ntitle:",
        "2:1",
        "write 'resume', 'continue' or 'restart', not a list",
    ),
    ("grade: W", "grade: X", "23:19", "grade: 'X' is unknown; known: 'E', 'W' or 'I'"),
    ("[silence]", "{silence: no}", "15:7", "gaps: write a list, such as [one, two], not names"),
    ("high}\n", "high}\n      under: maybe\n", "19:7", "under: write true or false, not a text"),
    # calendars
    ("zone: account", "zone: Mars/Olympus", "6:5", "unknown time zone 'Mars/Olympus'"),
    ("zone: account", "zone: London", "6:5", "did you mean 'Europe/London'?"),
    (
        "mon:",
        "monday:",
        "7:12",
        "week.monday: 'monday' is no day; write mon, tue, wed, thu, fri, sat or sun",
    ),
    ("09:00-17:00", "09:00-09:00", "7:18", "'09:00-09:00' has no length; write 00:00-24:00 for a"),
    ("09:00-17:00", "9-17", "7:18", "'9-17' is no interval; write it as 09:00-17:00"),
    (
        "    week:",
        "    holidays: [2026-02-30]\n    week:",
        "7:16",
        "'2026-02-30' is no date; write it",
    ),
    (
        "    week:",
        "    holidays: [1, x]\n    week:",
        "7:19",
        "'x' is no date; write it as 2026-12-25",
    ),
    (
        "    week:",
        "    closures: [[2026-07-01T12:00:00Z, 2026-07-01T15:00]]\n    week:",
        "7:17",
        "'2026-07-01T12:00:00Z' is no local wall time; write it as 2026-07-01T12:00, no offset",
    ),
    # what YAML itself does not take, or what we do not take of YAML
    ("title: Small", "\ttitle: Small", "2:1", "a tab stands here; indent with spaces"),
    ("title: Small", "title: &a Small\ndocument: *a", "3:11", "aliases (*name) are not allowed"),
    ("title: Small", "title: " + "[" * 40 + "]" * 40, "2:35", "nested deeper than 30 levels"),
    ("title: Small", "title: Small: large", "2:13", "a ':' is not possible here; put the text in"),
    ("title: Small", "title: 'Small", "2:8", "a quote that begins here is not closed"),
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


NAMES = "write names with values (name: value)"
WHOLE = [
    ("", "policy.yaml:1:1: E is empty"),
    ("# nothing but a comment\n", "policy.yaml:1:1: E is empty"),
    ("- policy\n", f"policy.yaml:1:1: E the document: {NAMES}, not a list"),
    ("small", f"policy.yaml:1:1: E the document: {NAMES}, not a text"),
    (
        "a: " + "x" * 10_000_000,
        "policy.yaml:1:1: E has 10,000,003 characters; the limit is 100,000",
    ),
]


@pytest.mark.parametrize(
    ("text", "problem"), WHOLE, ids=["empty", "comment", "list", "word", "10 MB"]
)
def test_a_file_that_is_no_policy_at_all(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert [str(one) for one in caught.value.problems] == [problem]


def test_all_mistakes_are_told_at_once() -> None:
    text = GOOD.replace("limit: 4h", "limit: 4 hrs").replace("title:", "tilte:")
    text = text.replace("[silence]", "[x]").replace("severity: low", "severity: lo")
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    # the title is missing, the key is wrong, the limit is; and what can be checked besides
    assert sorted(problem.line for problem in caught.value.problems) == [1, 2, 14, 15, 20]


def test_a_broken_part_makes_no_mistake_of_what_stands_below_it() -> None:
    good = "    - {when: {severity: low}, limit: 8h}\n    - {when: {severity: lo}, limit: 8h}\n"
    text = GOOD.replace("gaps:\n  -", f"{good}gaps:\n  -").replace("limit: 4h", "limit: 4 hrs")
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert [(one.line, one.message.split(";")[0]) for one in caught.value.problems] == [
        (20, "targets.first_response.0.limit: '4 hrs' is no length of time"),
        (23, "severity 'lo' does not exist"),
    ]


def test_what_refers_to_a_broken_part_is_not_told() -> None:
    text = GOOD.replace("09:00-17:00", "nine to five").replace("[silence]", "[x]")
    with pytest.raises(DocumentError) as caught:
        a_policy(text=text)
    assert [problem.line for problem in caught.value.problems] == [7]


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
    assert str(policy.targets[0].when) == "area empty or Data Loss"


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
    target = a_policy(text=GOOD.replace("aim: 1h\n      ", "").replace("4h", text)).targets[0]
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
