"""Every setting is documented, and what cannot be used is refused by name."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from connector import settings as module
from connector.errors import SettingsError
from connector.settings import Settings, load_accounts, load_settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # from the specification; nothing real
ACCOUNT = """
accounts:
  acme:
    helpdesk: zendesk
    subdomain: acme
    sign_in: {client_id: us, client_secret: quiet}
    policy: user-support
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DESKCLOCK_{name.upper()}", raising=False)


def _documented() -> str:
    """Each setting as .env.example should show it: its `#:` lines, and its default."""
    lines = inspect.getsource(module).splitlines()
    (owner,) = (
        node
        for node in ast.parse("\n".join(lines)).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    blocks = []
    for node in owner.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, start = node.target.id, node.lineno - 1
            first = start
            while lines[first - 1].strip().startswith("#:"):
                first -= 1
            comment = [line.strip().replace("#:", "#", 1) for line in lines[first:start]]
            default = f"#DESKCLOCK_{name.upper()}={Settings.model_fields[name].default}"
            blocks.append("\n".join([*comment, default]))
    return "\n\n".join(blocks)


def test_the_example_shows_every_setting_with_its_comment_and_default() -> None:
    _, _, shown = EXAMPLE.read_text(encoding="utf-8").partition("\n\n")
    assert _documented() == shown.rstrip("\n")


def test_every_setting_has_a_comment() -> None:
    assert re.findall(r"(?:^|\n\n)#DESKCLOCK_\w+", _documented()) == []


def test_the_example_with_every_line_in_force_gives_the_defaults(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").replace("#DESKCLOCK_", "DESKCLOCK_")
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    assert Settings.model_construct().model_dump() == load_settings().model_dump()


def test_arguments_go_before_the_environment_and_it_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DESKCLOCK_PORT=1\nDESKCLOCK_HOST=::1\nDESKCLOCK_WEB_THREADS=3")
    monkeypatch.setenv("DESKCLOCK_PORT", "2")
    monkeypatch.setenv("DESKCLOCK_HOST", "localhost")
    found = load_settings(port=4, host=None)
    assert (found.port, found.host, found.web_threads) == (4, "localhost", 3)


def test_the_database_lies_under_the_data_dir_unless_told_otherwise(tmp_path: Path) -> None:
    given = load_settings(database_url="postgresql://h/d")
    own = load_settings(data_dir=tmp_path / "d")
    expected = ("postgresql://h/d", f"sqlite:///{tmp_path}/d/deskclock.sqlite3")
    assert expected == (given.database, own.database)


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert Path("/home/somebody/data") == load_settings(data_dir="~/data").data_dir


def test_the_password_of_the_database_is_not_shown() -> None:
    assert "hidden" not in repr(load_settings(database_url="postgresql://u:hidden@h/d"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("port", "70000", "DESKCLOCK_PORT: .*65535.*default: 8080", id="port"),
        pytest.param("log_format", "xml", "DESKCLOCK_LOG_FORMAT: .*'console'", id="log-format"),
        pytest.param("poll_seconds", "0", "DESKCLOCK_POLL_SECONDS: ", id="poll"),
        pytest.param("data_dir", "a?b", r"DESKCLOCK_DATA_DIR: .*'\?'", id="question-mark"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"DESKCLOCK_{name.upper()}", value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_an_account_is_read_and_knows_its_name(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text(ACCOUNT)
    found = load_accounts(path)
    assert [(key, a.name, a.mode) for key, a in found.items()] == [("acme", "acme", "shadow")]


def test_who_is_told_is_said_for_all_accounts_or_for_one_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    other = ACCOUNT.replace("\naccounts:\n", "").replace("acme", "beta")
    every, own = (
        f"notify: {{url: 'https://{name}.test/hidden', secrets: [{WHSEC}]}}\n"
        for name in ("every", "own")
    )
    path.write_text(f"{every}{ACCOUNT}    {own}{other}")
    accounts = load_accounts(path)
    urls = [one.notify.url.get_secret_value() for one in accounts.values() if one.notify]
    assert urls == ["https://own.test/hidden", "https://every.test/hidden"]
    assert [word for word in ("hidden", "MfKQ9") if word in repr(accounts)] == []
    assert [len(one.notify.keys[0]) for one in accounts.values() if one.notify] == [24, 24]


def test_notes_are_off_and_are_switched_on_by_cause_and_metric(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text(ACCOUNT)
    assert load_accounts(path)["acme"].notes.wanted == frozenset()
    path.write_text(ACCOUNT + "    notes: {breached: true, metrics: [resolution]}\n")
    assert load_accounts(path)["acme"].notes.wanted == {("breached", "resolution")}
    path.write_text(ACCOUNT + "    notes: {at_risk: true}\n")
    assert len(load_accounts(path)["acme"].notes.wanted) == 3
    path.write_text(ACCOUNT + "    notes: {at_risk: true, metrics: [first_reply]}\n")
    with pytest.raises(SettingsError, match=r"notes\.metrics.*first_response"):
        load_accounts(path)


def test_policies_are_read_in_order_and_know_their_place(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    policies = "policies:\n    - when: {plan: [gold, tin]}\n      policy: vip\n    - policy: all\n"
    path.write_text(ACCOUNT.replace("policy: user-support", policies))
    first, last = load_accounts(path)["acme"].choices
    assert [(one.policy, str(one.condition)) for one in (first, last)] == [
        ("vip", "plan gold or tin"),
        ("all", ""),
    ]
    assert first.place == f"{path}:8:7"


def test_one_policy_is_a_list_of_one(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text(ACCOUNT)
    (only,) = load_accounts(path)["acme"].choices
    assert (only.policy, only.condition.tests, only.place) == ("user-support", (), f"{path}:7:5")


@pytest.mark.parametrize("secret", ["plain", "a # b", "a: b", "0123", "{x}", 'qu"ote', "true"])
def test_a_secret_from_the_environment_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("ACME_SECRET", secret)
    path = tmp_path / "deskclock.yaml"
    path.write_text("# not set: ${NOT_SET}\n" + ACCOUNT.replace("quiet", "${ACME_SECRET}", 1))
    client_secret = load_accounts(path)["acme"].sign_in.client_secret
    assert client_secret is not None
    assert client_secret.get_secret_value() == secret


@pytest.mark.parametrize("text", ["5", "accounts", "[1]", "accounts: 3", "accounts: [a]", ""])
def test_a_file_of_another_shape_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"deskclock\.yaml:"):
        load_accounts(path)


def test_a_doubled_key_is_told_without_its_values(tmp_path: Path) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text("accounts:\n  a:\n    email: FIRST\n    email: SECOND\n")
    with pytest.raises(SettingsError, match=r"yaml:4:\d+: E found duplicate key") as caught:
        load_accounts(path)
    assert "FIRST" not in str(caught.value)
    assert "SECOND" not in str(caught.value)


def test_without_the_default_file_there_are_no_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_accounts(load_settings().config) == {}


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.yaml does not exist"):
        load_accounts(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("acme:", "Acme:", "'Acme' is no account name", id="name"),
        pytest.param("subdomain: acme", "subdomain: acme.zendesk.com", "'acme' alone", id="host"),
        pytest.param("subdomain: acme", "base_url: https://a.test", "this machine", id="remote"),
        pytest.param("subdomain: acme", "subdomain: https://acme", "'acme' alone", id="scheme"),
        pytest.param("subdomain: acme", "subdomain: acme/x", "'acme' alone", id="path"),
        pytest.param("subdomain: acme", "subdomain: 10.0.0.1", "'acme' alone", id="address"),
        pytest.param("subdomain: acme", 'subdomain: "[::1]"', "'acme' alone", id="address-6"),
        pytest.param("subdomain: acme", "subdomain: acme@evil", "'acme' alone", id="user"),
        pytest.param("subdomain: acme", "base_url: http://10.0.0.1", "this machine", id="private"),
        pytest.param(
            "policy:", "limits: {minute_seconds: 2}\n    policy:", "for a sandbox", id="minute"
        ),
        pytest.param("policy:", "limits: {reserve: 1}\n    policy:", "reserve", id="reserve"),
        pytest.param(
            "policy:", "sync: {every_seconds: 0}\n    policy:", "every_seconds", id="sync"
        ),
        pytest.param(", client_secret: quiet", "", "give client_id and client_secret", id="half"),
        pytest.param("policy:", "mode: native\n    policy:", "on Freshdesk only", id="native"),
        pytest.param("policy:", "prefix: sla\n    policy:", "ends in an underscore", id="prefix"),
        pytest.param(
            "policy:", 'webhook: {secrets: [""]}\n    policy:', "secret is empty", id="empty"
        ),
        pytest.param("policy:", "time_zone: Mars/Base\n    policy:", "Mars/Base", id="zone"),
        pytest.param("policy: user-support", "policies: []", "give 'policy'", id="no-policy"),
        pytest.param(
            "policy: user-support",
            "policy: a\n    policies: [{policy: b}]",
            "give 'policy', such as",
            id="both",
        ),
        pytest.param(
            "policy: user-support",
            "policies: [{policy: a}, {policy: b}]",
            r"yaml:7:\d+: E .*policies: entry 1 has no condition",
            id="nothing-after-it",
        ),
        pytest.param(
            "policy: user-support",
            "policies:\n    - {policy: a, when: {plan: gold}}",
            r"yaml:7:\d+: E .*the last entry must have no 'when'",
            id="not-every-ticket",
        ),
        pytest.param(
            "policy: user-support",
            "policies:\n    - {policy: a}\n    - {when: {severity: high}, policy: b}",
            r"yaml:9:\d+: E .*policies\.1\.when: the severity is decided by the policy",
            id="severity",
        ),
        pytest.param(
            "policy: user-support",
            "policies:\n    - {when: {any: [{chanel: x}, {channel: emial}]}, policy: a}",
            r"yaml:8:\d+: E .*policies\.0\.when: channel 'emial' does not exist; known: chat",
            id="no-such-channel",
        ),
        pytest.param(
            "policy: user-support",
            "policies:\n    - {when: {plan: {is_nt: gold}}, policy: a}",
            r"yaml:8:\d+: E .*policies\.0\.when: .*'is_nt' is no operator",
            id="operator",
        ),
        pytest.param(
            "policy:",
            f"notify: {{url: 'http://a.test/quiet', secrets: [{WHSEC}]}}\n    policy:",
            r"yaml:7:\d+: E .*notify\.url: give an address that begins with https",
            id="receiver-in-the-clear",
        ),
        pytest.param(
            "policy:",
            f"notify: {{url: 'https://u:quiet@a.test/', secrets: [{WHSEC}]}}\n    policy:",
            "leave user and password out of the url",
            id="receiver-with-a-password",
        ),
        pytest.param(
            "policy:",
            "notify: {url: 'https://a.test/', secrets: [whsec_quiet]}\n    policy:",
            r"notify\.secrets: a secret is 'whsec_' and the base64 of 24 to 64",
            id="receiver-with-no-key",
        ),
        pytest.param(
            "policy:",
            "notify: {url: 'https://a.test/', secrets: []}\n    policy:",
            r"notify\.secrets: is empty",
            id="receiver-without-a-secret",
        ),
        pytest.param("quiet", "${NOT_SET}", r"yaml:6:\d+: .*NOT_SET is not set", id="variable"),
    ],
)
def test_a_wrong_account_is_refused_with_its_line_and_no_secret(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "deskclock.yaml"
    path.write_text(ACCOUNT.replace(old, new, 1))
    with pytest.raises(SettingsError, match=message) as caught:
        load_accounts(path)
    assert ("deskclock.yaml:" in str(caught.value), "quiet" in str(caught.value)) == (True, False)
