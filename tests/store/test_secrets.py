"""The vault: what it keeps is unreadable without the key, and only one renews it at a time."""

import json
import multiprocessing
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from connector.errors import SettingsError, StoreError
from connector.store.database import Database
from connector.store.keys import KEY_FILE, Keys
from connector.store.secrets import StoredVault
from connector.store.tables import secret

HUSH = {"access_token": "hush-access", "refresh_token": "hush-refresh"}
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def vault(database: Database, tmp_path: Path) -> StoredVault:
    return StoredVault(database, "acme", Keys("", tmp_path))


def _with(database: Database, keys: str, folder: Path) -> StoredVault:
    return StoredVault(database, "acme", Keys(keys, folder))


def _row(database: Database) -> tuple[object, ...]:
    with database.read() as conn:
        return tuple(conn.execute(select(secret)).one())


def test_what_is_read_is_what_was_written_and_each_write_is_a_generation(
    vault: StoredVault,
) -> None:
    assert vault.read("oauth") is None
    assert vault.write("oauth", HUSH)
    assert vault.write("oauth", {"n": 2})
    found = vault.read("oauth")
    assert found is not None
    assert (found.value, found.generation) == ({"n": 2}, 2)


def test_accounts_and_names_are_kept_apart(
    vault: StoredVault, database: Database, tmp_path: Path
) -> None:
    vault.write("oauth", HUSH)
    other = StoredVault(database, "other", Keys("", tmp_path))
    assert (other.read("oauth"), vault.read("hook")) == (None, None)


def test_a_write_over_another_generation_than_the_expected_one_does_nothing(
    vault: StoredVault,
) -> None:
    vault.write("oauth", {"n": 1})
    assert vault.write("oauth", {"n": 2}, replacing=1)
    assert not vault.write("oauth", {"n": 3}, replacing=1)
    found = vault.read("oauth")
    assert found is not None
    assert (found.value, found.generation) == ({"n": 2}, 2)


def test_nothing_secret_stands_in_the_database_a_repr_or_a_log(
    vault: StoredVault, database: Database, tmp_path: Path
) -> None:
    vault.write("oauth", HUSH)
    key = (tmp_path / KEY_FILE).read_text().strip()
    shown = repr((_row(database), vault.read("oauth"), vault, Keys(OLD, tmp_path)))
    assert [one for one in (*HUSH.values(), key, OLD) if one in shown] == []


# --- the lease -----------------------------------------------------------------------------------


def test_a_lease_is_for_one_and_ends_by_itself_or_by_its_holder(
    vault: StoredVault, database: Database
) -> None:
    vault.write("oauth", HUSH)
    first = vault.take("oauth", 1, 60.0)
    assert first is not None
    assert vault.take("oauth", 1, 60.0) is None
    vault.release("oauth", "somebody else's")
    assert vault.take("oauth", 1, 60.0) is None
    vault.release("oauth", first)
    assert vault.take("oauth", 1, 60.0) is not None
    with database.write() as conn:
        conn.execute(update(secret).values(lease_until=vault.now()))
    assert vault.take("oauth", 1, 60.0) is not None


def test_there_is_no_lease_for_what_is_not_there_or_was_replaced(vault: StoredVault) -> None:
    assert vault.take("oauth", 1, 60.0) is None
    vault.write("oauth", HUSH)
    vault.write("oauth", HUSH)
    assert vault.take("oauth", 1, 60.0) is None


def test_a_write_ends_the_lease(vault: StoredVault) -> None:
    vault.write("oauth", HUSH)
    vault.take("oauth", 1, 60.0)
    vault.write("oauth", HUSH, replacing=1)
    assert vault.take("oauth", 2, 60.0) is not None


def test_of_many_that_ask_at_once_one_gets_the_lease(vault: StoredVault) -> None:
    vault.write("oauth", HUSH)
    meet, got = threading.Barrier(8), []

    def ask() -> None:
        meet.wait(10)
        got.append(vault.take("oauth", 1, 60.0))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len([one for one in got if one is not None]) == 1


# --- the keys ------------------------------------------------------------------------------------


def test_the_first_key_encrypts_and_all_decrypt(database: Database, tmp_path: Path) -> None:
    _with(database, OLD, tmp_path).write("oauth", HUSH)
    both = _with(database, f"{NEW}, {OLD}", tmp_path)
    found = both.read("oauth")
    assert found is not None
    assert found.value == HUSH
    both.write("oauth", HUSH)
    alone = _with(database, NEW, tmp_path).read("oauth")
    assert alone is not None
    assert not (tmp_path / KEY_FILE).exists()


def test_the_key_file_is_made_when_a_secret_is_stored_for_our_eyes_only(
    vault: StoredVault, tmp_path: Path
) -> None:
    path = tmp_path / KEY_FILE
    vault.read("oauth")
    assert not path.exists()
    vault.write("oauth", HUSH)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if "key" in one.name] == [KEY_FILE]


@pytest.mark.parametrize("keys", [OTHER, f"{OTHER},{NEW}"], ids=["one", "two"])
def test_another_key_reads_nothing_and_overwrites_nothing(
    database: Database, tmp_path: Path, keys: str
) -> None:
    _with(database, OLD, tmp_path).write("oauth", HUSH)
    before, wrong = _row(database), _with(database, keys, tmp_path)
    for attempt in (lambda: wrong.read("oauth"), lambda: wrong.write("oauth", {})):
        with pytest.raises(SettingsError, match=r"acme cannot be decrypted.*SECRET_KEY") as caught:
            attempt()
        assert keys[:20] not in str(caught.value)
    assert _row(database) == before


def test_a_key_file_that_vanished_is_named_and_not_made_anew(
    database: Database, tmp_path: Path
) -> None:
    _with(database, "", tmp_path).write("oauth", HUSH)
    (tmp_path / KEY_FILE).unlink()
    before, later = _row(database), _with(database, "", tmp_path)
    for attempt in (lambda: later.read("oauth"), lambda: later.write("oauth", {})):
        with pytest.raises(SettingsError, match=rf"{KEY_FILE} is missing.*put it back"):
            attempt()
    assert (_row(database), (tmp_path / KEY_FILE).exists()) == (before, False)


@pytest.mark.parametrize(
    "content",
    [b"", b"hush-no-key", b"\xff\xfe\x00", OLD.encode()[:-4], f"{OLD}\nhush".encode()],
    ids=["empty", "word", "bytes", "short", "second"],
)
def test_a_malformed_key_file_is_named_and_left_alone(
    database: Database, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"{KEY_FILE}.* is no Fernet key.*openssl") as caught:
        _with(database, "", tmp_path).write("oauth", HUSH)
    assert "hush" not in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "given", ["hush", f"{OLD},hush", f",{OLD}", "ä" * 44, OLD[:-2]], ids=range(5)
)
def test_a_malformed_setting_is_refused_at_once(tmp_path: Path, given: str) -> None:
    with pytest.raises(SettingsError, match=r"DESKCLOCK_SECRET_KEY: .* is no Fernet key") as caught:
        Keys(given, tmp_path)
    assert [one for one in ("hush", OLD) if one in str(caught.value)] == []


def test_a_data_directory_that_is_none_is_a_refusal_of_the_store(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "no-folder"
    folder.write_text("")
    with pytest.raises(StoreError, match=rf"{KEY_FILE} cannot be used"):
        _with(database, "", folder).write("oauth", HUSH)


def test_a_key_file_that_is_a_folder_is_a_refusal_of_the_store(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / KEY_FILE).mkdir()
    with pytest.raises(StoreError, match=rf"{KEY_FILE} cannot be used"):
        _with(database, "", tmp_path).write("oauth", HUSH)


def test_a_row_that_holds_no_object_is_refused(database: Database, tmp_path: Path) -> None:
    vault = _with(database, OLD, tmp_path)
    vault.write("oauth", HUSH)
    text = Fernet(OLD).encrypt(json.dumps(["hush"]).encode()).decode()
    with database.write() as conn:
        conn.execute(update(secret).values(value=text))
    with pytest.raises(SettingsError, match="cannot be decrypted"):
        vault.read("oauth")


def test_what_was_forgotten_is_gone_even_when_no_key_fits(
    database: Database, tmp_path: Path
) -> None:
    _with(database, OLD, tmp_path).write("oauth", HUSH)
    vault = _with(database, NEW, tmp_path)
    vault.forget("oauth")
    assert vault.read("oauth") is None
    vault.write("oauth", HUSH)
    found = vault.read("oauth")
    assert found is not None
    assert found.generation == 3  # others know by it that what they hold is gone


def _first_write(url: str, folder: str, number: int, ready: multiprocessing.Barrier) -> None:  # type: ignore[valid-type]
    database = Database(url)
    vault = StoredVault(database, f"account-{number}", Keys("", Path(folder)))
    ready.wait(30)  # type: ignore[attr-defined]
    vault.write("oauth", HUSH)
    database.dispose()


def test_processes_that_need_a_first_key_at_once_make_one(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(3)
    processes = [
        spawn.Process(target=_first_write, args=(database_url, str(tmp_path), number, ready))
        for number in range(3)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)
    keys = Keys("", tmp_path)
    found = [StoredVault(database, f"account-{number}", keys).read("oauth") for number in range(3)]
    assert [one and one.value for one in found] == [HUSH] * 3


def test_a_signature_holds_for_its_purpose_and_as_long_as_its_key_is_kept(tmp_path: Path) -> None:
    made = Keys(OLD, tmp_path).sign("checkpoint", "text")
    rotated, without = Keys(f"{NEW},{OLD}", tmp_path), Keys(NEW, tmp_path)

    assert rotated.has_signed("checkpoint", "text", made)
    assert not without.has_signed("checkpoint", "text", made)
    assert not rotated.has_signed("checkpoint", "other text", made)
    assert not rotated.has_signed("another purpose", "text", made)
    assert not rotated.has_signed("checkpoint", "text", "ü")
    assert rotated.sign("checkpoint", "text") == without.sign("checkpoint", "text") != made
