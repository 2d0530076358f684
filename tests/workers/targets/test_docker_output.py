"""Reading a container's log: the pure part by example and by chance, and the whole on a real engine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workers.targets.docker_lab import DockerLab
from workers.targets.contract.waiting import eventually
from workers.targets.docker import output
from workers.targets.docker.logs import TAIL_PIECES
from workers.targets.docker.output import Piece, Position
from workers.targets.protocol import LogChunk

SECOND = 10**9


@pytest.fixture
def lab(home: Path) -> Iterator[DockerLab]:
    lab = DockerLab(home)
    yield lab
    lab.close()


# --- pieces to lines --------------------------------------------------------------------------------------------------


def test_a_frame_is_read_with_its_nanoseconds() -> None:
    assert output.piece(2, b"2026-01-02T03:04:05.000000006Z hi there\n") == Piece(
        2, 1767323045 * SECOND + 6, "hi there\n"
    )


def test_frames_come_out_of_chunks_of_any_size() -> None:
    # Given
    stream = b"".join(bytes([1, 0, 0, 0]) + len(text).to_bytes(4, "big") + text for text in (b"one", b"", b"two"))
    # Then
    for size in range(1, len(stream) + 1):
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [payload for _, payload in output.frames(chunks)] == [b"one", b"", b"two"]


def test_a_position_is_sent_with_nine_digits_behind_the_point() -> None:
    assert Position.parse("5000000006:2").since == "5.000000006"
    assert str(Position.parse("5000000006:2")) == "5000000006:2"


def _read(pieces: Sequence[Piece], position: str = "", ended: bool = False) -> LogChunk:
    return output.read(pieces, Position.parse(position), lambda: ended)


def test_lines_of_the_same_time_are_told_apart() -> None:
    # Given
    first = _read([Piece(1, 7, "a\n"), Piece(1, 7, "b\n")])
    # When
    second = _read([Piece(1, 7, "a\n"), Piece(1, 7, "b\n"), Piece(2, 7, "c\n")], first.position)
    # Then
    assert (list(first.lines), list(second.lines)) == (["a", "b"], ["c"])


def test_a_line_that_was_written_late_with_an_earlier_time_is_not_lost() -> None:
    # Given
    written = [Piece(1, 10 * SECOND, "out\n")]
    first = _read(written)
    # When
    second = _read([*written, Piece(2, 10 * SECOND - 5000, "err\n")], first.position)
    # Then
    assert list(second.lines) == ["err"]


def test_the_parts_of_a_long_line_are_put_together_between_lines_of_the_other_stream() -> None:
    pieces = [Piece(1, 1, "long "), Piece(2, 2, "other\n"), Piece(1, 1, "line\n")]
    assert list(_read(pieces).lines) == ["other", "long line"]


def test_an_unfinished_line_waits_for_its_end() -> None:
    # Given
    pieces = [Piece(1, 1, "whole\n"), Piece(1, 2, "begun ")]
    # When
    first = _read(pieces)
    second = _read([*pieces, Piece(1, 2, "ended\n")], first.position)
    # Then
    assert (list(first.lines), list(second.lines)) == (["whole"], ["begun ended"])


def test_an_unfinished_line_is_the_last_one_of_a_job_that_has_ended() -> None:
    assert list(_read([Piece(1, 1, "no newline")], ended=True).lines) == ["no newline"]


def test_a_line_that_never_ends_is_given_in_parts() -> None:
    bar = [Piece(2, at, "#" * 16384) for at in range(5)]
    assert len(_read(bar[:3]).lines) == 0
    assert len(_read(bar).lines) == 1


def test_a_chunk_is_bounded_and_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(output, "CHUNK_LINES", 2)
    pieces = [Piece(1, at, f"{at}\n") for at in range(5)]
    # When
    chunks = [_read(pieces)]
    while chunks[-1].more:
        chunks.append(_read(pieces, chunks[-1].position))
    # Then
    assert [list(chunk.lines) for chunk in chunks] == [["0", "1"], ["2", "3"], ["4"]]


@given(
    steps=st.lists(st.tuples(st.integers(1, 2), st.integers(0, output.MARGIN_NS // 4)), max_size=60),
    seed=st.integers(0, 2**32),
)
def test_whatever_the_moments_of_reading_every_line_comes_once(steps: list[tuple[int, int]], seed: int) -> None:
    # Given pieces whose times go forward, with an error below the margin
    choose = random.Random(seed)
    now = 10**18
    pieces = []
    for number, (stream, step) in enumerate(steps):
        now += step
        pieces.append(Piece(stream, now - choose.randrange(output.MARGIN_NS // 2), f"{number}\n"))
    # When the log is read while it grows
    position, lines, written = "", [], 0
    while written < len(pieces):
        written = choose.randint(written, len(pieces))
        chunk = _read(pieces[:written], position)
        position = chunk.position
        lines += chunk.lines
    # Then
    assert lines == [str(number) for number in range(len(pieces))]


# --- on an engine -----------------------------------------------------------------------------------------------------

_BOTH_STREAMS = """
import sys, time
for number in range(1500):
    print(number, file=sys.stderr if number % 3 else sys.stdout, flush=True)
    if number % 10 == 0:
        time.sleep(0.01)
"""


def test_a_log_that_is_followed_by_one_agent_after_another_has_every_line_once(lab: DockerLab) -> None:
    # Given
    name = lab.python(_BOTH_STREAMS)
    lines: list[str] = []
    position = ""

    def is_over() -> bool:
        nonlocal position
        phase = lab.target.observe([name])[name].phase
        # When a new agent reads each chunk
        chunk = lab.another_agent().read_logs(name, position)
        position = chunk.position
        lines.extend(chunk.lines)
        return phase.is_end and not chunk.more

    eventually(is_over, 60)
    # Then the engine's own order, in which each stream is whole
    assert sorted(map(int, lines)) == list(range(1500))
    outs = [int(line) for line in lines if int(line) % 3 == 0]
    assert outs == sorted(outs)


def test_a_log_longer_than_the_look_at_its_end_is_read_from_where_it_was_left(lab: DockerLab) -> None:
    # Given
    name = lab.python("import time; print('first'); time.sleep(0.5)\n" + _MANY)
    first = eventually(lambda: (chunk := lab.target.read_logs(name, "")).lines and chunk)
    assert first
    # When
    lab.end_of(name)
    # Then
    assert [*first.lines, *lab.lines(name, position=first.position)] == ["first", *map(str, range(TAIL_PIECES * 4))]


_MANY = f"for number in range({TAIL_PIECES * 4}): print(number)"


def test_a_line_longer_than_dockers_pieces_comes_whole(lab: DockerLab) -> None:
    name = lab.python("print('x' * 50_000); print('end', end='')")
    lab.end_of(name)
    assert [len(line) for line in lab.lines(name)] == [50_000, 3]
