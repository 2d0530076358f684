"""The end of a run, when a failover of the broker lost what was written of it."""

from __future__ import annotations

from broker_config.connection import connect
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import Reason, State
from broker_config.store import Store
from tests.broker_config.conftest import Hand
from workers.finish import Finisher
from workers.gate import Gate
from workers.record import Recorder
from workers.requests import Ledger
from workers.targets.protocol import Observation, Phase

SUCCESS = Observation(Phase.SUCCEEDED, Reason.EXITED, "The job ended.", exit_code=0)


def finisher(hand: Hand, let_go: list[Run]) -> Finisher:
    """The last stage of the hand's session."""
    recorder = Recorder(hand.store.runs, hand.name, hand.fence)
    return Finisher(recorder, Ledger(None, Gate(-1)), let_go.append)


def test_an_end_that_a_failover_lost_is_recorded_again(store: Store, hand: Hand, settings: Settings) -> None:
    # Given a run whose end was recorded, and a broker that has the record from before
    client, run = connect(settings), hand.run_in(State.RUNNING)
    key = f"launchyard:run:{run.id}"
    before = client.hgetall(key)
    let_go: list[Run] = []
    finish = finisher(hand, let_go)
    finish.end(run, SUCCESS, None)
    client.delete(key)
    client.hset(key, mapping=before)
    client.close()
    assert store.runs.get(run.id).state is State.RUNNING

    # When the session finds the run among its own
    again = finish.end_again(store.runs.get(run.id))

    # Then
    ended = store.runs.get(run.id)
    assert (again, ended.state, ended.exit_code) == (True, State.SUCCEEDED, 0)
    assert [gone.id for gone in let_go] == [run.id, run.id]


def test_a_run_that_has_not_ended_here_is_not_ended(hand: Hand) -> None:
    # Given
    run = hand.run_in(State.RUNNING)

    # Then
    assert not finisher(hand, []).end_again(run)
    assert hand.store.runs.get(run.id) == run
