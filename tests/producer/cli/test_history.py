"""The history on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.settings import Settings
from broker_config.store import Store
from producer import RunHandle
from tests.producer.cli.conftest import Call, command
from tests.producer.test_past import ended, leave

__all__ = ["ended", "leave"]


@pytest.fixture
def settings(settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    url = f"sqlite://{home}/history.db"
    monkeypatch.setenv("LAUNCHYARD_HISTORY", url)
    return settings.model_copy(update={"history": url})


def test_old_runs_are_listed_shown_and_read(launchyard: Call, ended: RunHandle) -> None:
    # Then
    assert launchyard("runs").out == ""
    assert (
        launchyard("runs", "--history", "--since", "1h", "--label", "model=large")
        .out.splitlines()[1]
        .startswith(ended.id)
    )
    assert launchyard("runs", "--history", "--until", "2026-01-01").err.startswith("There is no such run.")
    assert "it left the broker at" in launchyard("show", ended.id).out
    log = launchyard("logs", ended.id)
    assert log.out.splitlines() == ["epoch 1", "epoch 2"]
    assert f"run {ended.id} has left the broker; this is its log from the history" in log.err
    assert launchyard("show", ended.id, "--json").json["in_history_since"]


def test_a_time_that_is_none_is_told_with_what_to_write(launchyard: Call) -> None:
    answer = launchyard("runs", "--since", "yesterday")
    assert (answer.code, "write 7d for a week ago, 2026-11-23 or 2026-11-23T15:30" in answer.err) == (2, True)


def test_it_is_told_how_much_there_is_and_given_up(settings: Settings, ended: RunHandle, store: Store) -> None:
    # Given
    call = command(settings)
    # Then
    told = call("history", "stats", "--json").json
    assert (told["runs"], told["url"], told["keeping"]["agent"]) == (1, settings.history, "agent@hand")
    assert "agent@hand" in call("history", "stats").out
    # When
    call("history", "stop")
    # Then
    assert store.finished.keeping() is None


def test_where_there_is_none_that_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAUNCHYARD_HISTORY")
    answer = command(settings)("history", "stats")
    assert (answer.code, "set LAUNCHYARD_HISTORY as the agents have it" in answer.err) == (4, True)
    assert "there is no history of finished runs here" in command(settings)("runs", "--history").err
