from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import InvalidRequest, NotFound, WaitTimeout
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Event
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from producer import Client, LogLine, RunHandle, RunUnsuccessful
from tests.producer.conftest import HandAgent

SOON = 20.0  # seconds that a test waits for what must happen


@pytest.fixture
def run(client: Client, queue: QueueRecord) -> RunHandle:
    return client.launch(queue="gpu-queue", source="python:3.11")


@pytest.fixture
def beside() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Runs a function beside the test; what it raises fails the test."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


def test_wait_returns_when_the_run_has_ended(run: RunHandle, agent: HandAgent, beside: Callable[..., None]) -> None:
    # Given a run that goes on for a moment
    started = agent.start(run.id)
    beside(lambda: (time.sleep(0.3), agent.finish(started)))

    # When it is waited for
    begin = time.monotonic()
    run.wait(timeout=SOON)

    # Then the end is known soon after it was written
    assert 0.2 < time.monotonic() - begin < 5
    assert (run.state, run.succeeded, run.exit_code) == (State.SUCCEEDED, True, 0)


def test_wait_tells_when_the_time_is_over_and_the_run_goes_on(run: RunHandle) -> None:
    # Given a queued run and no agent, when it is waited for, then the time is kept
    begin = time.monotonic()
    with pytest.raises(WaitTimeout, match=r"is queued after 0\.3 s of waiting; it goes on"):
        run.wait(timeout=0.3)
    assert time.monotonic() - begin < 5


def test_wait_raises_for_a_failed_run_only_when_asked(run: RunHandle, agent: HandAgent) -> None:
    # Given a run whose job failed
    agent.finish(agent.start(run.id), exit_code=3)

    # When it is waited for, then the failure is an answer, or an error when asked for
    assert run.wait(timeout=SOON).exit_code == 3
    with pytest.raises(RunUnsuccessful, match=r"failed with exit code 3 \(exited\): It ended with exit code 3"):
        run.wait(timeout=SOON, raise_on_failure=True)


def test_an_ended_run_is_not_asked_about_again(run: RunHandle, agent: HandAgent, broker_client: Any) -> None:
    # Given an ended run that was seen to end, and a broker that forgot it
    agent.finish(agent.start(run.id))
    assert run.succeeded
    broker_client.flushall()

    # When it is asked again, then the handle answers by itself
    assert run.state is State.SUCCEEDED


def test_a_run_that_is_forgotten_is_not_found(run: RunHandle, broker_client: Any) -> None:
    # Given a run whose record has expired, when it is asked about, then that is said
    broker_client.flushall()
    with pytest.raises(NotFound, match=r"does not exist, or ended longer ago"):
        run.refresh()


def test_waiting_survives_a_restart_of_the_broker(home: Path, beside: Callable[..., None]) -> None:
    # Given a broker of its own with a run on it
    broker = EmbeddedBroker(home)
    try:
        with Client(Settings(home=home, author="tester")) as client:
            client.queues.create(Queue(name="q", resource="stub"))
            run = client.launch(queue="q", source="python:3.11")

            # When the broker is stopped and started while the run is waited for, and the run ends afterwards
            def restart_and_finish() -> None:
                time.sleep(0.3)
                broker.stop()
                time.sleep(1)
                broker.ensure_running()
                agent = HandAgent(Store(client.settings))
                agent.finish(agent.start(run.id))

            beside(restart_and_finish)

            # Then the end is seen
            assert run.wait(timeout=SOON).succeeded
    finally:
        broker.stop()


def test_waiting_for_a_broker_that_stays_away_ends_in_time(home: Path) -> None:
    # Given a run on a broker that is stopped for good
    broker = EmbeddedBroker(home)
    with Client(Settings(home=home, author="tester")) as client:
        client.queues.create(Queue(name="q", resource="stub"))
        run = client.launch(queue="q", source="python:3.11")
        broker.stop()

        # When it is waited for, then the time is kept, and the error names the broker
        with pytest.raises(WaitTimeout, match="was not seen within 1 s: the broker does not answer"):
            run.wait(timeout=1)


def test_events_tell_what_happened_in_order(run: RunHandle, agent: HandAgent) -> None:
    # Given a run that went through
    agent.finish(agent.start(run.id))

    # When its events are read, then every change is there
    assert [event.new for event in run.events()] == [State.QUEUED, State.CLAIMED, State.RUNNING, State.SUCCEEDED]


def test_logs_give_the_lines_so_far(run: RunHandle, agent: HandAgent) -> None:
    # Given a running job that printed
    started = agent.start(run.id)
    agent.print(started, "epoch 1", "epoch 2")

    # When its log is read without following, then the lines so far come and it ends
    assert list(run.logs()) == ["epoch 1", "epoch 2"]


def test_a_log_whose_beginning_is_not_kept_any_more_says_so(
    run: RunHandle, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more batches than are kept
    monkeypatch.setattr("broker_config.store.logs.MAX_ENTRIES", 100)
    monkeypatch.setattr("broker_config.store.logs.BATCH_CHARACTERS", 1)
    store.logs.append(run.id, "build", ["built"])
    store.logs.append_from("", run.id, [f"epoch {number}" for number in range(1000)], "1000")

    # When
    said, *lines = run.logs()

    # Then
    missing = 1000 - len(lines)
    assert said == f"--- launchyard: {missing} lines are not kept any more ---"
    assert lines == [f"epoch {number}" for number in range(missing, 1000)]


def test_following_gives_every_line_and_ends_with_the_run(
    run: RunHandle, agent: HandAgent, beside: Callable[..., None]
) -> None:
    # Given a job that prints now and then, and more at its end than one read brings
    def work() -> None:
        started = agent.start(run.id)
        agent.print(started, "first")
        time.sleep(0.2)
        for number in range(2500):
            agent.print(started, f"line {number}")
        agent.finish(started)

    beside(work)

    # When its log is followed
    lines = list(run.logs(follow=True))

    # Then nothing is missing
    assert lines == ["first", *(f"line {number}" for number in range(2500))]
    assert run.succeeded


def test_following_tells_events_between_the_lines_and_the_end_last(run: RunHandle, agent: HandAgent) -> None:
    # Given a run that built, printed and ended
    claimed = agent.claim(run.id)
    agent._store.logs.append(run.id, "build", ["installing"])
    # Entries of one millisecond in two streams have no order.
    time.sleep(0.005)
    running = agent.move(claimed, State.RUNNING, Reason.RUNNING)
    time.sleep(0.005)
    agent.print(running, "training")
    agent.finish(running)

    # When it is followed
    told = [item.new if isinstance(item, Event) else item for item in run.follow()]

    # Then lines and events come in the order in which they were written
    assert told == [
        State.QUEUED,
        State.CLAIMED,
        LogLine("build", "installing"),
        State.RUNNING,
        LogLine("job", "training"),
        State.SUCCEEDED,
    ]


def test_cancelling_a_queued_run_ends_it_at_once(run: RunHandle) -> None:
    # Given a queued run, when it is cancelled, then it has ended
    assert run.cancel().state is State.CANCELLED
    assert run.events()[-1].text == "Cancelled by tester before an agent took it."


def test_cancelling_a_running_run_is_a_wish(run: RunHandle, agent: HandAgent) -> None:
    # Given a running run, when it is cancelled twice
    agent.start(run.id)
    run.cancel()
    run.cancel()

    # Then it runs on until its agent has ended it, and the wish is written once
    assert run.state is State.RUNNING
    assert run.run.cancel_requested_by == "tester"
    assert [event.reason for event in run.events()].count(Reason.CANCEL_REQUESTED) == 1


def test_a_queued_run_can_be_given_another_priority(client: Client, run: RunHandle) -> None:
    later = client.launch(queue="gpu-queue", source="python:3.11").set_priority("critical")
    assert later.run.priority is later.refresh().run.priority is Priority.CRITICAL
    assert later.run.spec.priority is Priority.MEDIUM
    assert later.events()[-1].reason is Reason.PRIORITY_CHANGED


def test_a_priority_on_a_queue_that_has_none_would_have_no_effect_and_is_refused(client: Client) -> None:
    client.queues.create(Queue(name="fifo", resource="stub"))
    run = client.launch(queue="fifo", source="python:3.11")
    with pytest.raises(InvalidRequest, match=r"'fifo' has no prioritization.* queue edit fifo --prioritization'"):
        run.set_priority("high")
    assert run.events()[-1].reason is Reason.ENQUEUED
