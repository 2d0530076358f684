"""Limits on what runs at once, with several agents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from broker_config.queues import Queue, QueueRecord
from broker_config.runs import RunId
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]


def limited(store: Store, **limits: int) -> QueueRecord:
    return store.queues.create(Queue.model_validate({"name": "few", "resource": "stub", **limits}))


def most_live(store: Store, ids: list[RunId]) -> int:
    """The most of these runs that were live at one moment, by the broker's clock, which is in the events' ids."""
    steps = []
    for run_id in ids:
        for entry_id, event in store.runs.events(run_id):
            was_live, is_live = event.old is not None and event.old.is_live, event.new.is_live
            steps.append((int(entry_id.partition("-")[0]), is_live - was_live))
    live = most = 0
    # Within a millisecond the ends come first: what ended made room for what began.
    for _, step in sorted(steps):
        live += step
        most = max(most, live)
    return most


def claimed_at(store: Store, run_id: RunId) -> datetime:
    return next(event.at for _, event in store.runs.events(run_id) if event.new is State.CLAIMED)


def test_several_agents_never_exceed_the_limits_and_all_runs_end(store: Store, runs: Runs, agent: AgentMaker) -> None:
    # Given three agents on a queue that runs three at once, and two of one author
    queue = limited(store, max_running=3, max_running_per_author=2)
    agents = [agent("few", name=f"agent@{number}").start() for number in range(3)]

    # When one author launches a lot, another one later less, and an agent crashes and comes again
    mine = runs.enqueue(queue, 12, seconds=0.3)
    others = runs.enqueue(queue, 6, fields={"author": "other"}, seconds=0.3)
    eventually(lambda: store.queues.counts("few")[State.SUCCEEDED] >= 4, "some have ended", 60)
    agents[0].kill()
    agents[0].start()
    runs.wait(mine + others, State.SUCCEEDED, 120)

    # Then the limits were not passed
    assert most_live(store, mine + others) <= 3
    assert most_live(store, mine) == 2
    assert most_live(store, others) <= 2
    # And nothing is left of the counting
    assert store.queues.counts("few")[State.SUCCEEDED] == 18
    assert store.queues.has_place("few", "tester")
    assert store.queues.closed(["few"]) == {}


def test_an_authors_runs_start_in_their_order_and_let_others_overtake(
    store: Store, runs: Runs, agent: AgentMaker
) -> None:
    # Given one place for each author, and a run that keeps it until it is cancelled
    queue = limited(store, max_running_per_author=1)
    (first,) = runs.enqueue(queue, seconds=600)
    agent("few").start()
    runs.wait([first], State.RUNNING)

    # When
    waiting = runs.enqueue(queue, 3)
    others = runs.enqueue(queue, 2, fields={"author": "other"})
    runs.wait(others, State.SUCCEEDED)
    held = store.runs.get_many(waiting)
    store.runs.request_cancel(store.runs.get(first), "tester")
    runs.wait(waiting, State.SUCCEEDED)

    # Then
    assert {run.state for run in held} == {State.QUEUED}
    eventually(lambda: store.runs.get(first).state is State.CANCELLED, "the first is cancelled")
    claimed = [claimed_at(store, run_id) for run_id in waiting]
    assert claimed == sorted(claimed)


def test_a_full_queue_does_not_keep_its_agent_from_another_queue(
    store: Store, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    # Given a full queue with runs that wait
    few = limited(store, max_running=1)
    (first,) = runs.enqueue(few, seconds=600)
    agent("few", queue.name).start()
    runs.wait([first], State.RUNNING)
    waiting = runs.enqueue(few, 2)

    # When
    ids = runs.enqueue(queue, 3)
    runs.wait(ids, State.SUCCEEDED)

    # Then those wait, with few tries and no message lost, until there is a place
    assert {run.state for run in store.runs.get_many(waiting)} == {State.QUEUED}
    tries = [event for run in waiting for _, event in store.runs.events(run)]
    assert [event.reason for event in tries].count(Reason.WAITING_FOR_SLOT) <= 2
    store.runs.request_cancel(store.runs.get(first), "tester")
    runs.wait(waiting, State.SUCCEEDED)
