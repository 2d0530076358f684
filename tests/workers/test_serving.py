"""What an agent fetches, and when it stops by itself."""

from __future__ import annotations

from broker_config.queues import QueueRecord
from broker_config.store import Store
from broker_config.store.agents import Mode, Wish
from workers.gate import Gate
from workers.serving import Serving

NAME = "agent@host"


class Worker:
    """Keeps what it was told last."""

    queues: frozenset[str] | None = None
    finished = aborted = ""

    def serve(self, queues: frozenset[str]) -> None:
        self.queues = queues

    def finish(self, reason: str) -> None:
        self.finished = reason

    def abort(self, reason: str) -> None:
        self.aborted = reason


def test_a_paused_queue_is_served_no_more_until_it_is_resumed(store: Store, queue: QueueRecord) -> None:
    # Given
    worker, name = Worker(), queue.queue.name
    serving = Serving(store, NAME, (name, "other"), Gate(1), worker)

    # When, then
    store.queues.set_paused(name, True)
    serving.follow_queues()
    assert (worker.queues, serving.open_queues) == ({"other"}, {"other"})

    # When, then
    store.queues.set_paused(name, False)
    serving.follow_queues()
    assert worker.queues == {name, "other"}


def test_a_queue_from_which_nothing_may_be_taken_is_served_again_at_the_next_look(
    store: Store, queue: QueueRecord
) -> None:
    # Given
    worker, name = Worker(), queue.queue.name
    serving = Serving(store, NAME, (name,), Gate(1), worker)

    # When, then
    serving.cease(name)
    assert worker.queues == frozenset()

    # When, then
    serving.follow_queues()
    assert worker.queues == {name}


def test_a_draining_agent_fetches_nothing_and_stops_when_its_last_run_has_ended(store: Store) -> None:
    # Given
    worker, gate = Worker(), Gate(4)
    serving = Serving(store, NAME, ("gpu-queue",), gate, worker)
    gate.hold("a")
    store.agents.set_wish(NAME, Wish(mode=Mode.DRAINING, reason="upgrade", by="ada"))

    # When, then
    assert serving.follow_wish()
    assert (gate.is_open(threads=4), serving.wish.reason, worker.finished) == (False, "upgrade", "")

    # When, then
    gate.let_go("a")
    assert not serving.follow_wish()
    assert worker.finished == "drained"
