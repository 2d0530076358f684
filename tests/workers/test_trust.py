"""Trust: what an agent goes by is what was signed, whatever becomes of the record meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from broker_config.connection import connect
from broker_config.jobs import ImageSource
from broker_config.queues import QueueRecord
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.store.keys import Keys
from tests.broker_config.conftest import Hand
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.record import Recorder
from workers.seals import Seals
from workers.trust import Trust, seals_of

KEYS = Keys("launchyard:")
PINNED = ImageSource(image="team/train@sha256:" + "a" * 64)


@pytest.fixture
def signing(settings: Settings) -> Settings:
    return settings.model_copy(update={"signing_keys": "k1:" + "A" * 43 + "="})


@pytest.fixture
def hand(signing: Settings, queue: QueueRecord) -> Iterator[Hand]:
    store = Store(signing)
    yield Hand(store, queue)
    store.close()


@pytest.fixture
def seals(signing: Settings) -> Seals:
    return seals_of(signing, AgentConfig())


@pytest.fixture
def trust(hand: Hand, seals: Seals) -> Trust:
    return Trust(hand.store.runs, seals, AgentConfig(queues=("gpu-queue",)), hand.name)


@pytest.fixture
def run(hand: Hand) -> Run:
    """A signed run that the session has."""
    return hand.run_in(State.CLAIMED)


@pytest.fixture
def recorder(hand: Hand, seals: Seals) -> Recorder:
    return Recorder(hand.store.runs, hand.name, hand.fence, seals)


def is_refused(trust: Trust, run: Run) -> bool:
    try:
        trust.genuine(run)
    except RunFailed as error:
        return (error.failure, error.reason) == (FailureClass.CONFIG, Reason.UNSIGNED)
    return False


def test_the_spec_that_was_signed_is_gone_by_and_not_the_one_that_was_read(trust: Trust, run: Run) -> None:
    # Given what a claim has read while somebody altered it
    other = run.model_copy(update={"spec": run.spec.model_copy(update={"overrides": {"lines": ["forged"]}})})

    # Then
    assert trust.genuine(other) == run


def test_a_spec_that_is_altered_later_is_not_read_again(
    trust: Trust, run: Run, recorder: Recorder, hand: Hand, settings: Settings
) -> None:
    # Given a run that was looked at
    genuine = trust.genuine(run)

    # When its spec is altered, and its record changes so that it is read again
    with connect(settings) as client:
        client.set(KEYS.run_spec(run.id), run.spec.model_copy(update={"overrides": {"a": 1}}).model_dump_json())
        client.hincrby(KEYS.run(run.id), "version", 1)
    building = recorder.reach(genuine, State.BUILDING, Reason.BUILDING, "Building.")

    # Then
    assert building.state is State.BUILDING
    assert building.spec == recorder.confirm(building).spec == run.spec
    assert trust.genuine(building) == building
    assert is_refused(trust, hand.store.runs.get(run.id))


def test_what_an_agent_pinned_and_built_is_genuine_for_the_next_one(trust: Trust, run: Run, recorder: Recorder) -> None:
    # When
    pinned = recorder.pin(run, PINNED, "Pinned.")
    signature = recorder.seals.of_image(pinned, "image:1")
    made = recorder.reach(
        pinned, State.SUBMITTING, Reason.SUBMITTING, "Submitting.", image="image:1", image_signature=signature
    )

    # Then
    assert trust.genuine(made) == made
    assert not is_refused(trust, made.model_copy(update={"image": "", "image_signature": ""}))


@pytest.mark.parametrize(
    "altered",
    [
        {"pinned_source": ImageSource(image="forged")},
        {"source_signature": ""},
        {"image": "forged"},
        {"image_signature": ""},
        {"attempt": 2},  # an image is for one attempt
    ],
)
def test_what_somebody_else_says_of_its_source_or_image_is_refused(
    trust: Trust, run: Run, seals: Seals, altered: dict[str, Any]
) -> None:
    # Given
    made = run.model_copy(
        update={
            "pinned_source": PINNED,
            "source_signature": seals.of_source(run, PINNED),
            "image": "image:1",
            "image_signature": seals.of_image(run, "image:1"),
        }
    )

    # Then
    assert not is_refused(trust, made)
    assert is_refused(trust, made.model_copy(update=altered))


def test_a_word_on_the_source_that_came_in_between_is_not_taken_for_the_agents_own(
    run: Run, recorder: Recorder, settings: Settings
) -> None:
    # Given
    with connect(settings) as client:
        client.hset(KEYS.run(run.id), "pinned_source", ImageSource(image="forged").model_dump_json())
        client.hincrby(KEYS.run(run.id), "version", 1)

    # Then
    with pytest.raises(RunFailed, match="it has no signature"):
        recorder.pin(run, PINNED, "Pinned.")


def test_what_was_signed_of_another_run_is_refused(trust: Trust, hand: Hand, run: Run, seals: Seals) -> None:
    # Given
    other = hand.run_in(State.CLAIMED)
    borrowed = {"pinned_source": PINNED, "source_signature": seals.of_source(other, PINNED)}

    # Then
    assert is_refused(trust, run.model_copy(update=borrowed))


def test_an_agent_without_keys_asks_for_nothing(hand: Hand, run: Run, settings: Settings) -> None:
    # Given
    seals = seals_of(settings, AgentConfig())
    trust = Trust(hand.store.runs, seals, AgentConfig(), hand.name)

    # Then
    assert trust.genuine(run) is run
    assert seals.of_image(run, "image:1") == ""
