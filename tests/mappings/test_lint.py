"""What lint finds, where, and that it finds nothing in what is right."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mappings
from mappings.conditions import Condition
from mappings.document.condition_form import condition_of
from mappings.evaluate import evaluate
from mappings.lint.files import Source
from mappings.lint.findings import CODES, Finding
from mappings.lint.implication import implies, may_be, never_holds
from mappings.lint.linter import lint
from mappings.policy import Metric, Strategy
from tests.builders import LONDON, a_policy, a_ticket, local, shown

HERE = Path(str(mappings.__file__)).parent
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

POLICY = """\
policy: small
title: Small
document: small.txt
calendars:
  business:
    time_zone: Europe/London
    week: {mon: ["09:00-17:00"], tue: ["09:00-17:00"]}
severity:
  levels:
    - {id: high, name: High}
    - {id: low, name: Low}
  rules:
    - {when: {priority: [1, 2]}, severity: high}
    - {when: {area: core}, severity: high}
    - {severity: low}
targets:
  first_response:
    - {when: {severity: high}, limit: 1h, clock: business}
    - {when: {severity: low}, limit: 2h, clock: business}
  resolution:
    - {limit: 8h, clock: business, gaps: [clock]}
gaps:
  - {id: clock, grade: I, text: no clock is named, assumption: the hours of support}
"""
CONTRACT = """\
contract: acme
policy: small
organizations: [o1]
valid_from: 2026-01-01
valid_to: 2027-12-31
overrides:
  targets:
    resolution:
      - {limit: 4h, clock: business}
"""
FIELDS = """\
helpdesk: zendesk
priorities: [urgent, high, normal, low]
statuses: {open: open}
inputs:
  area: {field: Area}
outputs:
  state: {field: SLA state, type: text}
"""


def found(
    files: Mapping[str, str],
    *,
    time_zone: str | None = None,
    shelf: Mapping[str, str] | None = None,
) -> list[Finding]:
    """The findings about some files; `shelf` holds policies that can be found by their name."""
    sources = [Source(file=name, content=text.encode()) for name, text in files.items()]

    def find(name: str) -> Source | None:
        text = (shelf or {}).get(name)
        return None if text is None else Source(file=f"shelf/{name}", content=text.encode())

    def reader(_policy: str):
        return lambda name: (shelf or {})[name]

    return lint(sources, NOW, find=find, reader=reader, time_zone=time_zone)


def changed(text: str, old: str, new: str) -> str:
    """The text with a part of it replaced, which has to be there."""
    assert old in text
    return text.replace(old, new, 1)


def policy(old: str, new: str) -> dict[str, str]:
    return {"p.yaml": changed(POLICY, old, new)}


def contract(old: str = "", new: str = "", **more: str) -> dict[str, str]:
    return {"p.yaml": POLICY, "c.yaml": changed(CONTRACT, old, new), **more}


def fields(old: str, new: str, *, alone: bool = False) -> dict[str, str]:
    return ({} if alone else {"p.yaml": POLICY}) | {"f.yaml": changed(FIELDS, old, new)}


def other(name: str, text: str = "organizations: [o1]\n") -> str:
    """A second contract."""
    return f"contract: {name}\npolicy: small\n{text}"


MATRIX = (
    "  matrix:\n    rows: impact\n    columns: urgency\n    cells:\n"
    "      high: {high: high, low: low}\n      low: {high: low}\n"
)
LEVELS = "overrides:\n  severity:\n    levels: [{id: low, name: Low}, {id: top, name: Top}]\n"
LEVELS += "    rules: [{when: {area: x}, severity: top}, {severity: low}]\n"
LEVELS += "  targets: {first_response: [{limit: 1h}]}\n"
HIGH = "overrides: {targets: {resolution: [{when: {severity: high}, limit: 1h}, {limit: 2h}]}}\n"
REGIME = "regime: {calendar: business, strategy: at_report, open: 1h, closed: 4h}"

CASES = [
    # code, files, place, a part of the message
    ("invalid", policy("limit: 1h", "limit: 1 hr"), "p.yaml:18:32", "write 1h"),
    ("invalid", {"p.yaml": "\x00"}, "p.yaml:1:1", "U+0000"),
    ("invalid", {"p.yaml": ""}, "p.yaml:1:1", "is empty"),
    ("invalid", contract("limit: 4h", "limit: 4 hr"), "c.yaml:9:10", "write 4h"),
    ("invalid", contract("clock: business", "clock: x"), "c.yaml:9:21", "calendar 'x' does not"),
    ("invalid", fields("type: text", "type: date"), "f.yaml:6:1", "cannot be of type 'date'"),
    ("unknown-kind", {"x.yaml": "polici: a\n"}, "x.yaml:1:1", "did you mean 'policy' instead of"),
    ("unknown-kind", {"x.yaml": "- a\n"}, "x.yaml:1:1", "a file begins with policy:, contract:"),
    ("name-twice", {"p.yaml": POLICY, "q.yaml": POLICY}, "q.yaml:1:1", "'small' stands in p.yaml"),
    ("name-twice", contract(**{"d.yaml": other("acme")}), "d.yaml:1:1", "stands in c.yaml too"),
    (
        "priority-unmapped",
        policy("    - {severity: low}", "    - {from: priority}\n    - {severity: low}"),
        "p.yaml:15:8",
        "2 severities and the helpdesk 4 priorities",
    ),
    (
        "rule-unreachable",
        policy("{severity: low}\n", "{severity: low}\n    - {from: severity}\n"),
        "p.yaml:16:7",
        "rule 4 is never reached: rule 3 decides before it",
    ),
    (
        "rule-unreachable",
        policy("{severity: low}\n", "{when: {priority: 2, area: x}, severity: low}\n"),
        "p.yaml:15:7",
        "rule 3 is never reached: rule 1 decides before it",
    ),
    (
        "severity-never-given",
        policy("name: Low}", "name: Low}\n    - {id: mid, name: Mid}"),
        "p.yaml:12:8",
        "no rule gives the severity 'mid'",
    ),
    (
        "matrix-incomplete",
        policy("  rules:\n", f"{MATRIX}  rules:\n    - {{from: matrix}}\n"),
        "p.yaml:17:7",
        "no severity for impact low x urgency low",
    ),
    (
        "condition-never-holds",
        policy("{area: core}", "{all: [{class: question}, {class: incident}]}"),
        "p.yaml:14:8",
        "'class question, class incident' never holds",
    ),
    (
        "exemption-unreachable",
        policy(
            "targets:",
            "exempt:\n  - {when: {channel: [chat, forum]}, reason: channel}\n"
            "  - {when: {channel: forum, class: question}, reason: channel}\ntargets:",
        ),
        "p.yaml:18:5",
        "exemption 2 is never reached: number 1 covers it",
    ),
    (
        "target-never-applies",
        {
            "p.yaml": changed(
                changed(POLICY, "name: Low}", "name: Low}\n    - {id: mid, name: Mid}"),
                "- {limit: 8h",
                "- {when: {severity: mid}, limit: 1h}\n    - {limit: 8h",
            )
        },
        "p.yaml:22:7",
        "no ticket gets this target: no rule gives its severity",
    ),
    (
        "target-never-applies",
        {
            "p.yaml": changed(
                changed(
                    POLICY, "targets:", "exempt: [{when: {channel: chat}, reason: c}]\ntargets:"
                ),
                "- {limit: 8h",
                "- {when: {channel: chat}, limit: 8h",
            )
        },
        "p.yaml:22:7",
        "'channel chat' is exempt",
    ),
    (
        "severity-without-target",
        policy("    - {when: {severity: low}, limit: 2h, clock: business}\n", ""),
        "p.yaml:11:8",
        "severity 'low' has no first_response target, while others have one",
    ),
    (
        "regime",
        policy("limit: 8h, clock: business", REGIME),
        "p.yaml:21:8",
        "1 hour while 'business'",
    ),
    (
        "never-open",
        policy('{mon: ["09:00-17:00"], tue: ["09:00-17:00"]}', "{}"),
        "p.yaml:5:3",
        "calendar 'business' has no open time in the next 400 days",
    ),
    (
        "never-open",
        contract(
            "  targets:",
            "  calendars: {business: {closures: [[2026-01-01T00:00, 2029-01-01T00:00]]}}\n"
            "  targets:",
        ),
        "c.yaml:7:15",
        "calendar 'business' has no open time",
    ),
    ("zone-undecided", policy("Europe/London", "account"), "p.yaml:6:5", "Decide it by time_zone"),
    (
        "calendar-doubtful",
        policy('tue: ["09:00-17:00"]', 'tue: ["09:00-08:00"]'),
        "p.yaml:7:40",
        "is open for 23 hours, from 09:00 over midnight",
    ),
    (
        "holidays-end",
        policy("    week:", "    holidays: {country: BV}\n    week:"),
        "p.yaml:7:16",
        "no public holidays of BV are known",
    ),
    (
        "calendar-unused",
        policy("severity:\n", "  spare: {week: always}\nseverity:\n"),
        "p.yaml:8:3",
        "no target counts on the calendar 'spare'",
    ),
    ("gap-undecided", policy("grade: I", "grade: E"), "p.yaml:23:5", "Decide it in a contract for"),
    ("gap-assumed", policy("grade: I", "grade: W"), "p.yaml:23:5", "assumed: the hours of support"),
    ("gap-noted", {"p.yaml": POLICY}, "p.yaml:23:5", "gap 'clock': no clock is named; assumed"),
    (
        "gap-decided",
        policy("gaps:\n", "decisions: {clock: 'every hour, Ann, 2026-01-02'}\ngaps:\n"),
        "p.yaml:24:5",
        "decided: every hour, Ann, 2026-01-02",
    ),
    (
        "gap-unused",
        {"p.yaml": changed(changed(POLICY, "grade: I", "grade: W"), ", gaps: [clock]", "")},
        "p.yaml:23:5",
        "no rule rests on gap 'clock'",
    ),
    (
        "gap-undecided",
        contract("overrides:", "gaps: [{id: x, grade: E, text: t, assumption: a}]\noverrides:"),
        "c.yaml:6:8",
        "gap 'x': t; assumed: a",
    ),
    ("unknown-policy", {"c.yaml": CONTRACT}, "c.yaml:2:1", "policy 'small' is not among the files"),
    (
        "unknown-policy",
        contract("policy: small", "policy: smal"),
        "c.yaml:2:1",
        "did you mean 'small'",
    ),
    (
        "layers-contradict",
        {
            "p.yaml": POLICY,
            "a.yaml": other("plan", f"plan: gold\n{LEVELS}"),
            "b.yaml": other("own", f"plan: gold\norganizations: [o1]\n{HIGH}"),
        },
        "b.yaml:5:44",
        "contract 'own' does not go together with 'plan' (a.yaml): severity 'high' does not exist",
    ),
    (
        "contracts-overlap",
        contract(**{"d.yaml": other("more", "organizations: [o1]\nvalid_from: 2027-12-31\n")}),
        "d.yaml:1:1",
        "'acme' (2026-01-01 to 2027-12-31, in c.yaml) and 'more' (2027-12-31 to without bound)",
    ),
    (
        "contracts-overlap",
        {
            "p.yaml": POLICY,
            "a.yaml": other("a", "plan: gold\n"),
            "b.yaml": other("b", "plan: gold\n"),
        },
        "b.yaml:1:1",
        "plan 'gold' has two contracts at the same time",
    ),
    (
        "plan-undescribed",
        contract("overrides", "plan: gold\noverrides"),
        "c.yaml:6:1",
        "plan 'gold'",
    ),
    (
        "contract-over",
        contract("2027-12-31", "2026-11-21"),
        "c.yaml:5:1",
        "it held up to 2026-11-21",
    ),
    (
        "override-idle",
        contract("overrides:", "overrides:\n  calendars: {business: {time_zone: Europe/London}}"),
        "c.yaml:7:26",
        "calendars.business.time_zone stands in policy 'small' with the same value",
    ),
    (
        "override-idle",
        {"p.yaml": POLICY, "c.yaml": other("c", "plan: p\noverrides: {commitment: target}\n")},
        "c.yaml:4:1",
        "contract 'c' says nothing otherwise than policy 'small'",
    ),
    (
        "output-twice",
        fields("type: text}\n", "type: text}\n  tier: {field: SLA state, type: text}\n"),
        "f.yaml:8:3",
        "'tier' and 'state' are written into one field, SLA state",
    ),
    (
        "output-is-input",
        fields("field: SLA state", "field: Area"),
        "f.yaml:7:3",
        "the field Area is written as 'state' and read as 'area'",
    ),
    ("input-unknown", fields("  area:", "  arae:"), "f.yaml:5:3", "did you mean 'area'?"),
    ("input-unused", fields("inputs:", "inputs:\n  colour: {field: C}"), "f.yaml:5:3", "'colour'"),
    (
        "fact-unmapped",
        fields("  area:", "  tier:"),
        "f.yaml:4:1",
        "asks for what no field fills: area",
    ),
    (
        "flag-missing",
        fields("inputs:", "inputs:\n  access_from: {field: C}", alone=True),
        "f.yaml:5:3",
        "map 'access' too",
    ),
    (
        "flag-missing",
        fields("inputs:", "inputs:\n  suspension: {field: C}"),
        "f.yaml:5:3",
        "the input is called 'suspended'",
    ),
]


@pytest.mark.parametrize(
    ("code", "files", "place", "said"),
    CASES,
    ids=[f"{row[0]} {row[2]} {row[3][:20]}" for row in CASES],
)
def test_it_is_found_at_its_place(code: str, files: dict[str, str], place: str, said: str) -> None:
    ours = [one for one in found(files) if one.code == code]

    assert [f"{one.file}:{one.line}:{one.column}" for one in ours] == [place]
    assert said in ours[0].message
    assert ours[0].grade == CODES[code][0]


def test_every_code_is_reachable() -> None:
    assert {row[0] for row in CASES} == set(CODES)


def test_what_is_right_has_only_its_open_questions() -> None:
    files = {"p.yaml": POLICY, "c.yaml": CONTRACT, "f.yaml": FIELDS}

    assert codes(files) == ["gap-noted"]


def codes(files: Mapping[str, str], **more: object) -> list[str]:
    return [one.code for one in found(files, **more)]


def shipped(*folders: str) -> dict[str, str]:
    paths = [path for folder in folders for path in sorted((HERE / folder).glob("*.yaml"))]
    return {f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in paths}


# what the shipped files are known to leave open; a new code here is a mistake in one of them
KNOWN = {"gap-undecided", "gap-assumed", "gap-noted", "gap-unused", "zone-undecided", "regime"}


@pytest.mark.parametrize("name", shipped("policies", "contracts", "fields"))
def test_a_shipped_file_has_open_questions_and_no_mistakes(name: str) -> None:
    shelf = {Path(file).stem: text for file, text in shipped("policies").items()}
    alone = {name: shipped("policies", "contracts", "fields")[name]}

    assert set(codes(alone, shelf=shelf)) <= KNOWN


def test_the_shipped_files_together_lack_only_the_fields_that_an_admin_maps() -> None:
    assert set(codes(shipped("policies", "contracts", "fields"))) <= {*KNOWN, "fact-unmapped"}


def test_the_zone_is_decided_by_the_account() -> None:
    files = policy("Europe/London", "account")

    assert "zone-undecided" in codes(files)
    assert "zone-undecided" not in codes(files, time_zone="Asia/Tokyo")


def test_the_zone_is_decided_by_a_contract_for_everybody() -> None:
    zone = "overrides: {calendars: {business: {time_zone: Asia/Tokyo}}}\n"
    files = policy("Europe/London", "account")

    assert "zone-undecided" not in codes({**files, "c.yaml": other("all", zone)})
    assert "zone-undecided" in codes({**files, "c.yaml": other("one", f"domains: [a.b]\n{zone}")})


def test_a_gap_is_decided_by_a_contract_for_everybody() -> None:
    decides = "overrides: {decisions: {clock: as assumed}}\n"
    files = policy("grade: I", "grade: E")

    assert "gap-undecided" not in codes({**files, "c.yaml": other("all", decides)})
    assert "gap-undecided" in codes({**files, "c.yaml": other("one", f"plan: x\n{decides}")})


def test_the_gap_of_the_zone_is_told_once_with_the_calendar() -> None:
    zone = "gaps:\n  - {id: time-zone, grade: E, text: no zone is named, assumption: ours}\n"
    (told,) = [
        one
        for one in found(
            {"p.yaml": changed(changed(POLICY, "Europe/London", "account"), "gaps:\n", zone)}
        )
        if one.grade == "E"
    ]
    assert told.message.startswith("calendar 'business': no zone is named. Decide it by time_zone")


def test_a_contract_is_looked_at_under_a_policy_that_is_not_among_the_files() -> None:
    text = changed(CONTRACT, "clock: business", "clock: x")

    assert codes({"c.yaml": text}, shelf={"small": POLICY}) == ["invalid"]
    assert codes({"c.yaml": CONTRACT}, shelf={"small": POLICY}) == []


def test_a_policy_that_does_not_load_is_told_once_for_all_its_contracts() -> None:
    files = {"c.yaml": CONTRACT, "d.yaml": other("more", "organizations: [o2]\n")}
    told = found(files, shelf={"small": changed(POLICY, "limit: 1h", "limit: 1 hr")})

    assert [(one.file, one.code) for one in told] == [("shelf/small", "invalid")]


def test_a_policy_among_the_files_that_does_not_load_is_not_called_unknown() -> None:
    files = contract() | policy("limit: 1h", "limit: 1 hr")

    assert codes(files) == ["invalid"]
    # nor does another one of its name take its place
    assert codes(files, shelf={"small": POLICY}) == ["invalid"]


def test_what_a_contract_does_to_the_rest_of_the_policy_is_told_with_the_contract() -> None:
    rules = "overrides: {severity: {rules: [{severity: low}]}}\n"
    told = found({"p.yaml": POLICY, "c.yaml": other("c", f"plan: p\n{rules}")})

    assert {(one.file, one.line, one.code) for one in told if one.code != "gap-noted"} == {
        ("c.yaml", 4, "severity-never-given"),
        ("c.yaml", 4, "target-never-applies"),
    }


def test_the_mistakes_of_all_files_are_told_at_once_in_their_order() -> None:
    files = {
        "c.yaml": changed(CONTRACT, "valid_to", "valid_until"),
        "a.yaml": changed(changed(POLICY, "limit: 1h", "limit: 1 hr"), "[clock]", "[clok]"),
        "b.yaml": changed(FIELDS, "type: text", "type: txt"),
    }
    told = found(files)

    places = [(one.file, one.line, one.column) for one in told]
    assert places == sorted(places)
    assert [place[:2] for place in places] == [
        ("a.yaml", 18),
        ("a.yaml", 21),
        ("b.yaml", 7),
        ("c.yaml", 5),
    ]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("organizations: [a]", "organizations: [a]", True),
        ("organizations: [a]", "organizations: [b]", False),
        ("organizations: [a]", "domains: [a]", False),
        ("domains: [A.example]", "domains: [a.example]", True),
        (
            "organizations: [a]\nvalid_to: 2026-03-31",
            "organizations: [a]\nvalid_from: 2026-04-01",
            False,
        ),
        (
            "organizations: [a]\nvalid_to: 2026-04-01",
            "organizations: [a]\nvalid_from: 2026-04-01",
            True,
        ),
        ("plan: x", "plan: x", True),
        ("plan: x", "plan: y", False),
        ("plan: x", "organizations: [a]\nplan: x", False),
        ("title: all", "title: all too", False),
    ],
)
def test_contracts_overlap_in_customer_and_time(first: str, second: str, overlap: bool) -> None:
    files = {
        "p.yaml": POLICY,
        "a.yaml": other("a", f"{first}\n"),
        "b.yaml": other("b", f"{second}\n"),
    }

    assert ("contracts-overlap" in codes(files)) is overlap


def test_layers_that_never_meet_contradict_nobody() -> None:
    plan = other("plan", f"plan: gold\n{LEVELS}")
    own = "plan: silver\norganizations: [o1]\n"

    assert "layers-contradict" in codes(
        {"p": POLICY, "a": plan, "b": other("b", f"domains: [x]\n{HIGH}")}
    )
    assert "layers-contradict" not in codes({"p": POLICY, "a": plan, "b": other("b", own + HIGH)})


def test_a_default_plan_is_described_among_the_files() -> None:
    gap = "{id: entitlement_unknown, grade: I, text: t, assumption: a}"
    text = changed(POLICY, "gaps:\n", f"default_plan: basic\ngaps:\n  - {gap}\n")
    basic = other("basic", "plan: basic\n")
    own = other("own", "domains: [a.example]\n")

    assert "plan-undescribed" in codes({"p.yaml": text, "c.yaml": own})
    assert "plan-undescribed" not in codes({"p.yaml": text, "c.yaml": own, "d.yaml": basic})
    # a policy alone says nothing of the contracts that there may be
    assert "plan-undescribed" not in codes({"p.yaml": text})


def test_the_readings_of_a_regime_are_compared() -> None:
    week = ", ".join(f'{day}: ["09:00-18:00"]' for day in ("mon", "tue", "wed", "thu", "fri"))
    text = changed(POLICY, 'mon: ["09:00-17:00"], tue: ["09:00-17:00"]', week)
    (told,) = [
        one
        for one in found({"p.yaml": changed(text, "limit: 8h, clock: business", REGIME)})
        if one.code == "regime"
    ]
    rows = [re.split(" {2,}", line.strip()) for line in told.message.splitlines()[2:7]]
    assert [" | ".join(row) for row in rows] == [
        "Wed 12:00 | Wed 13:00 | Wed 13:00 | Wed 13:00",
        "Wed 17:30 | Wed 18:30 | Thu 09:30 | Wed 21:30",
        "Wed 08:30 | Wed 12:30 | Wed 12:30 | Wed 10:00",
        "Fri 17:59 | Fri 18:59 | Mon 09:59 | Fri 21:59",
        "Sat 11:00 | Sat 15:00 | Sat 15:00 | Sat 15:00",
    ]
    at_report, by_business, earliest = told.message.splitlines()[7:]
    assert at_report.startswith("  at_report: not monotone, reported Mon 08:45 is due Mon 12:45")
    assert by_business.startswith("  at_report_business: not monotone")
    assert earliest == "  earliest: monotone, a later report is never due before an earlier one"


@pytest.mark.parametrize("strategy", Strategy)
def test_the_comparison_says_what_the_evaluation_says(strategy: Strategy) -> None:
    text = changed(POLICY, "limit: 8h, clock: business", REGIME.replace("at_report", strategy))
    (told,) = [one for one in found({"p.yaml": text}) if one.code == "regime"]
    column = list(Strategy).index(strategy) + 1
    loaded = a_policy(text=text)
    days = {"Wed": "02-04", "Fri": "02-06", "Sat": "02-07"}
    for line in told.message.splitlines()[2:7]:
        cells = re.split(" {2,}", line.strip())
        reported, due = cells[0], cells[column]
        at = local(f"{reported[:3]} {days[reported[:3]]} {reported[4:]}")
        metric = evaluate(a_ticket(at=at), loaded, at).metric(Metric.RESOLUTION)
        day, _, time = shown(metric.outcome.due_at, LONDON).split(" ")
        assert f"{day} {time}" == due


FACTS = ("class", "area")
WORDS = ("", "a", "b", "A b")
OPERANDS = st.one_of(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from(
        [
            *({"is_not": "a"}, {"is_not": ["a", "b"]}, {"is_not": ""}, {"present": True}),
            *({"not_present": True}, {"greater_than": 2}, {"greater_than": 3}, {"less_than": 2}),
            *({"includes": "a"}, {"not_includes": "a"}),
        ]
    ),
)
SIMPLE = st.dictionaries(st.sampled_from(FACTS), OPERANDS, max_size=2)
WRITTEN = st.one_of(
    SIMPLE,
    st.builds(
        lambda one, any_of: {**one, "any": any_of}, SIMPLE, st.lists(SIMPLE, min_size=1, max_size=2)
    ),
    st.builds(lambda all_of: {"all": all_of}, st.lists(SIMPLE, min_size=1, max_size=3)),
)
CONDITIONS = WRITTEN.map(condition_of)
# `class` holds one value at a time, `area` may hold several
TICKETS = [
    {"class": one, "area": other}
    for one in ("", "a", "b", "2", "3")
    for other in ("", "a", "b", "a,b", "b,c", "1", "2.5", "3", "4")
]


@settings(max_examples=300, deadline=None)
@given(narrow=CONDITIONS, wide=CONDITIONS)
def test_what_implies_another_condition_never_holds_without_it(
    narrow: Condition, wide: Condition
) -> None:
    if implies(narrow, wide):
        for facts in TICKETS:
            assert wide.holds(facts.get) or not narrow.holds(facts.get)


@settings(max_examples=300, deadline=None)
@given(condition=CONDITIONS)
def test_what_excludes_itself_holds_for_no_ticket(condition: Condition) -> None:
    assert implies(condition, condition)
    if never_holds(condition):
        assert not any(condition.holds(facts.get) for facts in TICKETS)


@settings(max_examples=300, deadline=None)
@given(condition=CONDITIONS, ticket=st.sampled_from(TICKETS))
def test_what_a_ticket_meets_may_be(condition: Condition, ticket: dict[str, str]) -> None:
    if condition.holds(ticket.get):
        assert may_be(condition, "class", ticket["class"])


IMPLIED = [
    # narrow, wide, whether the first implies the second
    ({}, {}, True),
    ({"class": "a"}, {}, True),
    ({}, {"class": "a"}, False),
    ({"class": "a", "area": "x"}, {"class": "a"}, True),
    ({"class": "a"}, {"class": ["a", "b"]}, True),
    ({"class": ["a", "b"]}, {"class": "a"}, False),
    ({"class": "A_b"}, {"class": "a b"}, True),
    ({"class": "a"}, {"class": {"is_not": "b"}}, True),
    # a fact that may hold several values can hold both
    ({"area": "a"}, {"area": {"is_not": "b"}}, False),
    ({"area": {"is_not": ["a", "b"]}}, {"area": {"is_not": "a"}}, True),
    ({"area": {"is_not": "a"}}, {"area": {"is_not": ["a", "b"]}}, False),
    ({"area": "a"}, {"area": {"present": True}}, True),
    ({"area": ""}, {"area": {"not_present": True}}, True),
    ({"area": {"greater_than": 3}}, {"area": {"greater_than": 2}}, True),
    ({"area": {"greater_than": 2}}, {"area": {"greater_than": 3}}, False),
    ({"area": {"less_than": 2}}, {"area": {"less_than": 3}}, True),
    ({"class": "a"}, {"any": [{"class": "a"}, {"area": "x"}]}, True),
    ({"any": [{"class": "a"}, {"class": "b"}]}, {"class": ["a", "b"]}, True),
    ({"any": [{"class": "a"}, {"area": "x"}]}, {"class": "a"}, False),
]


@pytest.mark.parametrize(
    ("narrow", "wide", "expected"), IMPLIED, ids=[str(row[:2]) for row in IMPLIED]
)
def test_what_one_condition_says_of_another(
    narrow: dict[str, object], wide: dict[str, object], expected: bool
) -> None:
    assert implies(condition_of(narrow), condition_of(wide)) is expected


KEYS = ["calendars", "severity", "targets", "decisions", "gaps", "waiting", "exempt", "title", "x"]
VALUES = ["5", "[]", "[x]", "{x: {y: z}}", "{x: [y]}", ""]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES, ids=[value or "nothing" for value in VALUES])
def test_odd_overrides_are_told_of_and_stop_nothing(key: str, value: str) -> None:
    files = {
        f"{name}.yaml": other(name, f"{whom}\noverrides: {{{key}: {value}}}\n")
        for name, whom in {"a": "plan: p", "b": "organizations: [o1]", "c": "title: all"}.items()
    }
    told = found({**files, "p.yaml": POLICY})

    assert all(one.line >= 1 for one in told)
    assert "gap-noted" in {one.code for one in told}
