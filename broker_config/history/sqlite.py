"""A history in one file: `sqlite:///path/history.db`, an absolute path of this machine.

For one machine: SQLite's write-ahead log does not work over a network file system (SQLite, "Write-Ahead Logging").
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from broker_config.errors import ConfigError, TemporaryError
from broker_config.history.tables import SCHEMA, Dialect, Tables

BUSY_SECONDS = 10.0
"""How long one writer waits for another."""

_DIALECT = Dialect(
    mark="?",
    has_part="instr(name, ?) > 0",
    has_label="EXISTS (SELECT 1 FROM json_each(labels) AS label WHERE label.key = ? AND label.value = ?)",
    size="SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
)

_CREATE = (
    """CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, place INTEGER NOT NULL, queue TEXT NOT NULL,
    entity TEXT NOT NULL, state TEXT NOT NULL, author TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL,
    created_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, written_at INTEGER NOT NULL, run BLOB NOT NULL,
    events BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS runs_by_place ON runs (place, id)",
    "CREATE INDEX IF NOT EXISTS runs_by_queue ON runs (queue, place, id)",
    "CREATE INDEX IF NOT EXISTS runs_by_author ON runs (author, place, id)",
    """CREATE TABLE IF NOT EXISTS logs (run TEXT NOT NULL, part INTEGER NOT NULL, last TEXT NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (run, part))""",
    f"PRAGMA user_version = {SCHEMA}",
)


def sqlite_history(url: str) -> Tables:
    """The history of a `sqlite://` URL."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc or not parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("LAUNCHYARD_HISTORY names no file; write sqlite:///absolute/path/history.db, three slashes")
    file = _File(path)
    return Tables(url, _DIALECT, file.transaction, file.create)


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """The file and its tables, where they are missing. The folder must be there."""
        if not self._path.parent.is_dir():
            raise ConfigError(
                f"the history's folder {self._path.parent} is not there; create it, or correct LAUNCHYARD_HISTORY"
            )
        with self._translated(), closing(self._connect(is_new=True)) as connection:
            # A reader is then never in the way of a writer.
            connection.execute("PRAGMA journal_mode = WAL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                self._check_version(connection)
                for statement in _CREATE:
                    connection.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        with self._translated(), closing(self._connect(is_new=False)) as connection:
            self._check_version(connection)
            with connection:
                yield connection.cursor()

    def _connect(self, *, is_new: bool) -> sqlite3.Connection:
        # A connection a transaction: opening one costs a fraction of a millisecond, and threads share none.
        mode = "rwc" if is_new else "rw"
        connection = sqlite3.connect(f"{self._path.as_uri()}?mode={mode}", timeout=BUSY_SECONDS, uri=True)
        # What is deleted from the broker next must be on the disk.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _check_version(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise ConfigError(
                f"the history {self._path} was written by a newer Launchyard (schema {version}; this one knows "
                f"{SCHEMA}); upgrade this machine"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}:
                raise TemporaryError(f"the history {self._path} cannot be used now: {error}") from error
            raise ConfigError(
                f"the history {self._path} cannot be used: {error}; agents make it, and whoever reads it needs the "
                "right to write in its folder too"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"the history {self._path} is damaged, or no SQLite database: {error}") from error
