"""Agents that die, and orders that are lost or come twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.messages import Order
from broker_config.queues import QueueRecord
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

AgentMaker = Callable[..., AgentProcess]


def test_a_thousand_runs_end_once_each_with_an_agent_that_is_killed_three_times(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue", max_jobs=50).start()
    ids = runs.enqueue(queue, 1000)
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")

    def ended() -> int:
        return store.queues.counts("gpu-queue")[State.SUCCEEDED]

    # When
    for part in (200, 450, 700):
        target = part + chance.randrange(100)
        eventually(lambda target=target: ended() >= target, f"{target} runs have ended", 90)  # type: ignore[misc]
        process.kill()
        process.start()
    eventually(lambda: ended() == 1000, "all runs have ended", 120)

    # Then
    submitted = Counter(stub.submissions())
    assert {name: count for name, count in submitted.items() if count > 1} == {}
    assert all(run.state is State.SUCCEEDED and run.attempt == 1 for run in store.runs.get_many(ids))
    ends = Counter(run_id for run_id in ids for _, event in store.runs.events(run_id) if event.new.is_terminal)
    assert set(ends.values()) == {1}


def test_a_restarted_agent_takes_up_its_runs_and_reads_their_logs_on(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue").start()
    ids = runs.enqueue(queue, 3, seconds=4, lines=["one", "two"])
    runs.wait(ids, State.RUNNING)

    # When
    process.kill()
    process.start()
    runs.wait_ended(ids)

    # Then
    assert len(stub.submissions()) == 3
    for run_id in ids:
        assert [line for entry in store.logs.read(run_id) for line in entry.lines] == ["one", "two"]
        assert any(event.reason == "adopted" for _, event in store.runs.events(run_id))


def test_an_agent_whose_broker_breaks_off_in_its_start_begins_anew_by_itself(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given a run of an agent that died
    process = agent("gpu-queue")
    process.start()
    (held,) = runs.enqueue(queue, seconds=4)
    runs.wait([held], State.RUNNING)
    process.kill()

    # When the connection is lost right after its next session has taken that run up
    process.app = "tests.faults.broken_off"
    process.start()
    pid = process.pid
    ended = runs.wait_ended([held, *runs.enqueue(queue, 2)])

    # Then the same process has carried on with all of them
    assert process.is_alive
    assert process.pid == pid
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(stub.submissions()) == 3
    assert "the connection was cut by the test" in process.log.read_text()


def test_a_stopped_agent_leaves_its_runs_alone(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    process = agent("gpu-queue").start()
    ids = runs.enqueue(queue, 3, seconds=4)
    runs.wait(ids, State.RUNNING)

    # When
    code = process.stop()
    states = [run.state for run in store.runs.get_many(ids)]
    process.start()
    runs.wait_ended(ids)

    # Then
    assert code == 0
    assert states == [State.RUNNING] * 3
    assert len(stub.submissions()) == 3


def test_a_second_delivery_of_an_order_is_dropped(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker, stub: StubTarget
) -> None:
    # Given
    agent("gpu-queue").start()
    (run_id,) = runs.enqueue(queue, seconds=1)
    runs.wait([run_id], State.RUNNING)

    # When
    spec = store.runs.get(run_id).spec
    for _ in range(5):
        store.runs.send_again(Order(spec))
    (run,) = runs.wait_ended([run_id])
    store.runs.send_again(Order(spec))
    runs.wait_ended(runs.enqueue(queue))

    # Then
    assert len(stub.submissions()) == 2
    assert store.runs.get(run_id) == run


def test_a_lost_order_is_sent_again(
    settings: Settings, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given runs whose messages the broker lost, some at the front and some behind others
    lost = runs.enqueue(queue, 3)
    client = connect(settings)
    client.delete("gpu-queue:2", "gpu-queue")
    for key in client.scan_iter("gpu-queue*"):
        client.delete(key)

    # When
    agent("gpu-queue").start()

    # Then
    runs.wait_ended(lost, 60)


def test_two_agents_may_not_have_one_name(agent: AgentMaker) -> None:
    # Given
    agent("gpu-queue").start()

    # When
    second = agent("gpu-queue")
    code = second.spawn().wait(60)

    # Then
    assert code != 0
    assert "agent name 'agent@test' is in use by process" in second.log.read_text()


def test_an_agent_without_queues_says_how_to_name_them(agent: AgentMaker) -> None:
    # Given
    process = agent("gpu-queue")
    process._arguments = ["-n", "agent@test"]

    # When
    code = process.spawn().wait(60)

    # Then
    assert code != 0
    assert "error: the agent has no queue to serve; name one with -Q" in process.log.read_text()


def test_a_broker_that_restarts_loses_no_run(
    broker: EmbeddedBroker, store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given
    agent("gpu-queue", max_jobs=2).start()
    ids = runs.enqueue(queue, 6, seconds=1)
    eventually(lambda: store.queues.counts("gpu-queue")[State.RUNNING] == 2, "two runs run")

    # When
    broker.stop()
    broker.ensure_running()

    # Then
    ended = runs.wait_ended(ids, 90)
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert runs.most_at_once(ids) == 2


def test_a_forged_message_runs_nothing_but_what_was_enqueued(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given a waiting run, and a message for it with another job and one with another queue
    (run_id,) = runs.enqueue(queue, lines=["as enqueued"])
    spec = store.runs.get(run_id).spec
    other = queue.queue.model_copy(update={"name": "other"})
    store.runs.send_again(Order(spec.model_copy(update={"queue": other})))
    store.runs.send_again(Order(spec.model_copy(update={"overrides": {"lines": ["forged"]}})))

    # When
    agent("gpu-queue", "other").start()
    (run,) = runs.wait_ended([run_id])

    # Then
    assert run.spec == spec
    assert [line for entry in store.logs.read(run_id) for line in entry.lines] == ["as enqueued"]
    assert store.queues.counts("gpu-queue")[State.SUCCEEDED] == 1
