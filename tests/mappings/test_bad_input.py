"""Whatever stands in a file: it is refused in words, with a place, quickly, or it is read."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import mappings
from mappings.document.contract import ContractDocument, parse_contract
from mappings.document.fields import FieldsDocument, parse_fields
from mappings.document.policy import load_policy
from mappings.document.policy_form import PolicyDocument
from mappings.document.reading import Document, DocumentError, decoded, parse, parse_yaml, validate

SHIPPED = {
    path.relative_to(Path(str(mappings.__file__)).parent).as_posix(): path.read_text("utf-8")
    for path in sorted(Path(str(mappings.__file__)).parent.glob("*/*.yaml"))
}
LOADERS = {"policies": load_policy, "contracts": parse_contract, "fields": parse_fields}
MOST_SECONDS = 1.0  # of the processor, so that a busy machine fails no test

NO_YAML = [
    # text, place, what is said
    ("a: 1\nb: x\x00", "2:5", "the character U+0000 cannot stand in a file"),
    ("a: \x1b[31m", "1:4", "the character U+001B cannot stand in a file"),
    ("a: b\ufeff", "1:5", "the character U+FEFF cannot stand in a file"),
    ('a: "\\0"', "1:4", "the text holds the character U+0000"),
    ('a: "\\ud800"', "1:4", "the text holds the character U+D800"),
    ("a: !!python/object/apply:os.system [x]", "1:4", "tags (!name) are not allowed"),
    ("a: !!str 007", "1:4", "tags (!name) are not allowed; write the value alone"),
    ("a: !secret x", "1:4", "tags (!name) are not allowed"),
    ("a: &x [1]\nb: [*x, *x]", "2:5", "aliases (*name) are not allowed"),
    ("a: {<<: {b: 1}}", "1:5", "merge keys (<<) are not allowed"),
    ("a: 1\n---\nb: 2", "2:1", "a second document begins here; a file holds one"),
    ("--- a\n--- b", "2:1", "a second document begins here; a file holds one"),
    ("%YAML 1.1\n---\na: no", "2:1", "lines that begin with % are not allowed"),
    ("%TAG ! x\n---\na: 1", "2:1", "lines that begin with % are not allowed"),
    ("[" * 50_000, "1:29", "nested deeper than 30 levels"),
    ("a: " + "[" * 40, "1:31", "nested deeper than 30 levels"),
    ("- " * 40_000, "1:57", "nested deeper than 30 levels"),
    ("a: [" + "x," * 20_000 + "]", "1:23995", "more than 12,000 values stand in the file"),
    ("a:\n\tb: 1", "2:1", "a tab stands here; indent with spaces"),
    ("a: 1\na: 2", "2:1", 'found duplicate key "a"; each key may stand once'),
    ("{a: {b: 1, b: 2}}", "1:12", 'found duplicate key "b"; each key may stand once'),
    ("? [a, b]\n: c", "1:3", "a name is expected before the ':'"),
    ("~: 1", "1:1", "a name is expected before the ':'"),
    ("x" * 300 + ": 1", "1:1", "a name has at most 200 characters"),
    ("a: b: c", "1:5", "a ':' is not possible here; put the text in quotes"),
    ("a: 1\n  b: 2", "2:4", "a ':' is not possible here"),
    ("a:\n  b: 1\n c: 2", "3:2", "this does not fit the lines above: look at the indentation"),
    ("a: 1\nbcd\ne: 2", "3:1", "a ':' is missing after the name, here or in the line above"),
    ("a: [1, 2", "1:9", "a comma is missing, or a bracket that begins above is not closed"),
    ("{a: 1 b: 2}", "1:8", "a comma is missing, or a bracket that begins above is not closed"),
    ("a: 1\nb: 'x\nc: 2", "2:4", "a quote that begins here is not closed"),
    ("a: @x", "1:4", "a text that begins with '@' needs quotes"),
    ("a: %x", "1:4", "a text that begins with '%' needs quotes"),
    ("a: *", "1:5", "a text that begins with '&', '*' or '!' needs quotes"),
    ("a: - b", "1:4", "a '-' is not possible here; begin the list in a new line"),
    ("a: |x\n b", "1:5", "after '|' or '>' the text begins in the next line"),
    ('a: "\\q"', "1:6", "in double quotes '\\' needs a second one; or use single quotes"),
]


@pytest.mark.parametrize(
    ("text", "place", "said"), NO_YAML, ids=[ascii(row[0])[:30] for row in NO_YAML]
)
def test_what_is_no_plain_yaml_is_refused_in_words(text: str, place: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    assert f"{problem.line}:{problem.column}" == place
    assert said in problem.message


NO_TEXT = [
    (b"a: 1\nb: \xff", "2:4", "the byte 0xff is no UTF-8; save the file as UTF-8"),
    (b"\xef\xbb\xbfa: \xe9", "1:4", "the byte 0xe9 is no UTF-8"),
    ("a: \u00e9 b: ".encode() + b"\x80", "1:9", "the byte 0x80 is no UTF-8"),
    ("a: 1".encode("utf-16"), "1:1", "is written in UTF-16; save it as UTF-8"),
]


@pytest.mark.parametrize(("content", "place", "said"), NO_TEXT, ids=[row[1] for row in NO_TEXT])
def test_what_is_no_text_is_refused_with_the_byte(content: bytes, place: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        decoded(content, "f.yaml")
    (problem,) = caught.value.problems
    assert f"{problem.line}:{problem.column}" == place
    assert said in problem.message


SAME = [
    ("\ufeffa: 1\n", {"a": 1}),
    ("a: 1\r\nb: [x,\r\n  y]\r\n", {"a": 1, "b": ["x", "y"]}),
    ("a: &anchor 1\n", {"a": 1}),
    ("---\na: 1\n...\n", {"a": 1}),
    ('a: {"<<": 1}', {"a": {"<<": 1}}),
]


@pytest.mark.parametrize(
    ("text", "value"), SAME, ids=["byte order mark", "CRLF", "anchor", "one document", "quoted <<"]
)
def test_what_means_nothing_else_is_taken(text: str, value: object) -> None:
    assert parse_yaml(text, "f.yaml") == value


WORDS = ["007", "1e3", "0x1f", "0o17", "1_000", "+5", "yes", "no", "on", "12:30", "2026-12-24"]
WORDS += ["2026-13-45", ".5", ".inf", ".nan", "1234567890123456789012", "9" * 5000]


@pytest.mark.parametrize("written", WORDS, ids=[word[:22] for word in WORDS])
def test_what_only_resembles_a_number_stays_as_it_was_written(written: str) -> None:
    assert parse_yaml(f"a: {written}", "f.yaml") == {"a": written}


PLAIN = [("12", 12), ("-3", -3), ("0", 0), ("0.75", 0.75), ("true", True), ("~", None)]


@pytest.mark.parametrize(("written", "value"), PLAIN, ids=[row[0] for row in PLAIN])
def test_plain_numbers_are_numbers(written: str, value: object) -> None:
    assert parse_yaml(f"a: {written}", "f.yaml") == {"a": value}


def test_a_plan_that_resembles_a_number_is_that_plan() -> None:
    text = "contract: c\npolicy: p\norganizations: [007, 12, 1e3]\n"
    assert parse_contract(text, "c.yaml").document.organizations == ("007", "12", "1e3")


def test_a_message_is_one_line_of_bearable_length() -> None:
    text = SHIPPED["policies/user-support.yaml"]
    for wrong in ('"4\\nhours"', "x" * 50_000, '"a\\tb"'):
        with pytest.raises(DocumentError) as caught:
            load_policy(text.replace("limit: 15m", f"limit: {wrong}"), "f.yaml")
        (problem,) = caught.value.problems
        assert len(problem.message) < 700
        assert problem.message.isprintable()


def _refused(loader, *given) -> DocumentError | None:
    """What the loader refused with, each problem with its place; other exceptions are let through.

    None when it took what was given."""
    try:
        loader(*given, "f.yaml")
    except DocumentError as error:
        found = error
    else:
        return None
    assert found.problems
    assert all(one.line >= 1 and one.column >= 1 for one in found.problems)
    assert all(one.message.isprintable() for one in found.problems)
    return found


def _quickly(loader, text: str) -> DocumentError | None:
    begun = time.process_time()
    error = _refused(loader, text)
    assert time.process_time() - begun < MOST_SECONDS
    return error


HUGE = {
    "characters": "a: " + "x" * 10_000_000,
    "comments": "# x\n" * 24_000,
    "lines": "\n" * 99_000,
    "one text": "a: '" + "x " * 49_000 + "'",
    "keys": "".join(f"k{number}:\n" for number in range(12_000)),
    "lists": "[" + "[]," * 30_000 + "]",
    "questions": "".join(f"? k{number}\n" for number in range(11_000)),
    "entities": "a: " + "&a " * 30_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=list(HUGE))
def test_a_huge_file_is_answered_within_seconds(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(DocumentError):
        load_policy(text, "f.yaml")
    # less than one in fact; a slower machine may take longer
    assert time.process_time() - begun < 5 * MOST_SECONDS


def test_ten_megabytes_are_refused_without_being_read() -> None:
    assert _quickly(load_policy, "a: " + "x" * 10_000_000) is not None


# of each kind of value that no key of any form takes, one
WRONG = [5, 0.5, "", "x y", True, None, [], [[]], {}, {"x": 1}, [{"x": 1}], "2026-13-01", [None]]
PYDANTIC = re.compile(
    "input should|a valid|instance of|extra inputs|validation|tuple|dictionary|mapping|parse|"
    "string|boolean|integer|unable|schema|field required|nonetype|error"
)
OURS = re.compile("'.*?'|known( here)?: .*")  # words of the file, and names of fields


def _forms(model: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: None for name, field in model.model_fields.items()}


@pytest.mark.parametrize("model", [PolicyDocument, ContractDocument, FieldsDocument])
@pytest.mark.parametrize("wrong", WRONG, ids=[repr(wrong)[:20] for wrong in WRONG])
def test_no_message_speaks_the_language_of_the_library(
    model: type[Document], wrong: object
) -> None:
    # the value itself, in a list, and under a name: three levels of each form are reached
    for key in _forms(model):
        for value in (wrong, [wrong], {"x": wrong}, {"x": [wrong]}, [{"when": wrong, "y": wrong}]):
            try:
                validate(model, {key: value}, "f.yaml")
            except DocumentError as error:
                _is_plain(error)


NESTED = {
    "targets": {"first_response": [{"when": 0, "limit": 0, "aim": 0, "clock": 0, "regime": 0}]},
    "calendars": {"c": {"week": 0, "time_zone": 0, "holidays": 0, "closures": 0, "gaps": 0}},
    "severity": {"levels": [{"id": 0}], "rules": [{"from": 0}], "matrix": {"cells": 0}},
    "duties": [{"id": 0, "tag": 0, "missing": 0, "after_response": 0, "text": 0}],
    "tiers": [{"tier": 0, "any": 0}],
    "escalation": [{"id": 0, "at": 0, "metric": 0, "tier": 0, "notify": 0, "tags": 0}],
    "waiting": {"customer": {"effect": 0, "metrics": 0}},
    "information": {"gate": 0, "required": [{"any_of": 0}]},
    "inputs": {"impact": {"field": 0, "values": 0}},
    "outputs": {"tier": {"field": 0, "type": 0}},
}


@pytest.mark.parametrize("key", NESTED)
@pytest.mark.parametrize("wrong", WRONG, ids=[repr(wrong)[:20] for wrong in WRONG])
def test_nor_does_one_of_an_inner_part(key: str, wrong: object) -> None:
    for model in (PolicyDocument, FieldsDocument):
        try:
            validate(model, {key: _filled(NESTED[key], wrong)}, "f.yaml")
        except DocumentError as error:
            _is_plain(error)


def _filled(form: object, value: object) -> object:
    if isinstance(form, dict):
        return {name: _filled(one, value) for name, one in form.items()}
    return [_filled(one, value) for one in form] if isinstance(form, list) else value


def _is_plain(error: DocumentError) -> None:
    for problem in error.problems:
        said = OURS.sub("", problem.message.partition(": ")[2]).lower()
        assert PYDANTIC.search(said) is None, problem.message


# mutations of shipped files: a piece is cut, doubled, moved or replaced by something odd
ODD = [
    "",
    " ",
    "\n",
    "\t",
    ":",
    "- ",
    "[",
    "}",
    "'",
    '"',
    "#",
    "&a ",
    "*a",
    "!!x ",
    "<<: ",
    "---\n",
]
ODD += ["%", "|", ">", "\ufeff", "\x00", "\r", "0", "-1h", "99999999999", "null", "true", "\u0456"]
ODD += [
    "limit: 0h\n",
    "\n  - x: y",
    "? ",
    ", ",
    "{severity: {}}",
    "{any: []}",
    "2026-02-30",
    "\u2028",
]


@st.composite
def _mutated(draw: st.DrawFn, folder: str) -> str:
    text = draw(st.sampled_from([one for name, one in SHIPPED.items() if name.startswith(folder)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(st.sampled_from([*ODD, text[start:end] * 2])) + text[end:]
    return text


QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@pytest.mark.parametrize("folder", LOADERS)
@QUICK
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused_with_a_place(folder: str, data: st.DataObject) -> None:
    text = data.draw(_mutated(folder))
    error = _quickly(LOADERS[folder], text)
    if error is not None:
        _is_plain(error)


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
_KEYS = st.sampled_from(
    [*_forms(PolicyDocument), *_forms(ContractDocument), *_forms(FieldsDocument), "when", "limit"]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_KEYS | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("model", [PolicyDocument, ContractDocument, FieldsDocument])
@QUICK
@given(value=st.dictionaries(_KEYS, _VALUES, max_size=6) | _VALUES)
def test_any_value_is_taken_or_refused(model: type[Document], value: object) -> None:
    try:
        validate(model, value, "f.yaml")
    except DocumentError as error:
        _is_plain(error)


@QUICK
@given(text=st.text(alphabet=st.sampled_from("ab:- \n[]{},'\"#&*!|>%@`?~0\t\\"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    _refused(lambda text, file: parse(FieldsDocument, text, file), text)


@QUICK
@given(content=st.binary(max_size=60))
def test_any_bytes_are_text_or_refused(content: bytes) -> None:
    _refused(lambda content, file: parse_yaml(decoded(content, file), file), content)
