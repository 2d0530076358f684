"""Finished runs leave the broker when their time has come; with a history not before they are written there."""

from __future__ import annotations

from typing import Any

from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.finished import NO_RECORD
from tests.broker_config.conftest import Hand

URL = "sqlite:///srv/history.db"


def age(client: Any, settings: Settings, *run_ids: str) -> None:
    """Have runs be so old that they are due."""
    for run_id in run_ids:
        client.zincrby("launchyard:ended", -settings.retention_seconds * 1_000_000 - 1_000_000, run_id)


def test_with_a_history_nothing_expires_also_what_had_ended_before(store: Store, hand: Hand, client: Any) -> None:
    # Given
    before, after = hand.run_in(State.RUNNING), hand.run_in(State.RUNNING)
    hand.move(before, State.SUCCEEDED)
    store.logs.append(before.id, "job", ["line"])
    # When
    store.finished.begin_keeping(URL, "agent@a")
    hand.move(after, State.FAILED)
    # Then
    keys = [key for run in (before, after) for key in client.scan_iter(f"launchyard:run:{run.id}*")]
    assert len(keys) == 7
    assert {client.ttl(key) for key in keys} == {-1}


def test_with_a_history_an_agent_without_that_setting_drops_nothing(
    settings: Settings, store: Store, hand: Hand, client: Any
) -> None:
    # Given
    run = hand.run_in(State.SUCCEEDED)
    age(client, settings, run.id)
    store.finished.begin_keeping(URL, "agent@a")
    # When
    dropped = store.finished.forget_due()
    # Then
    assert (dropped, store.finished.due()) == (0, [run.id])
    # When there is no history any more
    store.finished.end_keeping()
    # Then
    assert store.finished.forget_due() == 1


def test_a_start_that_broke_off_is_made_again_as_a_whole(store: Store, hand: Hand, client: Any) -> None:
    # Given an agent that died before what there is was made to stay
    run = hand.run_in(State.SUCCEEDED)
    client.hset("launchyard:history", mapping={"agent": "agent@a", "at": "2026-05-01T00:00:00+00:00"})
    # When
    store.finished.begin_keeping(URL, "agent@b")
    # Then
    assert client.ttl(f"launchyard:run:{run.id}") == -1


def test_a_live_run_is_never_dropped_whatever_the_index_says(store: Store, hand: Hand, client: Any) -> None:
    # Given live runs that are listed as ended, as after a failover that lost a part
    live = [hand.run_in(state) for state in (State.QUEUED, State.CLAIMED, State.RUNNING)]
    client.zadd("launchyard:ended", {run.id: 1 for run in live})
    # When
    dropped = store.finished.forget_due()
    # Then
    assert dropped == 0
    assert store.runs.get_many([run.id for run in live]) == live
    assert store.finished.due() == []


def test_only_the_version_that_was_written_is_dropped(store: Store, hand: Hand) -> None:
    # Given
    run = store.runs.get(hand.run_in(State.SUCCEEDED).id)
    # Then
    assert store.finished.forget({run.id: run.version - 1}) == 0
    assert store.finished.forget({run.id: NO_RECORD}) == 0
    assert store.runs.get(run.id) == run
    assert store.finished.forget({run.id: run.version}) == 1
    assert store.runs.get_many([run.id]) == []


def test_many_are_dropped_in_steps(store: Store, hand: Hand, client: Any, monkeypatch: Any) -> None:
    # Given
    monkeypatch.setattr("broker_config.store.finished.OF_ONE_STEP", 2)
    runs = [hand.run_in(State.SUCCEEDED) for _ in range(5)]
    # When
    dropped = store.finished.forget({run.id: None for run in runs})
    # Then
    assert dropped == 5
    assert list(client.scan_iter("launchyard:run:*")) == []


def test_one_agent_keeps_at_a_time(store: Store) -> None:
    # When
    first = store.finished.take_keeping("agent@a")
    second = store.finished.take_keeping("agent@b")
    store.finished.release_keeping("agent@a")
    # Then
    assert (first, second, store.finished.take_keeping("agent@b")) == (True, False, True)


def test_it_is_known_since_when_the_history_cannot_be_written(store: Store) -> None:
    # Given
    store.finished.begin_keeping(URL, "agent@a")
    # When
    store.finished.has_not_kept("agent@a", "no route")
    first = store.finished.keeping()
    store.finished.has_not_kept("agent@b", "disk full")
    second = store.finished.keeping()
    store.finished.has_kept("agent@b")
    third = store.finished.keeping()
    # Then
    assert first
    assert second
    assert third
    assert (second.error, second.agent, second.failing_since) == ("disk full", "agent@b", first.failing_since)
    assert (third.error, third.failing_since, third.url) == ("", None, URL)
