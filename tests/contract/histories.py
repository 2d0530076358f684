"""The histories, for the contract suite: each with a real database or folder. A new kind is added to `HISTORIES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.contract.places import s3
from tests.postgresql_server import postgresql

Opened = Callable[[Path, pytest.FixtureRequest], AbstractContextManager[str]]


@contextmanager
def stub(home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    yield f"stub://{uuid4()}"


@contextmanager
def sqlite(home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    yield f"sqlite://{home}/history.db"


@contextmanager
def postgres(home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    server: str = request.getfixturevalue("postgresql_server")
    name = f"history_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield server.replace("/postgres", f"/{name}")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """One server for the tests of this process."""
    with postgresql() as url:
        yield url


@contextmanager
def parquet(home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    yield f"file://{home}/history"


@contextmanager
def parquet_in_s3(home: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with s3(home, request.getfixturevalue("monkeypatch")) as place:
        yield f"{place.url}/{uuid4()}"


HISTORIES: dict[str, Opened] = {
    "stub": stub,
    "sqlite": sqlite,
    "postgresql": postgres,
    "parquet": parquet,
    "parquet in s3": parquet_in_s3,
}
