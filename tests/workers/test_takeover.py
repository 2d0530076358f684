"""Which runs an agent takes over."""

from __future__ import annotations

from broker_config.states import State
from broker_config.store import Store
from tests.broker_config.conftest import Hand, agent_info
from workers.record import Recorder
from workers.takeover import Reach, Takeover


def test_an_agent_whose_lease_ran_out_with_the_broker_away_takes_nothing_over_from_itself(
    store: Store, hand: Hand
) -> None:
    # Given a run that was submitted, and one that was not, of an agent without a lease
    runs = [hand.move(hand.claim(run), State.RUNNING, submission=run.object_name) for run in hand.enqueue()]
    runs += [hand.run_in(State.CLAIMED)]
    store.agents.announce(agent_info(hand.name))
    store.agents.release(hand.name, hand.session)

    def takeover(name: str) -> Takeover:
        recorder = Recorder(store.runs, name, store.agents.new_fence())
        reach = Reach(name, frozenset({"gpu-queue"}), "site", lambda _resource: False)
        return Takeover(store.runs, store.agents, recorder, reach)

    # When it looks itself, first
    own = takeover(hand.name).orphans()

    # Then
    assert own == []
    assert [store.runs.get(run.id) for run in runs] == runs
    assert [run.id for run in takeover("other@host").orphans()] == [runs[0].id]
    assert store.runs.get(runs[1].id).state is State.QUEUED
