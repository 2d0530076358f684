"""Runs of agents that are gone are taken over by others."""

from __future__ import annotations

import time
from collections.abc import Callable

from broker_config.queues import QueueRecord
from broker_config.runs import RunId
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.faults.history import taken_up
from tests.faults.steps import Step
from tests.faults.table import Cell, Table
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]

LEASE_SECONDS = 3.0


def short_lease(settings: Settings) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "launch-config.yaml").write_text(f"lease_seconds: {LEASE_SECONDS}\n")


def adopted_by(store: Store, run_id: RunId) -> list[str]:
    return [event.actor for _, event in store.runs.events(run_id) if event.reason is Reason.ADOPTED]


def test_another_agent_takes_over_when_the_lease_of_a_killed_one_ends(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    short_lease(settings)
    first = agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, 4, seconds=12)
    runs.wait(ids, State.RUNNING)
    agent("gpu-queue", name="second@test").start()

    # When
    first.kill()
    killed = time.monotonic()
    eventually(lambda: all(adopted_by(store, run_id) == ["second@test"] for run_id in ids), "the runs are adopted", 15)
    took = time.monotonic() - killed
    ended = runs.wait_ended(ids)

    # Then
    assert took < 2 * LEASE_SECONDS + 1
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(stub.submissions()) == 4


def test_with_the_default_lease_the_runs_of_killed_agents_are_taken_over_within_35_seconds(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given twenty runs on four agents, and one more agent
    table = Table.from_environment()
    doomed = [agent("gpu-queue", max_jobs=5, name=f"doomed{number}@test").start() for number in range(4)]
    ids = runs.enqueue(queue, 20, seconds=600)
    runs.wait(ids, State.RUNNING)
    agent("gpu-queue", name="heir@test").start()

    # When
    struck = time.time()
    for process in doomed:
        process.kill()
    eventually(lambda: all(adopted_by(store, run_id) == ["heir@test"] for run_id in ids), "the runs are adopted", 60)

    # Then
    times = []
    for run_id in ids:
        events = [event for _, event in store.runs.events(run_id)]
        times.append(taken_up(events, struck) or 0.0)
        table.add(Cell("agent killed, default lease of 30 s", Step.RUNS, "stub", times[-1], 0.0))
    assert sorted(times)[int(0.95 * len(times))] < 35.0
    assert len(stub.submissions()) == 20


def test_another_agent_has_the_runs_of_a_stopped_one_within_two_seconds(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    first = agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, 10, seconds=12)
    runs.wait(ids, State.RUNNING)
    agent("gpu-queue", name="second@test").start()

    # When
    first.stop()
    runs.wait_ended(ids)

    # Then
    assert len(stub.submissions()) == 10
    for run_id in ids:
        events = [event for _, event in store.runs.events(run_id)]
        released = next(event.at for event in events if event.reason is Reason.RELEASED)
        adopted = next(event.at for event in events if event.reason is Reason.ADOPTED)
        assert (adopted - released).total_seconds() < 2


def test_a_rolling_restart_of_all_agents_disturbs_no_job(
    queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agents = [agent("gpu-queue", name=f"agent{number}@test").start() for number in range(3)]
    ids = runs.enqueue(queue, 12, seconds=20)
    runs.wait(ids, State.RUNNING)

    # When
    for process in agents:
        assert process.stop() == 0
        process.start()

    # Then
    ended = runs.wait_ended(ids, 90)
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(stub.submissions()) == 12


def test_adopted_runs_count_against_max_jobs(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given an agent with three runs, and another with place for two
    first = agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, 3, seconds=8)
    runs.wait(ids, State.RUNNING)
    agent("gpu-queue", name="second@test", max_jobs=2).start()

    # When
    first.stop()
    more = runs.enqueue(queue, 2)
    eventually(lambda: sum(bool(adopted_by(store, run_id)) for run_id in ids) == 2, "two are adopted")
    waiting = [run.state for run in store.runs.get_many(more)]
    runs.wait_ended([*ids, *more], 90)

    # Then
    assert waiting == [State.QUEUED, State.QUEUED]
    assert len(stub.submissions()) == 5


def test_a_run_out_of_reach_is_shown_as_out_of_contact_and_not_touched(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a run whose agent was on another machine
    short_lease(settings)
    first = agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, seconds=600)
    runs.wait(ids, State.RUNNING)
    first.kill()
    info = next(info for info, _ in store.agents.list() if info.name == "first@test")
    store.agents.announce(info.model_copy(update={"host": "far", "site": "far:/home"}))

    # When
    agent("gpu-queue", name="second@test").start()
    eventually(lambda: store.runs.get(ids[0]).reason is Reason.CONTACT_LOST, "the run is marked")

    # Then
    run = store.runs.get(ids[0])
    assert run.state is State.RUNNING
    assert "Agent first@test on far is silent since" in run.text
    assert stub.observe([run.submission])


def test_a_run_that_was_claimed_and_not_submitted_goes_back_to_its_queue(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a claim of an agent that died before it did anything
    short_lease(settings)
    (run_id,) = runs.enqueue(queue)
    store.agents.take("dead@test", "elsewhere/boot 1 1.0 0", 0.5)
    store.runs.claim(store.runs.get(run_id).spec, "dead@test", store.agents.new_fence(), "elsewhere/boot 1 1.0 0")
    first = agent("gpu-queue", name="first@test").start()
    info = next(info for info, _ in store.agents.list() if info.name == "first@test")
    store.agents.announce(info.model_copy(update={"name": "dead@test", "site": "elsewhere"}))

    # When
    (run,) = runs.wait_ended([run_id])

    # Then
    assert (run.state, run.agent) == (State.SUCCEEDED, first.name)
    assert len(stub.submissions()) == 1
