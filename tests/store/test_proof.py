"""The chain of the evidence: what is done to it behind our back is found, and named."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Connection, Row, delete, insert, select, text, update

from connector.store import chain, proof
from connector.store.chain import FORGOTTEN, Line, append, redact
from connector.store.database import Database, now
from connector.store.keys import KEY_FILE, Keys
from connector.store.migrate import upgrade
from connector.store.proof import Flaw, Mark
from connector.store.retention import prune
from connector.store.tables import chain as chain_table
from connector.store.tables import evidence

Tamper = Callable[[Connection, str], None]
DAY = 86_400.0


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys("", tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a record; to copy it is faster than to make it."""
    path = tmp_path_factory.mktemp("template") / "deskclock.sqlite3"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    _fill(made, "acme")
    made.dispose()
    return path


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Iterator[Database]:
    """Ten lines about three tickets on SQLite."""
    shutil.copy(template, tmp_path / "own.sqlite3")
    made = Database(f"sqlite:///{tmp_path / 'own.sqlite3'}")
    yield made
    made.dispose()


def _fill(database: Database, account: str) -> None:
    """Ten lines about three tickets, in several transactions."""
    for start in range(1, 11, 2):
        lines = [_line(number) for number in (start, start + 1)]
        database.run(lambda conn, lines=lines: append(conn, account, lines))  # type: ignore[misc]


def _line(number: int) -> Line:
    body = {"state": "at_risk", "é": [number, 0.1, None, "\ud83d\ude00 \x00"], "n": 1e22}
    return Line(ticket_id=str(number % 3), kind="evaluated", body=body)


def _found(
    database: Database, keys: Keys, mark: Mark | None = None, account: str = "acme"
) -> list[tuple[Flaw, int]]:
    verdict = proof.verify(database, account, keys, mark)
    assert verdict.broken == len(verdict.breaks)
    return [(one.flaw, one.number) for one in verdict.breaks]


def _set(line: int, **values: Any) -> Tamper:
    def work(conn: Connection, account: str) -> None:
        where = (evidence.c.account == account, evidence.c.number == line)
        conn.execute(update(evidence).where(*where).values(**values))

    return work


def _take_away(*numbers: int) -> Tamper:
    def work(conn: Connection, account: str) -> None:
        where = (evidence.c.account == account, evidence.c.number.in_(numbers))
        conn.execute(delete(evidence).where(*where))

    return work


def _chain(**values: Any) -> Tamper:
    def work(conn: Connection, account: str) -> None:
        conn.execute(update(chain_table).where(chain_table.c.account == account).values(**values))

    return work


def _row(conn: Connection, account: str, number: int) -> Row[Any]:
    where = (evidence.c.account == account, evidence.c.number == number)
    return conn.execute(select(evidence).where(*where)).one()


def _forge(conn: Connection, account: str) -> None:
    """Another content with a digest and a hash that fit it."""
    row, before = _row(conn, account, 4), _row(conn, account, 3).hash
    content = chain.digest(row.salt, row.ticket_id, row.kind, {"state": "met"})
    made = chain.link(before, account, 4, row.at, content)
    _set(4, body={"state": "met"}, digest=content, hash=made)(conn, account)


def _double(conn: Connection, account: str) -> None:
    """The unique index is no obstacle for whoever owns the database."""
    conn.execute(text("DROP INDEX ix_evidence_number"))
    conn.execute(insert(evidence).values(**{**_row(conn, account, 4)._mapping, "id": 100_000}))


def _pretend(conn: Connection, account: str) -> None:
    """Lines that are taken away, as if that had been for their age."""
    before = _row(conn, account, 2).hash
    _take_away(1, 2)(conn, account)
    _chain(pruned_number=2, pruned_hash=before, pruned_at=1.0, signature="0" * 64)(conn, account)


TAMPERED: dict[str, tuple[Tamper, list[tuple[Flaw, int]]]] = {
    "nothing": (_set(4, kind="evaluated"), []),
    "body": (_set(4, body={"state": "met"}), [(Flaw.CHANGED, 4)]),
    "ticket": (_set(4, ticket_id="7"), [(Flaw.CHANGED, 4)]),
    "kind": (_set(4, kind="written"), [(Flaw.CHANGED, 4)]),
    "salt": (_set(4, salt=None), [(Flaw.CHANGED, 4)]),
    "instant": (_set(4, at=1.0), [(Flaw.DETACHED, 4)]),
    "digest": (_set(4, digest="0" * 64), [(Flaw.CHANGED, 4), (Flaw.DETACHED, 4)]),
    "hash": (_set(4, hash="0" * 64), [(Flaw.DETACHED, 4), (Flaw.DETACHED, 5)]),
    "forged": (_forge, [(Flaw.DETACHED, 5)]),
    "one-away": (_take_away(4), [(Flaw.MISSING, 4)]),
    "first-away": (_take_away(1, 2, 3), [(Flaw.MISSING, 1)]),
    "last-away": (_take_away(9, 10), [(Flaw.MISSING, 9)]),
    "all-away": (_take_away(*range(1, 11)), [(Flaw.MISSING, 1)]),
    "renumbered": (_set(10, number=12), [(Flaw.MISSING, 10), (Flaw.END, 12)]),
    "other-end": (_chain(hash="0" * 64), [(Flaw.END, 10)]),
    "end-before-last": (_chain(number=9), [(Flaw.END, 10)]),
    "unsigned-pruning": (_pretend, [(Flaw.CHECKPOINT, 2)]),
    "double": (_double, [(Flaw.DOUBLE, 4)]),
    "below-one": (_set(1, number=-3), [(Flaw.CHANGED, -3), (Flaw.MISSING, 1)]),
}


def test_what_was_done_to_the_record_is_found_and_named(database: Database, keys: Keys) -> None:
    """Each in an account of its own."""
    keys.cipher(make=True)
    for account, (tamper, _) in TAMPERED.items():
        _fill(database, account)
        database.run(lambda conn, do=tamper, name=account: do(conn, name))  # type: ignore[misc]

    found = {account: _found(database, keys, account=account) for account in TAMPERED}

    assert found == {account: expected for account, (_, expected) in TAMPERED.items()}


FOUR = "UPDATE evidence SET {} WHERE number = 4"
FIVE_AGAIN = "UPDATE chain SET number = 10, pruned_number = 5, pruned_hash = '', {}"
GONE = [(Flaw.LEFT_OVER, number) for number in range(1, 6)]
MISTYPED: dict[str, tuple[str, list[tuple[Flaw, int]]]] = {
    "body": (FOUR.format("body = '{'"), [(Flaw.CHANGED, 4)]),
    "deep": (
        FOUR.format("body = replace(hex(zeroblob(50000)), '0', '[')"), [(Flaw.CHANGED, 4)]
    ),
    "instant": (FOUR.format("at = 'x'"), [(Flaw.DETACHED, 4)]),
    "ticket": (FOUR.format("ticket_id = x'00ff'"), [(Flaw.CHANGED, 4)]),
    "kind": (FOUR.format("kind = x'00ff'"), [(Flaw.CHANGED, 4)]),
    "hash": (FOUR.format("hash = x'00'"), [(Flaw.DETACHED, 4), (Flaw.DETACHED, 5)]),
    "number": (FOUR.format("number = 'abc'"), [(Flaw.MISSING, 4), (Flaw.CHANGED, 10)]),
    "no-text": (FOUR.format("ticket_id = cast(x'ff' as text)"), [(Flaw.CHANGED, 3)]),
    "end": ("UPDATE chain SET number = 'x'", [(Flaw.END, 10)]),
    "end-hash": ("UPDATE chain SET hash = x'00'", [(Flaw.END, 10)]),
    "end-no-text": ("UPDATE chain SET hash = cast(x'ff' as text)", [(Flaw.END, 10)]),
    "pruned": ("UPDATE chain SET pruned_number = 'q'", [(Flaw.CHECKPOINT, 10)]),
    "pruned-at": (
        FIVE_AGAIN.format("pruned_at = 1e300"),
        [*GONE, (Flaw.DETACHED, 6), (Flaw.CHECKPOINT, 5)],
    ),
    "pruned-when": (FIVE_AGAIN.format("pruned_at = 'zz'"), [(Flaw.CHECKPOINT, 10)]),
}  # fmt: skip


def test_values_of_another_type_are_named_and_not_stumbled_over(
    template: Path, tmp_path: Path, keys: Keys
) -> None:
    """SQLite stores any value in any column."""
    keys.cipher(make=True)
    found = {}
    for name, (change, _) in MISTYPED.items():
        path = tmp_path / f"{name}.sqlite3"
        shutil.copy(template, path)
        file = Database(f"sqlite:///{path}")
        file.run(lambda conn, change=change: conn.exec_driver_sql(change))  # type: ignore[misc]
        found[name] = _found(file, keys)
        file.dispose()

    assert found == {name: expected for name, (_, expected) in MISTYPED.items()}


def test_a_record_that_is_written_anew_shows_only_to_whoever_kept_a_hash(
    file: Database, keys: Keys
) -> None:
    kept = Mark(number=10, hash=proof.verify(file, "acme", keys).hash)

    def anew(conn: Connection) -> None:
        conn.execute(delete(evidence).where(evidence.c.account == "acme"))
        conn.execute(delete(chain_table).where(chain_table.c.account == "acme"))
        append(conn, "acme", [_line(number + 1) for number in range(1, 11)])

    assert _found(file, keys, kept) == []
    file.run(anew)
    assert _found(file, keys) == []
    assert _found(file, keys, kept) == [(Flaw.MARK, 10)]
    assert _found(file, keys, Mark(number=11, hash=kept.hash)) == [(Flaw.MARK, 11)]


def test_what_was_forgotten_is_a_link_and_the_record_holds(file: Database, keys: Keys) -> None:
    count = file.run(lambda conn: redact(conn, "acme", ["1", "2"]))
    assert _found(file, keys) == [(Flaw.CHANGED, 1)]
    told = Line(ticket_id="", kind=FORGOTTEN, body={"lines": count})
    file.run(lambda conn: append(conn, "acme", [told]))

    verdict = proof.verify(file, "acme", keys)
    assert (count, verdict.holds, verdict.lines, verdict.forgotten) == (7, True, 11, 7)
    file.run(lambda conn: _set(3, ticket_id="", body={}, salt=None)(conn, "acme"))
    assert _found(file, keys) == [(Flaw.CHANGED, 1)]


def _age(database: Database, upto: int) -> None:
    """The lines up to this one are old, and were linked when they were."""

    def work(conn: Connection) -> None:
        before = ""
        rows = conn.execute(
            select(evidence).where(evidence.c.account == "acme").order_by(evidence.c.number)
        ).all()
        for row in rows:
            at = now(conn) - (100 * DAY if row.number <= upto else 0)
            before = chain.link(before, "acme", row.number, at, row.digest)
            _set(row.number, at=at, hash=before)(conn, "acme")
        _chain(hash=before)(conn, "acme")

    database.run(work)


def test_age_takes_a_prefix_and_leaves_a_signed_checkpoint(file: Database, keys: Keys) -> None:
    _age(file, 7)
    kept = Mark(number=3, hash="0" * 64)
    counts = [file.run(lambda conn: prune(conn, "acme", 30 * DAY, keys, limit=3)) for _ in range(4)]

    verdict = proof.verify(file, "acme", keys, kept)
    assert (counts, verdict.holds, verdict.lines) == ([3, 3, 1, 0], True, 3)
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.number == 7
    assert "line 3 was deleted for its age" in verdict.remarks[0]

    file.run(lambda conn: _chain(pruned_number=8)(conn, "acme"))
    assert (Flaw.LEFT_OVER, 8) in _found(file, keys)
    assert (Flaw.CHECKPOINT, 8) in _found(file, keys)


def test_only_a_whole_prefix_goes(file: Database, keys: Keys) -> None:
    """A line that is younger than it should be keeps the ones after it."""
    _age(file, 10)
    file.run(lambda conn: _set(1, at=9e9)(conn, "acme"))

    assert file.run(lambda conn: prune(conn, "acme", 30 * DAY, keys)) == 0


def test_a_checkpoint_that_is_not_ours_is_never_made_ours(
    file: Database, keys: Keys, tmp_path: Path
) -> None:
    _age(file, 7)
    file.run(lambda conn: prune(conn, "acme", 30 * DAY, keys, limit=3))
    others = Keys(Fernet.generate_key().decode(), tmp_path)

    with pytest.raises(Exception, match="was not signed with the key of DESKCLOCK_SECRET_KEY"):
        file.run(lambda conn: prune(conn, "acme", 30 * DAY, others))
    assert _found(file, others) == [(Flaw.CHECKPOINT, 3)]
    assert _found(file, keys) == []


def test_a_key_that_was_lost_is_not_replaced(file: Database, keys: Keys, tmp_path: Path) -> None:
    _age(file, 7)
    file.run(lambda conn: prune(conn, "acme", 30 * DAY, keys, limit=3))
    (tmp_path / KEY_FILE).unlink()
    without = Keys("", tmp_path)

    with pytest.raises(Exception, match="is missing, the key of what is stored"):
        file.run(lambda conn: prune(conn, "acme", 30 * DAY, without))
    verdict = proof.verify(file, "acme", without)
    assert [one.flaw for one in verdict.breaks] == [Flaw.CHECKPOINT]
    assert "is missing" in verdict.breaks[0].why
    assert not (tmp_path / KEY_FILE).exists()


def test_lines_of_an_older_deskclock_are_counted_until_they_are_linked(
    file: Database, keys: Keys
) -> None:
    old = {"account": "acme", "ticket_id": "1", "at": 1.5, "kind": "written", "body": {"a": 1}}
    file.run(lambda conn: conn.execute(insert(evidence), [old, old, old]))

    before = proof.verify(file, "acme", keys)
    linked = [file.run(lambda conn: chain.adopt(conn, "acme", 2)) for _ in range(3)]
    after = proof.verify(file, "acme", keys)
    assert (before.holds, before.unlinked, linked) == (True, 3, [2, 1, 0])
    assert before.remarks == ()
    assert (after.holds, after.unlinked, after.lines) == (True, 0, 13)
    file.run(lambda conn: conn.execute(insert(evidence), [old | {"at": 9e9}]))
    late = proof.verify(file, "acme", keys)
    assert (late.holds, late.remarks) == (True, ("a line that is not linked lies in the future",))


class Meanwhile(Database):
    """A real database in which something happens before the second reading transaction."""

    def __init__(self, url: str, happens: Callable[[], None]) -> None:
        super().__init__(url)
        self.happens = happens
        self.reads = 0

    def read(self) -> Any:
        self.reads += 1
        if self.reads == 2:
            self.happens()
        return super().read()


def test_a_walk_goes_on_while_lines_are_added_and_deleted(
    database: Database, database_url: str, keys: Keys
) -> None:
    """What was deleted for its age between two chunks is not missing."""
    _fill(database, "acme")
    _age(database, 7)

    def happens() -> None:
        database.run(lambda conn: prune(conn, "acme", 30 * DAY, keys, limit=6))
        database.run(lambda conn: append(conn, "acme", [_line(11)]))

    walked = Meanwhile(database_url, happens)
    verdict = proof.verify(walked, "acme", keys, chunk=2)
    walked.dispose()
    assert (verdict.holds, verdict.number, verdict.lines) == (True, 11, 7)
    assert verdict.checkpoint is not None
    assert verdict.checkpoint.number == 6
