"""A history in a PostgreSQL database: `postgresql://user:password@host/database`, with libpq's options behind a `?`.

The tables are made in the schema that the user's `search_path` names first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from broker_config.errors import ConfigError, InvalidRequest, TemporaryError
from broker_config.history.tables import SCHEMA, Cursor, Dialect, Tables
from broker_config.masks import without_password

CONNECT_SECONDS = 10

_DIALECT = Dialect(
    mark="%s",
    has_part="position(%s in name) > 0",
    has_label="labels ->> %s = %s",
    size="SELECT pg_total_relation_size('runs') + pg_total_relation_size('logs')",
)

_LOCK = 0x6C61756E63687972
"""Of the transaction that makes the tables: two at once would both find none (PostgreSQL, "Advisory Locks")."""

# Ids are compared byte by byte, as everywhere else, whatever language the database sorts in.
_CREATE = """
CREATE TABLE IF NOT EXISTS launchyard_history (version integer NOT NULL);
CREATE TABLE IF NOT EXISTS runs (id text COLLATE "C" PRIMARY KEY, place bigint NOT NULL, queue text NOT NULL,
    entity text NOT NULL, state text NOT NULL, author text NOT NULL, name text NOT NULL, labels jsonb NOT NULL,
    created_at bigint NOT NULL, ended_at bigint NOT NULL, written_at bigint NOT NULL, run bytea NOT NULL,
    events bytea NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_place ON runs (place, id);
CREATE INDEX IF NOT EXISTS runs_by_queue ON runs (queue, place, id);
CREATE INDEX IF NOT EXISTS runs_by_author ON runs (author, place, id);
CREATE TABLE IF NOT EXISTS logs (run text COLLATE "C" NOT NULL, part integer NOT NULL, last text COLLATE "C" NOT NULL,
    data bytea NOT NULL, PRIMARY KEY (run, part));
"""


def postgresql_history(url: str) -> Tables:
    """The history of a `postgresql://` URL."""
    try:
        parts = urlsplit(url)
        is_readable = bool(parts.path.strip("/")) and parts.port != 0 and bool(psycopg.conninfo.conninfo_to_dict(url))
    except (ValueError, psycopg.Error):
        is_readable = False
    if not is_readable:
        raise ConfigError(
            "LAUNCHYARD_HISTORY cannot be read; write postgresql://user:password@host:5432/database, with '/', '#', "
            "'?' and '@' in a password as %2F, %23, %3F and %40"
        )
    database = _Database(url)
    return Tables(database.shown, _DIALECT, database.transaction, database.create)


class _Database:
    def __init__(self, url: str) -> None:
        self._url = url
        self.shown = without_password(url)

    def create(self) -> None:
        """The tables, where they are missing. The database must be there."""
        with self.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor.execute(_CREATE)
            cursor.execute("SELECT max(version) FROM launchyard_history")
            (version,) = cursor.fetchone()
            if version is None:
                cursor.execute("INSERT INTO launchyard_history (version) VALUES (%s)", (SCHEMA,))
            elif version > SCHEMA:
                raise ConfigError(
                    f"the history {self.shown} was written by a newer Launchyard (schema {version}; this one knows "
                    f"{SCHEMA}); upgrade this machine"
                )

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        # A connection a transaction: what is written is large, and what is read is a page for a person.
        with (
            self._translated(),
            psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS, application_name="launchyard") as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UndefinedTable as error:
            raise ConfigError(f"the history {self.shown} has no tables; agents with this setting make them") from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidCatalogName) as error:
            raise ConfigError(f"the history {self.shown} refuses: {_words(error)}") from error
        except psycopg.DataError as error:
            raise InvalidRequest(f"the history {self.shown} cannot take that: {_words(error)}") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            # A wrong password or database comes as an operational error too, before there is a connection.
            raise TemporaryError(
                f"the history {self.shown} cannot be used now: {_words(error)}; is it running, and LAUNCHYARD_HISTORY "
                "right?"
            ) from error
        except psycopg.Error as error:
            raise ConfigError(f"the history {self.shown} cannot be used: {_words(error)}") from error


def _words(error: psycopg.Error) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
