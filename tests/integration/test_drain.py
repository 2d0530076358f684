"""What an operator wishes of an agent."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.queues import QueueRecord
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import Mode, Wish
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]


def mode_of(store: Store, name: str) -> Mode:
    info, _ = store.agents.get(name)
    return info.wish.mode


def test_a_paused_agent_takes_nothing_until_it_is_resumed(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue", name="first@test").start()
    store.agents.set_wish("first@test", Wish(mode=Mode.PAUSED, reason="new driver", by="alice"))
    eventually(lambda: mode_of(store, "first") is Mode.PAUSED, "the agent has heard")

    # When a run comes, and another agent serves the queue later
    (run_id,) = runs.enqueue(queue)
    agent("gpu-queue", name="second@test").start()
    (run,) = runs.wait_ended([run_id])
    store.agents.set_wish("second@test", Wish(mode=Mode.PAUSED))
    eventually(lambda: mode_of(store, "second") is Mode.PAUSED, "the agent has heard")
    store.agents.set_wish("first@test", Wish())
    (later,) = runs.wait_ended(runs.enqueue(queue))

    # Then
    assert (run.agent, later.agent) == ("second@test", "first@test")


def test_a_drained_agent_stops_when_its_last_run_has_ended(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    process = agent("gpu-queue").start()
    ids = runs.enqueue(queue, 2, seconds=3)
    runs.wait(ids, State.RUNNING)

    # When
    store.agents.set_wish("agent@test", Wish(mode=Mode.DRAINING, reason="upgrade"))
    eventually(lambda: mode_of(store, "agent") is Mode.DRAINING, "the agent has heard")
    (late,) = runs.enqueue(queue)
    code = process.wait()

    # Then
    assert code == 0
    assert {run.state for run in store.runs.get_many(ids)} == {State.SUCCEEDED}
    assert store.runs.get(late).state is State.QUEUED
    process.start()
    runs.wait_ended([late])


def test_a_wish_outlives_a_restart_of_the_agent(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    process = agent("gpu-queue").start()
    store.agents.set_wish("agent@test", Wish(mode=Mode.PAUSED, reason="maintenance"))
    eventually(lambda: mode_of(store, "agent") is Mode.PAUSED, "the agent has heard")

    # When
    process.kill()
    process.start()
    (run_id,) = runs.enqueue(queue)
    eventually(lambda: mode_of(store, "agent") is Mode.PAUSED, "the agent has heard")

    # Then
    assert store.runs.get(run_id).state is State.QUEUED
    store.agents.set_wish("agent@test", Wish())
    runs.wait_ended([run_id])
