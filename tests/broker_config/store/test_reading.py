"""Finding runs, and forgetting them in time."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from broker_config.errors import InvalidRequest, NotFound
from broker_config.runs import RunId
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store import runs as runs_module
from broker_config.store.runs import Standing
from tests.broker_config.conftest import MAX_BYTES, Hand, launch_of, spec_of


def enqueue_as(hand: Hand, run_id: str) -> None:
    launch = launch_of(hand.queue)
    hand.store.runs.enqueue(hand.queue, [(spec_of(hand.queue, launch, RunId(run_id)), launch)], MAX_BYTES)


def test_a_run_is_found_by_its_id_or_its_beginning(store: Store, hand: Hand) -> None:
    # Given
    enqueue_as(hand, "abcabcabcabc")
    enqueue_as(hand, "abdabdabdabd")

    # Then
    assert store.runs.find("abcabcabcabc").id == "abcabcabcabc"
    assert store.runs.find("abd").id == "abdabdabdabd"


def test_a_beginning_that_several_runs_have_is_not_enough(store: Store, hand: Hand) -> None:
    # Given
    enqueue_as(hand, "abcabcabcabc")
    enqueue_as(hand, "abdabdabdabd")

    # Then
    with pytest.raises(InvalidRequest, match="2 runs begin with 'ab'; give more of the id"):
        store.runs.find("ab")


@pytest.mark.parametrize("typed", ["zzz", "", "*", "abc*", "[a]", "abcabcabcabc:spec", "abcabcabcabc:events", "ABC"])
def test_what_is_no_run_is_not_found_whatever_is_typed(store: Store, hand: Hand, typed: str) -> None:
    # Given
    enqueue_as(hand, "abcabcabcabc")

    # Then
    with pytest.raises(NotFound):
        store.runs.find(typed)


def test_several_runs_come_back_in_the_order_asked_without_those_that_are_gone(store: Store, hand: Hand) -> None:
    # Given
    first, second = hand.enqueue(2)

    # Then
    assert store.runs.get_many([second.id, "nobodysrun22", first.id]) == [second, first]
    assert store.runs.get_many([]) == []


def test_where_runs_are_is_told_without_what_they_run(
    store: Store, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(runs_module, "STANDINGS_OF_A_TRIP", 2)
    ids = [hand.run_in(state).id for state in (State.QUEUED, State.RUNNING, State.FAILED)]
    records = store.runs.get_many(ids)

    # Then
    assert store.runs.standings([*ids, "nobodysrun22"]) == {
        run.id: Standing(run.state, run.since, run.attempt, run.ended_at) for run in records
    }
    assert records[2].ended_at is not None
    assert store.runs.standings([]) == {}


def test_runs_are_listed_newest_first(store: Store, hand: Hand) -> None:
    # Given more than one page
    runs = hand.enqueue(450)

    # Then
    assert [run.id for run in store.runs.newest()] == [run.id for run in reversed(runs)]


def test_a_run_that_has_not_ended_never_expires(hand: Hand, client: Any) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # Then
    keys = [f"launchyard:run:{run.id}", f"launchyard:run:{run.id}:spec", f"launchyard:run:{run.id}:events"]
    assert [client.ttl(key) for key in keys] == [-1, -1, -1]


def test_everything_of_an_ended_run_expires(settings: Settings, store: Store, hand: Hand, client: Any) -> None:
    # Given
    run = hand.run_in(State.RUNNING)
    store.logs.append(run.id, "job", ["done"])

    # When
    hand.move(run, State.SUCCEEDED)

    # Then
    keys = list(client.scan_iter(f"launchyard:run:{run.id}*"))
    assert len(keys) == 4
    for key in keys:
        assert settings.retention_seconds - 5 < client.ttl(key) <= settings.retention_seconds


def test_what_has_expired_is_forgotten_and_nothing_else(
    settings: Settings, store: Store, hand: Hand, client: Any
) -> None:
    # Given an old run whose keys have expired but for a late line of its log, a fresh one, and one that runs
    old, fresh, live = (hand.run_in(State.RUNNING) for _ in range(3))
    hand.move(old, State.SUCCEEDED)
    hand.move(fresh, State.SUCCEEDED)
    for key in client.scan_iter(f"launchyard:run:{old.id}*"):
        client.delete(key)
    store.logs.append(old.id, "job", ["late"])
    client.zincrby("launchyard:ended", -settings.retention_seconds * 1_000_000 - 1_000_000, old.id)

    # When
    count = store.finished.forget_due()

    # Then
    assert (count, store.finished.forget_due()) == (1, 0)
    assert [run.id for run in store.runs.newest()] == [live.id, fresh.id]
    assert list(client.scan_iter(f"*{old.id}*")) == []
    assert client.zrange("launchyard:ended", 0, -1) == [fresh.id]


def test_an_index_entry_whose_record_is_gone_is_passed_over(store: Store, hand: Hand, client: Any) -> None:
    # Given
    first, second = hand.enqueue(2)
    client.delete(f"launchyard:run:{first.id}")

    # Then
    assert list(store.runs.newest()) == [second]
    with pytest.raises(NotFound, match="ended longer ago than records are kept"):
        store.runs.get(first.id)


def test_an_idempotency_key_is_kept_as_long_as_a_record(settings: Settings, hand: Hand, client: Any) -> None:
    # Given
    launch = launch_of(hand.queue, key="nightly")
    hand.store.runs.enqueue(hand.queue, [(spec_of(hand.queue, launch), launch)], MAX_BYTES)

    # Then
    assert 0 < client.ttl("launchyard:idempotency:gpu-queue:nightly") <= settings.retention_seconds


def test_of_more_ended_runs_than_are_kept_the_oldest_go_and_none_that_is_live(
    settings: Settings, hand: Hand, client: Any
) -> None:
    # Given a live run, and then ended ones
    live, *ended = (hand.run_in(State.RUNNING) for _ in range(5))
    for run in ended:
        hand.move(run, State.SUCCEEDED)

    # When two ended ones are kept at most; the settings take no fewer than a hundred
    with closing(Store(settings.model_copy(update={"retention_runs": 2}))) as store:
        count = store.finished.forget_due()

        # Then the two that ended last are there, and the live one
        assert (count, store.finished.forget_due()) == (2, 0)
        assert [run.id for run in store.runs.newest()] == [ended[3].id, ended[2].id, live.id]
    assert list(client.scan_iter(f"*{ended[0].id}*")) == []
