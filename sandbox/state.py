"""One SQLite file that holds a local helpdesk's objects as JSON documents."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.past import Past

Doc = dict[str, Any]
Key = int | str

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, id NOT NULL, parent, created INTEGER, moved INTEGER,
    shelf TEXT NOT NULL DEFAULT '', doc TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (kind, parent, id);
CREATE INDEX IF NOT EXISTS objects_by_moved ON objects (kind, moved, id);
CREATE INDEX IF NOT EXISTS objects_by_created ON objects (kind, created, id);
CREATE INDEX IF NOT EXISTS objects_on_shelf_by_moved
    ON objects (kind, shelf, moved, id, created);
CREATE INDEX IF NOT EXISTS objects_on_shelf_by_created
    ON objects (kind, shelf, created, id, moved);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO objects (kind, id, parent, created, moved, shelf, doc) "
_VALUES = "VALUES (?, ?, ?, ?, ?, ?, ?)"
_SORTS = {"created", "moved"}
_LAGS = "ticket"
_APPEAR_LATE = ("comment", "conversation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One object to store; `shelf` is '' for what ordinary lists show."""

    kind: str
    id: Key
    doc: Doc
    parent: Key | None = None
    created: int | None = None
    moved: int | None = None
    shelf: str = ""


class State:
    """Everything a local helpdesk remembers. One connection, guarded by one lock."""

    def __init__(self, path: Path | None) -> None:
        self.past = Past()
        self._lock = threading.RLock()
        self._depth = 0
        self._after_commit: list[Callable[[], None]] = []
        self._recorded: list[Row] | None = None
        self._db = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction; nested ones join the outer one."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._after_commit.clear()
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")
                self._run_after_commit()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` as soon as the open transaction is committed, never if it is undone."""
        with self._lock:
            if self._depth == 0:
                action()
            else:
                self._after_commit.append(action)

    def _run_after_commit(self) -> None:
        actions, self._after_commit = self._after_commit, []
        for action in actions:
            action()

    def put(self, *rows: Row) -> None:
        """Store objects, replacing those of the same kind and id."""
        self.put_all(rows)

    def put_all(self, rows: Iterable[Row]) -> None:
        """Store many objects at once."""
        if self.past.lagging:  # what such a thread saw is old already
            return
        rows = list(rows)
        with self.writing():
            if self.past.keeping:
                self._note_past(rows)
            if self._recorded is not None:
                self._recorded += rows
            self.put_texts(
                (r.kind, r.id, r.parent, r.created, r.moved, r.shelf, dumped(r.doc)) for r in rows
            )

    def put_texts(self, values: Iterable[tuple[Any, ...]]) -> None:
        """Store objects that are text already: the fields of `Row`, `doc` last and as JSON."""
        with self.writing():
            self._db.executemany(_PUT + _VALUES, values)

    @contextmanager
    def recording(self) -> Iterator[list[Row]]:
        """One transaction; the list holds, in the end, everything that was put in it."""
        with self.writing():
            recorded: list[Row] = []
            self._recorded = recorded
            try:
                yield recorded
            finally:
                self._recorded = None

    def get(self, kind: str, key: Key) -> Doc | None:
        """One object, or None."""
        if not _can_be_a_key(key):
            return None
        found = self._all("SELECT doc FROM objects WHERE kind = ? AND id = ?", (kind, key))
        return self._seen(kind, key, json.loads(found[0][0])) if found else None

    def get_many(self, kind: str, keys: Iterable[Key]) -> dict[Key, Doc]:
        """The objects that exist among `keys`, by key."""
        wanted = list(filter(_can_be_a_key, dict.fromkeys(keys)))
        marks = ",".join("?" * len(wanted))
        query = f"SELECT id, doc FROM objects WHERE kind = ? AND id IN ({marks})"  # noqa: S608
        rows = self._all(query, (kind, *wanted))
        found = {key: self._seen(kind, key, json.loads(doc)) for key, doc in rows}
        return {key: found[key] for key in wanted if key in found}

    def children(self, kind: str, parent: Key) -> list[Doc]:
        """All objects that belong to `parent`, oldest first."""
        # left to itself SQLite reads the whole kind in the order of the primary key
        query = (
            "SELECT doc FROM objects INDEXED BY objects_by_parent"
            " WHERE kind = ? AND parent = ? ORDER BY id"
        )
        docs: list[Doc] = [json.loads(doc) for (doc,) in self._all(query, (kind, parent))]
        if kind in _APPEAR_LATE and self.past.lagging:
            return [doc for doc in docs if self.past.seen((kind, doc["id"]), doc) is not None]
        return docs

    def count_children(self, kind: str, parent: Key) -> int:
        """How many objects belong to `parent`."""
        if not _can_be_a_key(parent):
            return 0
        query = "SELECT count(*) FROM objects WHERE kind = ? AND parent = ?"
        return int(self._all(query, (kind, parent))[0][0])

    def all(self, kind: str, *, shelf: str | None = None) -> list[Doc]:
        """Every object of a kind in id order, or only those on one shelf."""
        query = "SELECT doc FROM objects WHERE kind = ?"
        values: tuple[Any, ...] = (kind,)
        if shelf is not None:
            query, values = query + " AND shelf = ?", (kind, shelf)
        return self._docs(kind, self._all(query + " ORDER BY id", values))

    def count(self, kind: str, *, shelf: str = "") -> int:
        """How many objects of a kind are on a shelf."""
        query = "SELECT count(*) FROM objects WHERE kind = ? AND shelf = ?"
        return int(self._all(query, (kind, shelf))[0][0])

    def page(
        self,
        kind: str,
        *,
        sort: str,
        shelf: str = "",
        descending: bool = False,
        moved_from: int | None = None,
        created_from: int | None = None,
        limit: int,
        offset: int = 0,
    ) -> list[Doc]:
        """One page of a list, sorted by `created` or `moved` and then by id."""
        if sort not in _SORTS:
            message = f"a list is sorted by one of {sorted(_SORTS)}, not by {sort!r}"
            raise ValueError(message)
        way = "DESC" if descending else "ASC"
        # the page is found in the index alone: rows that are skipped are not read
        found = (
            f"SELECT id AS found FROM objects INDEXED BY objects_on_shelf_by_{sort}"  # noqa: S608
            " WHERE kind = ? AND shelf = ? AND moved >= ? AND created >= ?"
            f" ORDER BY {sort} {way}, id {way} LIMIT ? OFFSET ?"
        )
        query = (
            f"SELECT doc FROM ({found}) CROSS JOIN objects ON kind = ? AND id = found"  # noqa: S608
            f" ORDER BY {sort} {way}, id {way}"
        )
        least = -(2**62)
        values = (
            kind,
            shelf,
            least if moved_from is None else moved_from,
            least if created_from is None else created_from,
            limit,
            offset,
            kind,
        )
        return self._docs(kind, self._all(query, values))

    def moved_after(
        self, kind: str, *, moved: int, key: Key, before: int, limit: int
    ) -> list[tuple[int, Doc]]:
        """Objects after the mark (moved, key) that moved before `before`, with their `moved`."""
        query = (
            "SELECT moved, doc FROM objects WHERE kind = ? AND (moved, id) > (?, ?) AND moved < ?"
            " ORDER BY moved, id LIMIT ?"
        )
        rows = self._all(query, (kind, moved, key, before, limit))
        docs = self._docs(kind, [(doc,) for _, doc in rows])
        return [(at, doc) for (at, _), doc in zip(rows, docs, strict=True)]

    def remove(self, kind: str, key: Key) -> None:
        """Forget one object."""
        if not _can_be_a_key(key):
            return
        with self.writing():
            self._db.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, key))

    def counters(self) -> dict[str, int]:
        """The last number that was handed out, by the counter's name."""
        return dict(self._all("SELECT name, value FROM counters", ()))

    def next_ids(self, name: str, count: int = 1, *, start: int = 1) -> range:
        """Reserve `count` consecutive numbers; the first ever handed out is `start`."""
        query = (
            "INSERT INTO counters (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + ? RETURNING value"
        )
        with self.writing():
            last = int(self._db.execute(query, (name, start + count - 1, count)).fetchone()[0])
        return range(last - count + 1, last + 1)

    def next_id(self, name: str, *, start: int = 1) -> int:
        """Reserve one number."""
        return self.next_ids(name, start=start)[0]

    def setting(self, name: str) -> Any:
        """A remembered setting, or None."""
        found = self._all("SELECT value FROM settings WHERE name = ?", (name,))
        return json.loads(found[0][0]) if found else None

    def remember(self, name: str, value: Any) -> None:
        """Keep a setting over restarts."""
        with self.writing():
            self._db.execute(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, dumped(value))
            )

    def _all(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        if not all(map(_can_be_a_key, values)):
            return []
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def _docs(self, kind: str, rows: Iterable[tuple[str]]) -> list[Doc]:
        docs: list[Doc] = [json.loads(doc) for (doc,) in rows]
        if kind == _LAGS and self.past.lagging:
            return [self._seen(kind, doc["id"], doc) for doc in docs]
        return docs

    def _seen(self, kind: str, key: Key, doc: Doc) -> Doc:
        return dict(self.past.seen(key, doc)) if kind == _LAGS and self.past.lagging else doc

    def _note_past(self, rows: Iterable[Row]) -> None:
        for row in rows:
            before = self.get(_LAGS, row.id) if row.kind == _LAGS else None
            if before is not None and before != row.doc:
                self.past.note(row.id, before)
            if row.kind in _APPEAR_LATE and self.get(row.kind, row.id) is None:
                self.past.note((row.kind, row.id), None)


def dumped(value: Any) -> str:
    """A value as it is stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _can_be_a_key(key: Key) -> bool:
    """Numbers from outside may be larger than SQLite can hold; no object has such an id."""
    return not isinstance(key, int) or abs(key) < 2**63
