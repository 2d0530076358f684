"""The logs of an object's pods: whatever is lost of them is told by a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from tests.workers.targets.log_server import AWAY, NOT_FOUND, LogServer, serving
from workers.kubernetes.pods import PodPhase, PodState, Started
from workers.targets.kubernetes.logs import Logs

RUNNING = PodState("p", PodPhase.RUNNING, True, False, (Started("main", 0, False, False),))
ENDED = replace(RUNNING, phase=PodPhase.SUCCEEDED, is_running=False, containers=(Started("main", 0, True, False),))


class Reader:
    """Reads a run's log on and on."""

    def __init__(self, server: LogServer, logs: Logs) -> None:
        self.server = server
        self.logs = logs
        self.position = ""
        self.requests = 0
        self.has_more = False

    def read(self, *pods: PodState, has_ended: bool = False) -> list[str]:
        """What is new."""
        chunk = self.logs.read("run", pods, self.position, lambda: has_ended)
        self.position, self.requests, self.has_more = chunk.position, chunk.requests, chunk.more
        return list(chunk.lines)

    def prints(self, *lines: str, pod: str = "p", container: str = "main", previous: bool = False) -> None:
        """Let these be all that a container's newest file has: the second, and a word."""
        texts = [f"2026-11-23T09:00:{line[:2]}Z {line[3:]}" for line in lines]
        self.server.logs[pod, container, previous] = texts


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with serving(tmp_path) as (server, cluster):
        yield Reader(server, Logs(cluster, "default"))


def test_a_log_file_that_was_put_away_before_it_was_read_is_told_of(reader: Reader) -> None:
    # Given
    reader.prints("01 one", "02 two")
    assert reader.read(RUNNING) == ["one", "two"]
    # When the node has begun a new file
    reader.prints("09 nine")
    # Then
    said, line = reader.read(RUNNING)
    assert "new log file; what it printed between 2026-11-23T09:00:02.000Z and 2026-11-23T09:00:09.000Z" in said
    assert line == "nine"
    # And once
    assert reader.read(RUNNING) == []


def test_a_file_that_was_put_away_is_told_of_also_when_the_new_one_stays_empty(reader: Reader) -> None:
    # Given
    reader.prints("01 one")
    reader.read(RUNNING)
    # When
    reader.prints()
    # Then as long as it runs, nothing is known to be missing
    assert reader.read(RUNNING) == []
    (said,) = reader.read(ENDED)
    assert "between 2026-11-23T09:00:01.000Z and its end may be lost" in said
    assert reader.read(ENDED, has_ended=True) == []


def test_a_container_that_prints_much_and_is_read_late_says_what_may_be_missing(reader: Reader) -> None:
    # Given one that began at nine, and has printed for a while
    began = 1_795_424_400
    late = replace(RUNNING, containers=(Started("main", 0, False, False, began),))
    reader.prints(*["30 " + "x" * 60_000] * 20)
    # When
    said, *lines = reader.read(late)
    # Then
    assert "between the beginning and 2026-11-23T09:00:30.000Z may be lost" in said
    assert len(lines) == 20


def test_a_pod_that_was_deleted_before_its_log_was_read_to_the_end_is_told_of_once(reader: Reader) -> None:
    # Given
    reader.prints("01 one")
    reader.read(RUNNING)
    # When
    del reader.server.logs["p", "main", False]
    # Then as long as nobody says that it is gone, it may come back
    assert reader.read(RUNNING) == []
    (said,) = reader.read(replace(RUNNING, phase=PodPhase.FAILED, is_leaving=True))
    assert "gone before its log was read to the end; what it printed after 2026-11-23T09:00:01.000Z" in said
    # And also by an agent that comes later, and knows nothing of the pod
    assert reader.read(has_ended=True) == []


def test_a_pod_that_a_later_agent_does_not_find_any_more_is_told_of(reader: Reader, tmp_path: Path) -> None:
    # Given
    reader.prints("01 one")
    reader.read(RUNNING)
    # When
    (said,) = reader.read(has_ended=True)
    # Then
    assert "container main of pod p was gone" in said


def test_the_pods_of_an_earlier_attempt_are_not_missed(reader: Reader) -> None:
    # Given
    reader.prints("01 one")
    reader.read(RUNNING)
    # When the log is read on for the attempt that came after it
    reader.prints("05 two", pod="q")
    chunk = reader.logs.read("run-2", [replace(RUNNING, name="q")], reader.position, lambda: False)
    # Then
    assert list(chunk.lines) == ["two"]


def test_a_pod_that_is_made_again_under_its_name_is_read_from_its_beginning(reader: Reader) -> None:
    # Given
    reader.prints("05 one")
    assert reader.read(ENDED) == ["one"]
    # When
    reader.prints("05 two")
    # Then
    assert reader.read(replace(RUNNING, uid="another")) == ["[p main] two"]


def test_a_log_that_was_read_to_its_end_is_not_asked_for_again_and_not_missed(reader: Reader) -> None:
    # Given
    reader.prints("01 one")
    assert reader.read(ENDED) == ["one"]
    # When
    assert reader.read(ENDED) == []
    # Then
    assert reader.requests == 0
    assert reader.read(has_ended=True) == []


def test_a_start_that_came_and_went_between_two_reads_is_told_of(reader: Reader) -> None:
    # Given
    reader.prints("01 first")
    reader.read(RUNNING)
    # When it was started again three times
    reader.prints("07 third", previous=True)
    reader.prints("09 fourth")
    lines = reader.read(replace(RUNNING, containers=(Started("main", 3, False, True),)))
    # Then
    assert "the log of a start of container main of pod p was gone before it was read" in lines[0]
    assert lines[1] == "[p main] third"
    assert lines[2] == "[p main] fourth"
    assert "gone before its log was read to the end; what it printed after 2026-11-23T09:00:01.000Z" in lines[3]
    # And once
    assert reader.read(replace(RUNNING, containers=(Started("main", 3, False, True),))) == []
    assert reader.requests == 1


def test_the_nodes_own_word_on_why_there_is_no_log_is_told(reader: Reader) -> None:
    # Given
    reader.server.logs["p", "main", False] = ["unable to retrieve container logs for containerd://abc"]
    # Then a container that runs may have one soon
    assert reader.read(RUNNING) == []
    # When
    (said,) = reader.read(ENDED)
    # Then
    assert "says: unable to retrieve container logs for containerd://abc; what it printed after the beginning" in said


def test_a_container_whose_node_is_away_keeps_back_no_line_of_the_others(reader: Reader) -> None:
    # Given
    reader.prints("01 one")
    reader.server.logs["q", "main", False] = AWAY
    # When
    lines = reader.read(ENDED, replace(ENDED, name="q"), has_ended=True)
    # Then what is missing is still to be asked for
    assert lines == ["[p main] one"]
    assert reader.has_more
    with pytest.raises(TemporaryError):
        reader.read(ENDED, replace(ENDED, name="q"), has_ended=True)
    # And when it is back
    reader.prints("02 two", pod="q")
    assert reader.read(ENDED, replace(ENDED, name="q"), has_ended=True) == ["[q main] two"]


def test_an_unfinished_line_waits_for_its_end(reader: Reader) -> None:
    # Given a line of which a part has come
    reader.server.logs["p", "main", False] = ["2026-11-23T09:00:01Z one", "2026-11-23T09:00:01Z tw"]
    whole = reader.server.answer

    def unfinished(path: str, query: dict[str, list[str]]) -> tuple[int, str]:
        status, text = whole(path, query)
        return status, text.rstrip("\n")

    reader.server.answer = unfinished  # type: ignore[method-assign]
    assert reader.read(RUNNING) == ["one"]
    # When
    reader.server.logs["p", "main", False] = ["2026-11-23T09:00:01Z one", "2026-11-23T09:00:01Z two"]
    # Then
    assert reader.read(ENDED) == ["two"]


def test_a_log_that_was_never_there_is_said_to_be_gone(reader: Reader) -> None:
    assert reader.read() == []
    assert reader.read(has_ended=True) == ["--- launchyard: the pods are gone, and their log with them ---"]
    assert reader.read(has_ended=True) == []


def test_a_container_of_which_nothing_was_read_is_told_of_when_it_is_gone(reader: Reader) -> None:
    # Given
    reader.server.logs["p", "main", False] = NOT_FOUND
    # Then
    (said,) = reader.read(ENDED, has_ended=True)
    assert "what it printed after the beginning, if anything, is lost" in said
