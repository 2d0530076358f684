"""URLs of histories: each wrong one has its sentence with the cure, and none shows a password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.history import open_history
from broker_config.settings import load_settings
from tests.ports import free_port


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("mysql://alice:s3cret@host/db", "mysql:// is no kind of history; known:"),
        ("sqlite://history.db", "write sqlite:///absolute/path/history.db, three slashes"),
        ("sqlite:///", "names no file"),
        ("postgresql://alice:s3cret@host", "write postgresql://user:password@host:5432/database"),
        ("postgresql://alice:s3/cret@host:x/db", "%2F, %23, %3F and %40"),
    ],
)
def test_a_url_that_cannot_be_read_is_told_with_what_to_write(url: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_history(url)
    assert cure in str(caught.value)
    assert "s3" + "cret" not in str(caught.value)


def test_what_is_no_url_is_refused_as_a_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"write sqlite:///path/history\.db"):
        load_settings({"LAUNCHYARD_HISTORY": "/srv/history.db"}, home=tmp_path)


def test_a_database_that_does_not_answer_is_worth_another_try() -> None:
    history = open_history(f"postgresql://alice:s3cret@127.0.0.1:{free_port()}/runs")
    with pytest.raises(TemporaryError, match=r"alice:\*\*\*@127") as caught:
        history.check()
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in history.url


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    # Given
    (tmp_path / "history.db").write_text("not a database" * 100)
    # Then
    with pytest.raises(ConfigError, match="is damaged, or no SQLite database"):
        open_history(f"sqlite://{tmp_path}/history.db").check()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    # Given
    history = open_history(f"sqlite://{tmp_path}/history.db")
    history.check()
    with sqlite3.connect(tmp_path / "history.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    # Then
    with pytest.raises(ConfigError, match="written by a newer Launchyard"):
        history.amount()


def test_a_history_that_nobody_has_written_yet_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="agents make it"):
        open_history(f"sqlite://{tmp_path}/history.db").amount()
