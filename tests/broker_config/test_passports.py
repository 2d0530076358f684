"""Passports: a record comes back as it was, and its spec to the letter."""

from __future__ import annotations

import pytest

from broker_config import passports
from broker_config.errors import InvalidRequest
from broker_config.queues import QueueRecord
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
