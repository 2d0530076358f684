"""Passports: a record comes back as it was, and its spec to the letter."""

from __future__ import annotations

import pytest

from broker_config import passports
from broker_config.connection import connect
from broker_config.errors import InvalidRequest
from broker_config.queues import QueueRecord
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.broker_config.conftest import Hand


def test_a_spec_comes_back_to_the_letter(hand: Hand, queue: QueueRecord) -> None:
    # Given a spec as another version writes it: with spaces, and a line break in front of what follows
    (run,) = hand.enqueue()
    text = run.spec.model_dump_json(indent=1) + "\n"

    # When
    read, spec_text = passports.read(passports.write(run, text))

    # Then
    assert (read, spec_text + "\n") == (run, text)


@pytest.mark.parametrize("text", ["", "{}", "no JSON", '{"version":1,"spec":{}}'])
def test_what_is_no_passport_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="record of a run"):
        passports.read(text)


def test_a_run_that_the_broker_had_lost_is_signed_as_it_was(settings: Settings, queue: QueueRecord) -> None:
    # Given a signed run, and the broker without its record
    store = Store(settings.model_copy(update={"signing_keys": f"k1:{'A' * 43}="}))
    run = Hand(store, queue).run_in(State.RUNNING)
    signed = store.runs.spec_text(run.id)
    passport = passports.write(run, signed.text)
    with connect(settings) as client:
        client.delete(f"launchyard:run:{run.id}", f"launchyard:run:{run.id}:spec")

    # When
    store.lost.restore(*passports.read(passport), "recover", "It was lost.")

    # Then
    assert store.runs.spec_text(run.id) == signed
    assert signed.signature
    store.close()
