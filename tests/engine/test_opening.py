"""Accounts are opened from their settings and files; everything that is wrong is told at once."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app import create_worker, open_accounts, open_one
from connector.engine.policies import take_in
from connector.errors import SettingsError
from connector.settings import Settings
from connector.store.database import Database
from connector.store.documents import find_policy

ACCOUNT = {
    "helpdesk": "freshdesk",
    "base_url": "http://127.0.0.1:9",
    "sign_in": {"api_key": "quiet"},
    "webhook": {"secrets": ["quiet"]},
    "policy": "user-support",
    "time_zone": "Europe/London",
}
INHERITING = """
policy: theirs
title: Theirs
document: theirs.txt
judge_by: {judge_by}
targets:
  resolution:
    - {target}
"""


class Office:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("policies", "contracts"):
            (folder / name).mkdir()
        self.settings = Settings(data_dir=folder, config=folder / "deskclock.yaml")

    def accounts(self, **accounts: dict[str, Any]) -> Settings:
        given = {name: deepcopy(ACCOUNT) | changed for name, changed in accounts.items()}
        for one in given.values():
            if "policies" in one:
                del one["policy"]
        YAML().dump({"accounts": given}, self.settings.config)
        return self.settings

    def policy(self, name: str, text: str) -> None:
        (self.folder / "policies" / f"{name}.yaml").write_text(text)

    def contract(self, name: str, text: str) -> None:
        (self.folder / "contracts" / f"{name}.yaml").write_text(text)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def refused(settings: Settings) -> list[str]:
    with pytest.raises(SettingsError) as error:
        open_accounts(settings)
    return str(error.value).splitlines()


def test_an_account_has_its_policies_in_order_with_their_contracts(office: Office) -> None:
    source, _ = find_policy("user-support", office.folder, (), time_zone=None)
    office.policy("vip", source.text.replace("policy: user-support", "policy: vip"))
    office.contract("acme", "contract: acme\npolicy: vip\norganizations: [7]\n")
    choices = [{"when": {"organization": 7}, "policy": "vip"}, {"policy": "user-support"}]
    settings = office.accounts(acme={"policies": choices})
    account = open_one(settings, "acme").account

    assert [one.newest.id for one in account.assignments] == ["vip", "user-support"]
    assert [str(one.when) for one in account.assignments] == ["organization 7", ""]
    assert [one.id for one in account.assignments[0].newest.contracts] == ["acme"]
    assert account.assignments[1].newest.contracts == ()


def test_the_problems_of_all_files_are_told_at_once_and_each_once(office: Office) -> None:
    office.contract("a", "contract: a\npolicy: user-support\nplan: 7 wrong\n")
    office.contract("b", "contract: b\npolicy: user-support\noverrides: {targets: {reply: []}}\n")
    office.policy("broken", "policy: broken\ntitle: x\n")
    settings = office.accounts(
        one={}, two={}, three={"policy": "broken"}, four={"policy": "absent"}
    )
    lines = refused(settings)

    assert sum("a.yaml:3:1: E" in one for one in lines) == 1
    assert sum("b.yaml:3:" in one for one in lines) >= 1
    assert sum("broken.yaml:" in one and "targets" in one for one in lines) == 1
    assert sum(one.startswith("account four: policy 'absent' was not found") for one in lines) == 1
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        pytest.param("impct", "'impct' is not known before", id="unmapped"),
        pytest.param("waiting", "'waiting' is not known before", id="needs-a-policy"),
        pytest.param("organisation", "did you mean 'organization'?", id="misspelt"),
    ],
)
def test_a_condition_over_what_is_not_known_is_refused_with_its_place(
    office: Office, fact: str, message: str
) -> None:
    choices = [{"when": {fact: "x"}, "policy": "user-support"}, {"policy": "user-support"}]
    (line,) = refused(office.accounts(acme={"policies": choices}))
    assert message in line
    number = int(line.split("deskclock.yaml:")[1].split(":")[0])
    assert fact in office.settings.config.read_text().splitlines()[number]


def test_two_files_with_one_policy_name_are_refused(office: Office) -> None:
    source, _ = find_policy("user-support", office.folder, (), time_zone=None)
    office.policy("twin", source.text)
    choices = [{"when": {"priority": 1}, "policy": "twin"}, {"policy": "user-support"}]
    (line,) = refused(office.accounts(acme={"policies": choices}))
    assert "both say 'policy: user-support'; give one another name" in line


@pytest.mark.parametrize(
    ("mode", "is_refused"), [("native", True), ("own_fields", False), ("shadow", False)]
)
def test_a_policy_that_takes_the_helpdesks_dates_refuses_to_write_them(
    office: Office, mode: str, is_refused: bool
) -> None:
    office.policy("theirs", INHERITING.format(judge_by="reported", target="inherit: true"))
    settings = office.accounts(acme={"policy": "theirs", "mode": mode})
    if not is_refused:
        assert open_accounts(settings)["acme"].account.mode == mode
        return
    (line,) = refused(settings)
    assert "policy 'theirs' takes the helpdesk's own due dates (inherit: true)" in line
    assert "use mode: own_fields" in line


def test_a_contract_that_takes_the_helpdesks_dates_refuses_native_mode_too(office: Office) -> None:
    office.contract(
        "acme",
        "contract: acme\npolicy: user-support\norganizations: [1]\n"
        "overrides: {targets: {resolution: [{inherit: true}]}}\n",
    )
    (line,) = refused(office.accounts(acme={"mode": "native"}))
    assert "policy 'user-support' takes the helpdesk's own due dates" in line


def test_an_earlier_version_that_takes_the_helpdesks_dates_refuses_native_mode(
    office: Office,
) -> None:
    for target in ("inherit: true", "{limit: 4h, clock: elapsed}"):
        office.policy("theirs", INHERITING.format(judge_by="reported", target=target))
        create_worker(office.accounts(acme={"policy": "theirs"}))
    settings = office.accounts(acme={"policy": "theirs", "mode": "native"})
    with pytest.raises(SettingsError, match=r"an earlier version of policy 'theirs'.*judge_by"):
        create_worker(settings)
    text = INHERITING.format(judge_by="latest", target="{limit: 4h, clock: elapsed}")
    office.policy("theirs", text)
    create_worker(settings)


def test_a_start_of_the_worker_records_what_it_judges_by(office: Office) -> None:
    settings = office.accounts(acme={})
    create_worker(settings)
    opened = open_one(settings, "acme")
    database = Database(settings.database)
    account = take_in(database, opened.account, opened.choices)
    database.dispose()
    assert [len(one.versions) for one in account.assignments] == [1]


def test_a_calendar_that_never_opens_is_refused_before_anything_is_promised_by_it(
    office: Office,
) -> None:
    office.policy(
        "shut",
        "policy: shut\ntitle: Shut\ndocument: shut.txt\n"
        'calendars: {business: {time_zone: UTC, week: {mon: ["09:00-17:00"]},\n'
        '  closures: [["2020-01-01T00:00", "2100-01-01T00:00"]]}}\n'
        "targets: {resolution: [{limit: 4h, clock: business}]}\n",
    )
    with pytest.raises(SettingsError, match="policy 'shut': calendar 'business' has no open time"):
        open_accounts(office.accounts(acme={"policy": "shut"}))


def test_a_prefix_by_which_tags_name_a_plan_is_refused(office: Office) -> None:
    with pytest.raises(SettingsError, match="by which tags name a customer's plan"):
        open_accounts(office.accounts(acme={"prefix": "plan_"}))
