from __future__ import annotations

from tests.producer.cli.conftest import Processes


def test_where_nothing_was_lost_nothing_is_written(processes: Processes) -> None:
    # Given a run that waits, when recovery looks at a target, then it finds nothing and says what it cannot find
    processes.call("queue", "create", "q", "-r", "stub")
    processes.call("launch", "-q", "q", "--image", "a:b")
    answer = processes.call("recover", "-r", "stub")
    assert (answer.code, answer.out) == (0, "0 recovered, 0 known already, 0 not readable\n")
    assert "runs that waited in a queue had no object" in answer.err


def test_a_target_that_was_asked_for_and_cannot_be_looked_at_is_an_error(processes: Processes) -> None:
    # Given a name that is no target's
    answer = processes.call("recover", "-r", "dokcer", "--json")

    # Then
    (finding,) = answer.json["findings"]
    assert (answer.code, finding["outcome"]) == (1, "unreachable")
    assert "did you mean 'docker'?" in finding["text"]
