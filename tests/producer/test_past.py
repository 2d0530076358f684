"""Runs that have left the broker, over each transport: all is there, and whoever saw nothing sees nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker_config.connection import connect
from broker_config.errors import Conflict, InvalidRequest, NotFound
from broker_config.history import open_history
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import now
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from producer import Client, RunHandle
from tests.producer.conftest import HandAgent
from workers.historian import Historian

Leave = Callable[..., None]


@pytest.fixture
def settings(settings: Settings, home: Path) -> Settings:
    return settings.model_copy(update={"history": f"sqlite://{home}/history.db"})


@pytest.fixture
def leave(settings: Settings, store: Store) -> Leave:
    """Have ended runs leave the broker for the history."""

    def leave(*handles: RunHandle) -> None:
        with closing(connect(settings)) as broker:
            broker.zadd("launchyard:ended", {handle.id: 1 for handle in handles})
        historian = Historian(store, open_history(settings.history or ""), "agent@hand")
        historian.prepare()
        historian.keep()
        assert store.runs.get_many([handle.id for handle in handles]) == []

    return leave


@pytest.fixture
def ended(client: Client, queue: QueueRecord, agent: HandAgent, leave: Leave) -> RunHandle:
    """A failed run that has left the broker."""
    handle = client.launch(queue=queue.name, source="python:3.11", name="digits", labels={"model": "large"})
    run = agent.start(handle.id)
    agent.print(run, "epoch 1", "epoch 2")
    agent.finish(run, exit_code=3)
    leave(handle)
    return handle


def ids(runs: Any) -> list[str]:
    return [handle.id for handle in runs]


def test_a_run_is_found_with_its_events_and_its_log(client: Client, ended: RunHandle) -> None:
    # When
    found = client.run(ended.id[:8])
    # Then
    assert (found.id, found.state, found.exit_code) == (ended.id, State.FAILED, 3)
    assert found.run.in_history_since is not None
    assert [event.new for event in found.events()] == [State.QUEUED, State.CLAIMED, State.RUNNING, State.FAILED]
    assert list(found.logs()) == list(found.logs(follow=True)) == ["epoch 1", "epoch 2"]
    assert found.wait(timeout=5).state is State.FAILED


def test_it_can_be_explained_and_not_be_changed(client: Client, ended: RunHandle) -> None:
    found = client.run(ended.id)
    assert any("exit code 3" in node.text for _, node in found.explain().walk())
    assert found.cancel().state is State.FAILED
    with pytest.raises(Conflict, match="only a run that is queued"):
        found.set_priority("high")


def test_the_history_is_listed_apart_from_what_the_broker_has(
    client: Client, queue: QueueRecord, ended: RunHandle
) -> None:
    # Given
    live = client.launch(queue=queue.name, source="python:3.11")
    # Then
    assert ids(client.runs()) == [live.id]
    assert ids(client.runs(history=True)) == [ended.id]


def test_both_are_filtered_in_the_same_words(client: Client, queue: QueueRecord, ended: RunHandle) -> None:
    # Given
    live = client.launch(queue=queue.name, source="python:3.11", name="digits", labels={"model": "large"})
    later, earlier = now() + timedelta(hours=1), now() - timedelta(hours=1)
    matching: list[dict[str, Any]] = [
        {"queue": queue.name, "name": "igit", "labels": {"model": "large"}},
        {"entity": "default", "author": live.run.spec.author, "since": earlier, "until": later},
        {"states": ["failed", "queued"]},
    ]
    other: list[dict[str, Any]] = [
        *({"queue": "other"}, {"entity": "team-b"}, {"author": "bob"}, {"states": ["running"]}, {"name": "mnist"}),
        *({"labels": {"model": "small"}}, {"since": later}, {"until": earlier}),
    ]
    # Then
    for wanted in matching:
        assert (ids(client.runs(**wanted)), ids(client.runs(history=True, **wanted))) == ([live.id], [ended.id])
    for wanted in other:
        assert (ids(client.runs(**wanted)), ids(client.runs(history=True, **wanted))) == ([], [])
    with pytest.raises(InvalidRequest):
        list(client.runs(states=["gone"]))


def test_long_lists_come_page_by_page(
    client: Client, queue: QueueRecord, leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("producer.past.PAGE", 2)
    monkeypatch.setattr("producer.over_http.connection.PAGE", 3)
    handles = [client.launch(queue=queue.name, source="python:3.11").cancel() for _ in range(7)]
    leave(*handles)
    # Then
    assert ids(client.runs(history=True)) == [handle.id for handle in reversed(handles)]


def test_a_private_queue_stays_private(settings: Settings, client: Client, store: Store, leave: Leave) -> None:
    # Given a run on a queue of somebody's own, as it was when it was launched
    with Client(settings, author="carol") as carol:
        name = carol.queues.create(Queue(name="mine", entity="carol", resource="stub", private=True)).name
        handle = carol.launch(queue=name, source="python:3.11").cancel()
        leave(handle)
        carol.queues.delete(name)
        assert ids(carol.runs(history=True)) == [handle.id]
    # Then
    with Client(settings, author="dave") as dave:
        assert ids(dave.runs(history=True)) == []
        with pytest.raises(NotFound, match="private queue of 'carol'"):
            dave.run(handle.id)


def test_what_neither_has_is_not_found(client: Client, ended: RunHandle) -> None:
    with pytest.raises(NotFound, match="neither the broker nor the history has it"):
        client.run("zzzzzzzzzzzz")


def test_who_does_not_know_the_history_is_told_where_it_is(
    settings: Settings, client: Client, ended: RunHandle
) -> None:
    with Client(settings, history="") as blind:
        with pytest.raises(NotFound, match=r"agents keep one at sqlite:///.*: set LAUNCHYARD_HISTORY here too"):
            list(blind.runs(history=True))
        with pytest.raises(NotFound, match="than records are kept; agents keep one at sqlite://"):
            blind.run(ended.id)


def test_where_there_is_none_that_is_told(settings: Settings) -> None:
    with (
        Client(settings, history="") as client,
        pytest.raises(
            NotFound, match="there is no history of finished runs here; none is kept: set LAUNCHYARD_HISTORY"
        ),
    ):
        list(client.runs(history=True))
