"""The broker loses all its data while jobs run: `launchyard recover` and the agents bring each run to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker_config import passports
from broker_config.connection import connect
from broker_config.queues import QueueRecord
from broker_config.runs import RunId
from broker_config.settings import Settings, environment_for
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


@pytest.fixture
def lose_everything(settings: Settings) -> Iterator[Callable[[], None]]:
    client = connect(settings)
    yield lambda: bool(client.flushall())
    client.close()


def recover(settings: Settings, *options: str) -> list[dict[str, Any]]:
    """What the program finds on the stub target."""
    program = [sys.executable, "-m", "workers.recover", "--resource", "stub", *options]
    done = subprocess.run(
        program, env=environment_for(settings), check=True, timeout=60, capture_output=True, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def reasons(store: Store, run_id: RunId) -> list[Reason]:
    return [event.reason for _, event in store.runs.events(run_id)]


def test_an_agent_that_lived_through_the_loss_brings_its_runs_to_their_ends(
    settings: Settings,
    store: Store,
    queue: QueueRecord,
    runs: Runs,
    agent: AgentMaker,
    stub: StubTarget,
    lose_everything: Callable[[], None],
) -> None:
    # Given
    agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, 3, seconds=8)
    runs.wait(ids, State.RUNNING)

    # When
    lose_everything()
    found = recover(settings)
    again = recover(settings)

    # Then
    assert {finding["run"]: finding["outcome"] for finding in found} == dict.fromkeys(ids, "recovered")
    assert {finding["outcome"] for finding in again} == {"known"}
    assert {run.state for run in runs.wait_ended(ids)} == {State.SUCCEEDED}
    assert {run.agent for run in store.runs.get_many(ids)} == {"first@test"}
    assert len(stub.submissions()) == 3
    assert store.queues.get("gpu-queue").queue == queue.queue
    assert store.queues.counts("gpu-queue") == {state: 3 if state is State.SUCCEEDED else 0 for state in State}
    # And new runs go on as ever
    (later,) = runs.wait_ended(runs.enqueue(store.queues.get("gpu-queue")))
    assert later.state is State.SUCCEEDED


def test_an_agent_that_comes_after_the_loss_adopts_what_runs_and_records_what_ended(
    settings: Settings,
    store: Store,
    queue: QueueRecord,
    runs: Runs,
    agent: AgentMaker,
    stub: StubTarget,
    lose_everything: Callable[[], None],
) -> None:
    # Given a run that goes on and one that ends while nobody looks
    first = agent("gpu-queue", name="first@test").start()
    (long,) = runs.enqueue(queue, seconds=15)
    (short,) = runs.enqueue(queue, seconds=4, exit_code=3)
    runs.wait([long, short], State.RUNNING)

    # When
    first.kill()
    lose_everything()
    name = f"launchyard-{short}-1"
    eventually(lambda: stub.observe([name])[name].phase.is_end, "the short one has ended")
    recover(settings)
    agent("gpu-queue", name="second@test").start()
    ended = {run.id: run for run in runs.wait_ended([long, short])}

    # Then
    assert (ended[long].state, ended[short].state, ended[short].exit_code) == (State.SUCCEEDED, State.FAILED, 3)
    assert [reasons(store, long)[place] for place in (0, 1, -1)] == [Reason.RECOVERED, Reason.ADOPTED, Reason.EXITED]
    assert len(stub.submissions()) == 2


def test_a_run_that_ended_before_the_recovery_is_recorded_after_it_and_held_no_place(
    settings: Settings,
    store: Store,
    queue: QueueRecord,
    runs: Runs,
    agent: AgentMaker,
    lose_everything: Callable[[], None],
) -> None:
    # Given an agent with one place, whose run ends when the broker knows nothing of it
    agent("gpu-queue", max_jobs=1).start()
    (lost,) = runs.enqueue(queue, seconds=2)
    runs.wait([lost], State.RUNNING)
    lose_everything()

    # When another run comes
    record = store.queues.create(queue.queue)
    (next_one,) = runs.wait_ended(runs.enqueue(record))
    recover(settings)

    # Then
    assert next_one.state is State.SUCCEEDED
    assert {run.state for run in runs.wait_ended([lost])} == {State.SUCCEEDED}


def test_a_recovery_that_died_after_it_wrote_a_record_is_completed_by_the_next(
    settings: Settings,
    store: Store,
    queue: QueueRecord,
    runs: Runs,
    agent: AgentMaker,
    stub: StubTarget,
    lose_everything: Callable[[], None],
) -> None:
    # Given a record that was written anew, and neither its agent nor its queue
    process = agent("gpu-queue", name="first@test").start()
    (run_id,) = runs.enqueue(queue, seconds=6)
    runs.wait([run_id], State.RUNNING)
    process.kill()
    lose_everything()
    store.lost.restore(*passports.read(stub.passport(f"launchyard-{run_id}-1")), "recover", "It died here.")

    # When
    (found,) = recover(settings)
    agent("gpu-queue", name="second@test").start()

    # Then
    assert found["outcome"] == "known"
    assert store.queues.get("gpu-queue").queue == queue.queue
    assert {run.state for run in runs.wait_ended([run_id])} == {State.SUCCEEDED}
    assert len(stub.submissions()) == 1


def test_a_dry_run_and_another_queue_change_nothing(
    settings: Settings,
    store: Store,
    queue: QueueRecord,
    runs: Runs,
    agent: AgentMaker,
    stub: StubTarget,
    lose_everything: Callable[[], None],
) -> None:
    # Given
    process = agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=600)
    runs.wait([run_id], State.RUNNING)
    process.kill()
    lose_everything()

    # Then
    assert [finding["outcome"] for finding in recover(settings, "--dry-run")] == ["lost"]
    assert recover(settings, "--queue", "other") == []
    assert (store.runs.get_many([run_id]), store.queues.list(), store.agents.list()) == ([], [], [])
    stub.cancel(f"launchyard-{run_id}-1", 0)


def test_an_object_without_a_record_is_told_of(settings: Settings, stub: StubTarget, store: Store) -> None:
    # Given
    folder = settings.home / "stub"
    content = {"digest": "1", "submitted": 0, "seconds": 1, "exit_code": 0, "lines": [], "ignores_cancel": False}
    (folder / "launchyard-aaaaaaaaaaaa-1.json").write_text(json.dumps(content))
    (folder / "launchyard-bbbbbbbbbbbb-1.json").write_text(json.dumps({**content, "passport": '{"version": "x"}'}))

    # When
    missing, wrong = recover(settings)

    # Then
    assert (missing["outcome"], wrong["outcome"]) == ("unreadable", "unreadable")
    assert "is missing: another program or version submitted it" in missing["text"]
    assert "cannot be read by this version" in wrong["text"]
