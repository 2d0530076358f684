"""A run that is taken up has a place for as long as it is carried on, and no longer."""

from __future__ import annotations

import pytest

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerUnavailable
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.store import Store
from tests.broker_config.conftest import Hand
from workers.adopt import Adopter
from workers.gate import Gate
from workers.holdings import Holdings
from workers.record import Recorder


class Bench:
    """An agent's hands: what it carries on, and the places that it has."""

    def __init__(self, store: Store, hand: Hand, max_jobs: int = 1) -> None:
        self.gate = Gate(max_jobs)
        self.holdings = Holdings(self.gate)
        self.carried_on: list[str] = []
        recorder = Recorder(store.runs, hand.name, store.agents.new_fence())
        self.adopter = Adopter(
            store.runs,
            recorder,
            self.holdings,
            lambda run: self.carried_on.append(run.id),
            lambda run: self.holdings.let_go(run.id),
        )


@pytest.fixture
def hand(store: Store) -> Hand:
    return Hand(store, store.queues.create(Queue(name="gpu-queue", resource="stub")))


def _claimed(hand: Hand, count: int = 1) -> list[Run]:
    return [hand.claim(run) for run in hand.enqueue(count)]


def test_the_runs_of_an_earlier_session_are_carried_on_and_counted(store: Store, hand: Hand) -> None:
    # Given more of them than there are places
    bench, runs = Bench(store, hand), _claimed(hand, 2)

    # When
    bench.adopter.take_up(runs)
    bench.adopter.take_up(runs)

    # Then each is carried on once
    assert sorted(bench.carried_on) == sorted(run.id for run in runs)
    assert bench.gate.live == 2


def test_orphans_are_taken_over_as_far_as_there_are_places(store: Store, hand: Hand) -> None:
    # Given
    bench, runs = Bench(store, hand), _claimed(hand, 2)

    # When
    bench.adopter.take_over(runs)

    # Then
    assert bench.carried_on == [runs[0].id]
    assert bench.holdings.ids() == {runs[0].id}


def test_a_run_that_was_taken_back_meanwhile_takes_no_place(store: Store, hand: Hand) -> None:
    # Given
    bench, (found,) = Bench(store, hand), _claimed(hand)
    hand.requeue(found)

    # When
    bench.adopter.take_up([found])

    # Then
    assert (bench.carried_on, bench.gate.live, bench.holdings.ids()) == ([], 0, set())


def test_a_broker_that_dies_in_between_costs_no_place(settings: Settings) -> None:
    # Given a broker of its own, that is gone when the run is looked at
    broker = EmbeddedBroker(settings.home)
    broker.ensure_running()
    store = Store(settings.model_copy(update={"broker_url": broker.url}))
    hand = Hand(store, store.queues.create(Queue(name="gpu-queue", resource="stub")))
    bench, (found,) = Bench(store, hand), _claimed(hand)
    broker.stop()

    # When
    with pytest.raises(BrokerUnavailable):
        bench.adopter.take_up([found])

    # Then
    assert (bench.gate.live, bench.holdings.ids()) == (0, set())

    # And when it is back, the run is taken up
    broker.ensure_running()
    bench.adopter.take_up([found])
    broker.stop()
    store.close()
    assert bench.carried_on == [found.id]
