"""The real Flower beside real agents: what an operator sees there, and what nobody may see."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from broker_config.celery_app import create_app
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.retries import RetryPolicy
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.flower import FlowerProcess
from tests.integration.conftest import Runs
from tests.redis_server import redis_server
from tests.services import require
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]

AGENT = "agent@test"
SECRET = "hunter2"  # in the arguments and the environment of every run that `Runs` enqueues
BROKER_PASSWORD = "swordfish-of-the-broker"

PAGES = ("/", "/workers", f"/worker/{AGENT}", "/tasks", "/broker")
ANSWERS = ("/api/tasks", "/api/workers", "/api/task/types", "/api/queues/length", "/metrics")


@pytest.fixture
def flower(settings: Settings) -> Iterator[FlowerProcess]:
    require(find_spec("flower") is not None, "flower is not installed; install the extra of that name")
    process = FlowerProcess(settings).start()
    yield process
    process.stop()


def inspected(flower: FlowerProcess) -> dict[str, Any]:
    """What Flower's worker page is made of: the agent's answers to all of Celery's inspect commands."""

    path = f"/api/workers?workername={AGENT}"

    def has_answered() -> bool:
        status, text = flower.ask(f"{path}&refresh=true")
        return status == 200 and "active" in json.loads(text)[AGENT]

    eventually(has_answered, "the agent answered Flower")
    # What a refresh brings is shown by the next question.
    answers: dict[str, Any] = json.loads(flower.page(path))[AGENT]
    return answers


def everything_shown(flower: FlowerProcess, *run_ids: str) -> str:
    """All pages and answers of Flower's in one text."""
    inspected(flower)
    of_runs = [f"{page}/{run_id}" for run_id in run_ids for page in ("/task", "/api/task/info")]
    table = "/tasks/datatable?draw=1&start=0&length=100&order[0][column]=0&columns[0][data]=name&search[value]="
    return "\n".join(flower.page(path) for path in (*PAGES, *ANSWERS, *of_runs, table))


def test_a_run_is_started_while_it_runs_and_ends_as_its_job_does(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    (good,) = runs.enqueue(queue, priority=Priority.HIGH, seconds=3)
    (bad,) = runs.enqueue(queue, seconds=3, exit_code=7)

    # Then
    shown = flower.wait_for(good, "STARTED")
    assert (shown["kwargs"], shown["worker"]) == ("queue=gpu-queue priority=high name=test", AGENT)
    assert {request["id"] for request in inspected(flower)["active"]} == {good, bad}
    assert flower.wait_for(good, "SUCCESS")["runtime"] >= 3
    assert flower.wait_for(bad, "FAILURE")["exception"] == "exited: The stub ended with exit code 7."


def test_a_run_between_two_attempts_is_shown_as_retried_and_then_as_its_last_attempt(
    flower: FlowerProcess, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    queue = store.queues.edit(queue.queue.model_copy(update={"retries": RetryPolicy(infra=1, backoff_seconds=4)}))
    agent("gpu-queue").start()

    # When
    (run_id,) = runs.enqueue(queue, fail_attempts=1, failure="infra")

    # Then
    retried = flower.wait_for(run_id, "RETRY")
    assert retried["exception"].startswith("retrying: Failed (infra, exited): The stub ended with exit code 1.")
    assert flower.wait_for(run_id, "SUCCESS")["worker"] == AGENT


def test_waiting_runs_of_all_priorities_count_as_the_length_of_their_queue(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue", max_jobs=1).start()
    (running,) = runs.enqueue(queue, seconds=60)
    flower.wait_for(running, "STARTED")

    # When
    for priority in Priority:
        runs.enqueue(queue, priority=priority)
    inspected(flower)

    # Then
    lengths = json.loads(flower.page("/api/queues/length"))["active_queues"]
    assert lengths == [{"name": "gpu-queue", "messages": len(Priority)}]


def test_no_argument_and_no_variable_of_a_job_is_shown_anywhere(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    (ended,) = runs.enqueue(queue, lines=[f"the token is {SECRET}"])
    (running,) = runs.enqueue(queue, seconds=60)
    flower.wait_for(ended, "SUCCESS")
    flower.wait_for(running, "STARTED")

    # When
    shown = everything_shown(flower, ended, running)

    # Then
    assert running in shown
    assert SECRET not in shown
    assert SECRET not in flower.log.read_text()


def test_the_broker_s_password_is_shown_nowhere(home: Path) -> None:
    require(find_spec("flower") is not None, "flower is not installed; install the extra of that name")
    # Given a broker with a password, and an agent and Flower that use it
    with redis_server(home, requirepass=BROKER_PASSWORD) as port:
        settings = Settings(home=home, broker_url=f"redis://:{BROKER_PASSWORD}@127.0.0.1:{port}/0", author="tester")
        store = Store(settings)
        queue = store.queues.create(Queue(name="gpu-queue", resource="stub"))
        flower = FlowerProcess(settings).start()
        process = AgentProcess(settings, "gpu-queue")
        try:
            process.start()

            # When
            (run_id,) = Runs(store).enqueue(queue, seconds=60)
            flower.wait_for(run_id, "STARTED")
            shown = everything_shown(flower, run_id)
        finally:
            flower.stop()
            process.kill()
            store.close()

    # Then
    assert f"127.0.0.1:{port}" in shown
    assert BROKER_PASSWORD not in shown
    assert BROKER_PASSWORD not in flower.log.read_text() + process.log.read_text()


def test_terminate_cancels_the_run_at_its_target_and_shows_it_as_revoked(
    settings: Settings, flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=600)
    flower.wait_for(run_id, "STARTED")

    # When
    status, _ = flower.ask(f"/api/task/revoke/{run_id}?terminate=true", "POST")
    (run,) = runs.wait([run_id], State.CANCELLED)

    # Then
    assert status == 200
    assert (run.failure, run.cancel_requested_by) == ("cancelled", "revoke")
    assert flower.wait_for(run_id, "REVOKED")["revoked"] is not None
    assert create_app(settings).AsyncResult(run_id).state == "REVOKED"


def test_a_run_whose_agent_was_killed_ends_properly_after_the_restart(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=8)
    flower.wait_for(run_id, "STARTED")

    # When
    process.kill()
    process.start()

    # Then it is in the active tab of the new session, and its end is told with its whole runtime
    eventually(
        lambda: [request["id"] for request in inspected(flower)["active"]] == [run_id], "the adopted run is active"
    )
    assert flower.tasks()[run_id]["state"] == "STARTED"
    assert flower.wait_for(run_id, "SUCCESS")["runtime"] >= 7
    assert len(stub.submissions()) == 1


def test_a_flower_that_was_started_later_shows_the_run_as_active_and_its_end(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    require(find_spec("flower") is not None, "flower is not installed; install the extra of that name")
    agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=12)
    runs.wait([run_id], State.RUNNING)

    # When
    flower = FlowerProcess(settings).start()
    try:
        # Then
        assert [request["id"] for request in inspected(flower)["active"]] == [run_id]
        shown = flower.wait_for(run_id, "SUCCESS")
    finally:
        flower.stop()
    # The beginning was told before it listened, and with it the task's name and its words about the run.
    assert (shown["worker"], shown["kwargs"]) == (AGENT, None)


def test_nobody_sees_or_does_anything_without_the_login(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=60)
    flower.wait_for(run_id, "STARTED")

    # When
    asked = {path: flower.ask(path, login="")[0] for path in (*PAGES, *ANSWERS[:-1], f"/task/{run_id}")}
    refused, _ = flower.ask(f"/api/task/revoke/{run_id}?terminate=true", "POST", login="operator:wrong")

    # Then
    assert set(asked.values()) == {401}, asked
    assert refused == 401
    assert flower.tasks()[run_id]["state"] == "STARTED"


def test_a_task_that_a_logged_in_user_sends_by_hand_is_not_carried_out(
    flower: FlowerProcess, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()
    body = json.dumps({"kwargs": {"spec": {"id": "forged"}}, "queue": "gpu-queue"}).encode()

    # When
    status, answer = flower.ask("/api/task/send-task/launchyard.run", "POST", body=body)
    (run_id,) = runs.enqueue(queue)

    # Then the agent refuses it, and goes on
    assert status == 200
    flower.wait_for(json.loads(answer)["task-id"], "FAILURE")
    flower.wait_for(run_id, "SUCCESS")
    assert len(stub.submissions()) == 1
