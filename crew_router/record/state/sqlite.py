"""Shared numbers in one SQLite file: many processes of one machine."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crew_router.record.state.statistics import EXPIRY_S, Vector
from crew_router.record.state.store import LAST_DECISIONS, SCHEMA, Batch, Document, Image, Key, Kind, StoreError, taken_in
from crew_router.record.state.windows import Claim, slot_of, waits_s
from crew_router.types.fork_hooks import free_in_child

_BUSY_MS: Final = 2000
_MIGRATIONS: Final = (
    """
    CREATE TABLE meta (project TEXT PRIMARY KEY, epoch INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE vectors (project TEXT, kind TEXT, name TEXT, version INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (project, kind, name)) WITHOUT ROWID;
    CREATE INDEX vectors_changed ON vectors (project, version);
    CREATE TABLE documents (project TEXT, name TEXT, changed INTEGER NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (project, name)) WITHOUT ROWID;
    CREATE TABLE providers (seq INTEGER PRIMARY KEY, project TEXT NOT NULL, provider TEXT NOT NULL);
    CREATE TABLE windows (project TEXT, name TEXT, slot INTEGER, taken INTEGER NOT NULL, PRIMARY KEY (project, name, slot))
        WITHOUT ROWID;
    CREATE TABLE leases (project TEXT, name TEXT, token TEXT, until REAL NOT NULL, PRIMARY KEY (project, name, token))
        WITHOUT ROWID;
    """,
)


class SqliteStore:
    """A store in a file, in WAL mode.

    Args:
        path: The file; its folder is made when missing.
        project: Name space of everything in it.
    """

    def __init__(self, path: str | Path, *, project: str) -> None:
        self._path, self._project = Path(path), project
        self._lock = threading.Lock()
        free_in_child(self)
        self._db: sqlite3.Connection | None = None
        self._left_open: list[sqlite3.Connection] = []

    @property
    def exclusive(self) -> bool:
        """Tell whether nobody else can see the store."""
        return False

    def load(self, *, since: int) -> Image:
        """Return what changed after a version."""
        with self._transaction(write=False) as db:
            epoch, version = self._meta(db)
            if version == since:
                return Image(epoch, version, providers=self._shares(db))
            vectors = db.execute("SELECT kind, name, value FROM vectors WHERE project = ? AND version > ?", (self._project, since))
            documents = db.execute("SELECT name, version, text FROM documents WHERE project = ? AND changed > ?", (self._project, since))
            return Image(
                epoch,
                version,
                vectors={(kind, name): tuple(json.loads(value)) for kind, name, value in vectors},
                documents={name: Document(number, text) for name, number, text in documents},
                providers=self._shares(db),
            )

    def merge(self, batch: Batch) -> tuple[Key, ...] | None:
        """Take a batch in; a transaction that failed has changed nothing, so batches need no memory here."""
        with self._transaction() as db:
            epoch, version = self._meta(db)
            if epoch != batch.epoch:
                return None
            rows = [(*key, taken_in(key[0], self._vector(db, key), added)) for key, added in batch.vectors.items()]
            self._put(db, rows, version=version + 1)
            db.executemany("INSERT INTO providers (project, provider) VALUES (?, ?)", [(self._project, name) for name in batch.providers])
            db.execute(
                "DELETE FROM providers WHERE project = ?1 AND seq <= "
                "(SELECT seq FROM providers WHERE project = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                (self._project, LAST_DECISIONS),
            )
            self._set_version(db, version + 1)
        return ()

    def seed(self, image: Image) -> tuple[Key, ...]:
        """Put lost rows back; return those that are there."""
        with self._transaction() as db:
            _, version = self._meta(db)
            missing = [(*key, vector) for key, vector in image.vectors.items() if self._vector(db, key) is None]
            self._put(db, missing, version=version + 1)
            self._set_version(db, version + 1)
        fresh = {(kind, name) for kind, name, _ in missing}
        return tuple(key for key in image.vectors if key not in fresh)

    def document(self, name: str) -> Document:
        """Read a document."""
        with self._transaction(write=False) as db:
            row = db.execute("SELECT version, text FROM documents WHERE project = ? AND name = ?", (self._project, name)).fetchone()
            return Document(*row) if row else Document()

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write a document if its version still is the expected one."""
        with self._transaction() as db:
            row = db.execute("SELECT version FROM documents WHERE project = ? AND name = ?", (self._project, name)).fetchone()
            if (row[0] if row else 0) != expected:
                return False
            _, version = self._meta(db)
            db.execute(
                "INSERT OR REPLACE INTO documents (project, name, changed, version, text) VALUES (?, ?, ?, ?, ?)",
                (self._project, name, version + 1, expected + 1, text),
            )
            self._set_version(db, version + 1)
            return True

    def take(self, claims: Sequence[Claim], *, window_s: float, at: float) -> tuple[float, ...]:
        """Take amounts from sliding windows."""
        slot = slot_of(at, window_s=window_s)
        with self._transaction() as db:
            windows = [self._taken(db, claim.name) for claim in claims]
            waits = waits_s(claims, windows, window_s=window_s, at=at)
            if any(waits):
                return waits
            pairs = list(zip(claims, windows, strict=True))
            old = [(self._project, claim.name, each) for claim, counts in pairs for each in counts if each < slot - 2 * len(counts) - 20]
            db.executemany("DELETE FROM windows WHERE project = ? AND name = ? AND slot = ?", old)
            db.executemany(
                "INSERT INTO windows (project, name, slot, taken) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (project, name, slot) DO UPDATE SET taken = taken + excluded.taken",
                [(self._project, claim.name, slot, claim.amount) for claim in claims],
            )
            return waits

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float, at: float) -> bool:
        """Take a place."""
        with self._transaction() as db:
            db.execute("DELETE FROM leases WHERE project = ? AND name = ? AND until <= ?", (self._project, name, at))
            query = "SELECT count(*) FROM leases WHERE project = ? AND name = ? AND token <> ?"
            (held,) = db.execute(query, (self._project, name, token)).fetchone()
            if held >= limit:
                return False
            db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (self._project, name, token, at + lease_s))
            return True

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        with self._transaction() as db:
            db.execute("DELETE FROM leases WHERE project = ? AND name = ? AND token = ?", (self._project, name, token))

    def begin_epoch(self) -> int:
        """Forget all vectors and shares."""
        with self._transaction() as db:
            epoch, version = self._meta(db)
            db.execute("DELETE FROM vectors WHERE project = ?", (self._project,))
            db.execute("DELETE FROM providers WHERE project = ?", (self._project,))
            db.execute("UPDATE meta SET epoch = ?, version = ? WHERE project = ?", (epoch + 1, version + 1, self._project))
            return epoch + 1

    def reopen(self) -> None:
        """Leave the parent's connection alone; closing it here would drop the parent's locks on the file."""
        self._lock = threading.Lock()
        if self._db is not None:
            self._left_open.append(self._db)
            self._db = None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def _transaction(self, *, write: bool = True) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                db = self._db = self._db or self._connected()
                db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                raise StoreError(str(error)) from error

    def _connected(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self._path.exists()
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000)
        if fresh:
            self._path.chmod(0o600)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        self._migrate(db)
        db.execute(
            "DELETE FROM vectors WHERE project = ?1 AND kind IN ('perf', 'live') AND json_extract(value, '$[0]') < "
            "(SELECT max(json_extract(value, '$[0]')) FROM vectors WHERE project = ?1 AND kind IN ('perf', 'live')) - ?2",
            (self._project, EXPIRY_S),
        )
        db.execute("INSERT OR IGNORE INTO meta VALUES (?, 1, 1)", (self._project,))
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA:
            db.execute("ROLLBACK")
            db.close()
            raise StoreError(f"schema {found} is newer than this version of crew-router knows ({SCHEMA}); update crew-router")
        for script in _MIGRATIONS[found:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("COMMIT")

    def _taken(self, db: sqlite3.Connection, name: str) -> dict[int, int]:
        return dict(db.execute("SELECT slot, taken FROM windows WHERE project = ? AND name = ?", (self._project, name)).fetchall())

    def _meta(self, db: sqlite3.Connection) -> tuple[int, int]:
        row = db.execute("SELECT epoch, version FROM meta WHERE project = ?", (self._project,)).fetchone()
        return (row[0], row[1]) if row else (1, 1)

    def _set_version(self, db: sqlite3.Connection, version: int) -> None:
        db.execute("UPDATE meta SET version = ? WHERE project = ?", (version, self._project))

    def _vector(self, db: sqlite3.Connection, key: Key) -> Vector | None:
        query = "SELECT value FROM vectors WHERE project = ? AND kind = ? AND name = ?"
        row = db.execute(query, (self._project, *key)).fetchone()
        return tuple(json.loads(row[0])) if row else None

    def _put(self, db: sqlite3.Connection, rows: list[tuple[Kind, str, Vector]], *, version: int) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO vectors (project, kind, name, version, value) VALUES (?, ?, ?, ?, ?)",
            [(self._project, kind, name, version, json.dumps(vector)) for kind, name, vector in rows],
        )

    def _shares(self, db: sqlite3.Connection) -> tuple[str, ...]:
        rows = db.execute("SELECT provider FROM providers WHERE project = ? ORDER BY seq", (self._project,))
        return tuple(provider for (provider,) in rows)
