"""Policies and contracts are found in their folders, and everything wrong with them is told."""

import json
from pathlib import Path

import pytest

import mappings
from connector.errors import SettingsError
from connector.store.documents import Contract, find_contracts, find_policy, load, source_of
from mappings.assignment import version_of
from mappings.document.reading import DocumentError

CONTRACT = """
contract: {name}
policy: user-support
organizations: [{organization}]
overrides:
  targets:
    resolution: [{{limit: {limit}, clock: elapsed}}]
"""


def write(folder: Path, name: str, *, organization: int = 1, limit: str = "2h") -> Path:
    path = folder / "contracts" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(CONTRACT.format(name=name, organization=organization, limit=limit))
    return path


def names(contracts: tuple[Contract, ...]) -> list[str]:
    return [one.overlay.document.contract for one in contracts if one.file[0] == "/"]


def test_the_contracts_of_the_data_dir_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path, name)
    (tmp_path / "contracts" / "notes.txt").write_text("no contract")
    found, problems = find_contracts(tmp_path)
    assert (names(found), problems) == (["a", "b"], ())


def test_no_folder_means_no_contracts(tmp_path: Path) -> None:
    for folder in (tmp_path, None):
        found, problems = find_contracts(folder)
        assert (names(found), problems) == ([], ())


def test_a_contract_gives_way_to_one_of_the_same_name_that_is_nearer(tmp_path: Path) -> None:
    write(tmp_path, "acme", limit="2h")
    write(tmp_path, "other")
    given = write(tmp_path / "given", "acme", limit="3h")
    found, _ = find_contracts(tmp_path, [given])
    assert sorted(names(found)) == ["acme", "other"]
    assert [one.file for one in found if str(tmp_path / "given") in one.file] == [str(given)]


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a").write_text("contract: a\npolicy: user-support\nplan: 7 wrong\n")
    write(tmp_path, "b")
    write(tmp_path, "c").write_text("contract: c\npolicy: user-support\noverrides: {title: x}\n")
    missing = tmp_path / "contracts" / "none.yaml"
    found, problems = find_contracts(tmp_path, [missing])
    assert names(found) == ["b"]
    assert [(Path(one.file).name, one.line) for one in problems] == [
        ("a.yaml", 3),
        ("c.yaml", 3),
        ("none.yaml", 0),
    ]


def test_a_policy_comes_with_its_own_contracts_and_is_the_same_when_loaded_again(
    tmp_path: Path,
) -> None:
    write(tmp_path, "acme")
    stranger = write(tmp_path, "stranger")
    stranger.write_text(stranger.read_text().replace("policy: user-support", "policy: other"))
    contracts, _ = find_contracts(tmp_path)
    source, policy = find_policy("user-support", tmp_path, contracts, time_zone="Europe/London")
    again = load(source_of(source.as_body()), "sla_")

    assert [Path(file).name for file, _ in source.contracts] == ["acme.yaml"]
    assert [one.id for one in policy.contracts] == ["acme"]
    assert (version_of(again), again) == (version_of(policy), policy)


def test_a_contract_that_does_not_fit_is_told_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "acme")
    path.write_text(path.read_text().replace("clock: elapsed", "clock: nowhere"))
    contracts, _ = find_contracts(tmp_path)
    with pytest.raises(DocumentError, match=r"acme\.yaml:7:\d+: E .*'nowhere' does not exist"):
        find_policy("user-support", tmp_path, contracts, time_zone=None)


def test_a_policy_of_the_data_dir_comes_before_a_shipped_one(tmp_path: Path) -> None:
    _, shipped = find_policy("user-support", tmp_path, (), time_zone="UTC")
    (tmp_path / "policies").mkdir()
    source, _ = find_policy("user-support", tmp_path, (), time_zone="UTC")
    own = tmp_path / "policies" / "user-support.yaml"
    own.write_text(source.text.replace("limit: 15m", "limit: 20m"))
    found, policy = find_policy("user-support", tmp_path, (), time_zone="UTC")
    assert found.file == str(own)
    assert policy.version != shipped.version


def test_a_policy_that_is_nowhere_names_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'user-suport' was not found.*user-support"):
        find_policy("user-suport", tmp_path, (), time_zone=None)


# --- holidays that stand elsewhere ---------------------------------------------------------------

ICAL = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:{day}
SUMMARY:Works outing
END:VEVENT
END:VCALENDAR
"""
OFFICE = """
policy: own
title: Own
document: own.txt
calendars:
  office:
    time_zone: account
    week: {{thu: ["09:00-17:00"], fri: ["09:00-17:00"]}}
    holidays: {holidays}
    special_days: {{2026-12-24: ["09:00-12:00"]}}
targets:
  resolution: [{{limit: 2bd, clock: office}}]
"""
OVER = """
contract: acme
policy: own
organizations: [1]
valid_from: 2026-01-01
overrides: {{calendars: {{office: {{{changes}}}}}}}
"""


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param("holidays: {country: US, subdivision: NY}", id="another-country"),
        pytest.param("holidays: {dates: [2026-05-07]}", id="a-date-more"),
        pytest.param("holidays: [2026-05-07]", id="other-dates"),
        pytest.param("holidays: {except: [2026-12-25]}", id="a-date-less"),
        pytest.param("holidays: {ical: outing.ics}", id="its-own-file"),
        pytest.param('week: {mon: ["09:00-17:00"]}', id="other-hours"),
    ],
)
@pytest.mark.parametrize(
    "holidays",
    [
        pytest.param("{country: GB, subdivision: ENG, dates: [2026-12-31]}", id="country"),
        pytest.param("{ical: [outing.ics], except: [2026-01-02]}", id="ical"),
        pytest.param("[2026-12-25]", id="dates"),
    ],
)
def test_what_is_kept_rests_on_no_other_file_and_reads_the_same(
    tmp_path: Path, holidays: str, changes: str
) -> None:
    for folder in ("policies", "contracts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "policies" / "own.yaml").write_text(OFFICE.format(holidays=holidays))
    (tmp_path / "policies" / "outing.ics").write_text(ICAL.format(day="20260102"))
    (tmp_path / "contracts" / "acme.yaml").write_text(OVER.format(changes=changes))
    contracts, _ = find_contracts(tmp_path)
    source, policy = find_policy("own", tmp_path, contracts, time_zone="Europe/London")
    again = load(source_of(source.as_body()), "sla_")

    kept = "".join([source.text, *(text for _, text in source.contracts)])
    assert [word for word in ("country", "ical", "outing") if word in kept] == []
    assert version_of(again) == version_of(policy)
    assert again.calendars == policy.calendars
    assert again.overlaid() == policy.overlaid()


def test_a_changed_file_of_holidays_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.yaml").write_text(OFFICE.format(holidays="{ical: outing.ics}"))
    found = []
    for day in ("20260102", "20260109", "20260102"):
        (tmp_path / "policies" / "outing.ics").write_text(ICAL.format(day=day))
        _, policy = find_policy("own", tmp_path, (), time_zone="Europe/London")
        found.append(version_of(policy))
    assert (found[0] == found[2], found[0] == found[1]) == (True, False)


def test_a_file_of_holidays_that_is_missing_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "own.yaml").write_text(OFFICE.format(holidays="{ical: outing.ics}"))
    with pytest.raises(
        DocumentError, match=r"own\.yaml:9:\d+: E .*'outing.ics' cannot be read: it"
    ):
        find_policy("own", tmp_path, (), time_zone="Europe/London")


@pytest.mark.parametrize(
    "name", sorted(one.stem for one in (Path(mappings.__file__).parent / "policies").glob("*.yaml"))
)
def test_every_shipped_policy_is_kept_as_texts_that_read_the_same(
    name: str, tmp_path: Path
) -> None:
    contracts, problems = find_contracts(tmp_path)
    source, policy = find_policy(name, tmp_path, contracts, time_zone="Europe/London")
    again = load(source_of(json.loads(json.dumps(source.as_body()))), "sla_")
    assert (problems, version_of(again)) == ((), version_of(policy))
    assert again.overlaid() == policy.overlaid()
