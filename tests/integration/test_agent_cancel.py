"""Cancelling, from wherever a person does it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from celery.exceptions import TaskRevokedError

from broker_config.celery_app import create_app
from broker_config.queues import QueueRecord
from broker_config.runs import RunId
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.protocol import Phase
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


def test_a_running_run_is_cancelled_at_its_target(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=600)
    (run,) = runs.wait(ids, State.RUNNING)

    # When
    store.runs.request_cancel(run, "alice")
    (run,) = runs.wait_ended(ids)

    # Then
    assert (run.state, run.failure, run.cancel_requested_by) == (State.CANCELLED, "cancelled", "alice")


def reasons(store: Store, run_id: RunId) -> list[Reason]:
    return [event.reason for _, event in store.runs.events(run_id)]


def configure(settings: Settings, text: str) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "launch-config.yaml").write_text(text)


def test_every_step_of_a_cancel_is_an_event(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given a job that does not heed the wish
    configure(settings, "stopped_run_timeout: 1.5\n")
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=600, ignores_cancel=True)
    (run,) = runs.wait(ids, State.RUNNING)

    # When
    store.runs.request_cancel(run, "alice")
    (run,) = runs.wait_ended(ids)

    # Then who asked for it, that the target was asked, and that it ended by force
    told = [event for _, event in store.runs.events(run.id)][-3:]
    assert [event.reason for event in told] == [Reason.CANCEL_REQUESTED, Reason.ENDING, Reason.CANCELLED_BY_USER]
    assert [event.actor for event in told] == ["alice", "agent@test", "agent@test"]
    assert "by force after 1.5 s" in told[1].text
    assert "by force because it did not end within its grace" in told[2].text


def test_a_run_that_is_starting_is_cancelled_before_it_runs(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, starting_seconds=600)
    (run,) = runs.wait(ids, State.STARTING)

    # When
    store.runs.request_cancel(run, "alice")
    (run,) = runs.wait_ended(ids)

    # Then
    assert run.state is State.CANCELLED
    assert Reason.RUNNING not in reasons(store, run.id)


def test_a_wish_without_an_agent_is_carried_out_by_the_one_that_adopts_the_run(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given a job that was asked once and does not heed it, and whose agent is dead
    process = agent("gpu-queue").start()
    ids = runs.enqueue(queue, 2, seconds=600, ignores_cancel=True)
    asked, running = runs.wait(ids, State.RUNNING)
    store.runs.request_cancel(asked, "alice")
    eventually(lambda: store.runs.get(asked.id).reason is Reason.ENDING, "the target was asked")
    process.kill()

    # When the other one is cancelled, and the agent comes back
    store.runs.request_cancel(running, "bob")
    process.start()

    # Then both are asked to end, the first one again
    again = [Reason.ADOPTED, Reason.ENDING]
    for run_id in ids:
        eventually(lambda run_id=run_id: reasons(store, run_id)[-2:] == again, "it is asked after its adoption")  # type: ignore[misc]
    assert reasons(store, asked.id).count(Reason.ENDING) == 2


def test_a_wish_for_a_run_out_of_contact_is_kept_until_contact_returns(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a run whose machine is out of reach
    configure(settings, "lease_seconds: 3\n")
    first = agent("gpu-queue", name="first@test").start()
    ids = runs.enqueue(queue, seconds=600)
    (run,) = runs.wait(ids, State.RUNNING)
    first.kill()
    info = next(info for info, _ in store.agents.list() if info.name == "first@test")
    store.agents.announce(info.model_copy(update={"host": "far", "site": "far:/home"}))
    agent("gpu-queue", name="second@test").start()
    eventually(lambda: store.runs.get(run.id).reason is Reason.CONTACT_LOST, "the run is marked")

    # When
    store.runs.request_cancel(store.runs.get(run.id), "alice")
    told = [Reason.CANCEL_REQUESTED, Reason.CONTACT_LOST]
    eventually(lambda: reasons(store, run.id)[-2:] == told, "it is shown as out of contact still")
    waiting = (store.runs.get(run.id), stub.observe([run.submission]))
    first.start()
    (run,) = runs.wait_ended(ids)

    # Then nothing was concluded before
    assert waiting[0].state is State.RUNNING
    assert waiting[1][run.submission].phase is Phase.RUNNING
    assert (run.state, run.cancel_requested_by) == (State.CANCELLED, "alice")


def test_a_queued_run_is_cancelled_without_an_agent_and_never_submitted(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    (run_id,) = runs.enqueue(queue)

    # When
    store.runs.request_cancel(store.runs.get(run_id), "alice")
    result = create_app(settings).AsyncResult(run_id)

    # Then
    with pytest.raises(TaskRevokedError, match="alice"):
        result.get(timeout=5)
    agent("gpu-queue").start()
    runs.wait_ended(runs.enqueue(queue))
    assert len(stub.submissions()) == 1


def test_revoke_with_terminate_cancels_a_running_run(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=600)
    runs.wait(ids, State.RUNNING)

    # When
    app = create_app(settings)
    app.control.revoke(ids[0], terminate=True)
    (run,) = runs.wait_ended(ids)

    # Then
    assert run.state is State.CANCELLED
    assert app.AsyncResult(run.id).state == "REVOKED"


def test_a_revoked_run_that_is_queued_stays_cancelled_after_the_agent_restarted(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue", max_jobs=1).start()
    (first,) = runs.enqueue(queue, seconds=3)
    runs.wait([first], State.RUNNING)
    (second,) = runs.enqueue(queue)

    # When
    create_app(settings).control.revoke(second)
    runs.wait([second], State.CANCELLED)
    process.kill()
    process.start()
    runs.wait_ended([first])
    runs.wait_ended(runs.enqueue(queue))

    # Then
    assert len(stub.submissions()) == 2


def test_inspect_shows_a_running_run_and_none_of_its_arguments(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    ids = runs.enqueue(queue, seconds=30)
    runs.wait(ids, State.RUNNING)

    # When
    active = create_app(settings).control.inspect(timeout=5).active()

    # Then
    assert active is not None
    (request,) = active["agent@test"]
    assert request["id"] == ids[0]
    assert "queue=gpu-queue priority=medium" in request["kwargs"]
    assert "hunter2" not in str(active)
