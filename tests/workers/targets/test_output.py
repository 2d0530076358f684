"""A job's output file, read while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.targets import output
from workers.targets.output import CHUNK_BYTES, CUT, LINE_BYTES, read


@pytest.fixture
def log(home: Path) -> Path:
    return home / "output.log"


def read_all(path: Path, position: str = "", *, is_over: bool = True) -> tuple[list[str], str]:
    lines: list[str] = []
    more = True
    while more:
        chunk = read(path, position, is_over)
        lines += chunk.lines
        position, more = chunk.position, chunk.more
    return lines, position


def test_a_line_is_kept_back_until_it_is_whole_or_the_job_has_ended(log: Path) -> None:
    # Given
    log.write_bytes(b"one\ntw")
    # When
    lines, position = read_all(log, is_over=False)
    log.write_bytes(b"one\ntwo\nthr")
    later, position = read_all(log, position, is_over=False)
    last, _ = read_all(log, position, is_over=True)
    # Then
    assert (lines, later, last) == (["one"], ["two"], ["thr"])


def test_much_output_comes_in_bounded_chunks_that_say_that_there_is_more(log: Path) -> None:
    # Given
    written = [f"{number:06d} " + "x" * 90 for number in range(3000)]
    log.write_text("\n".join(written) + "\n")
    # When
    first = read(log, "", False)
    # Then
    assert first.more
    assert sum(len(line) + 1 for line in first.lines) <= CHUNK_BYTES
    assert read_all(log, is_over=False)[0] == written


def test_bytes_that_are_not_utf_8_are_replaced(log: Path) -> None:
    log.write_bytes(b"a\xffb\n")
    assert read_all(log)[0] == ["a\N{REPLACEMENT CHARACTER}b"]


@pytest.mark.parametrize("length", [LINE_BYTES + 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5])
def test_a_line_that_is_too_long_is_cut_with_a_mark_and_the_next_one_is_whole(log: Path, length: int) -> None:
    # Given
    log.write_bytes(b"before\n" + b"x" * length + b"\nafter\n")
    # When
    lines, _ = read_all(log, is_over=False)
    # Then
    assert lines == ["before", "x" * LINE_BYTES + CUT, "after"]


def test_a_line_without_an_end_does_not_fill_the_memory_while_it_grows(log: Path) -> None:
    # Given
    log.write_bytes(b"x" * (2 * CHUNK_BYTES))
    lines, position = read_all(log, is_over=False)
    # When
    with log.open("ab") as more:
        more.write(b"y" * 10 + b"\nnext\n")
    later, _ = read_all(log, position, is_over=False)
    # Then
    assert lines == ["x" * LINE_BYTES + CUT]
    assert later == ["next"]


def test_a_progress_bar_is_shown_as_far_as_it_came(log: Path) -> None:
    # Given
    bar = b"".join(b"\r%3d%%" % percent for percent in range(101))
    log.write_bytes(b"start\n" + bar + b"\r\nend\n")
    # When
    lines, _ = read_all(log)
    # Then
    assert lines == ["start", "100%", "end"]


def test_a_progress_bar_that_never_ends_its_line_is_shown_now_and_then(log: Path) -> None:
    # Given
    log.write_bytes(b"".join(b"\rstep %08d" % step for step in range(10_000)))
    # When
    lines, _ = read_all(log, is_over=False)
    # Then
    assert 1 <= len(lines) <= 3
    assert all(len(line) == len("step 00000000") for line in lines)


@given(
    text=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=40), max_size=30),
    cuts=st.lists(st.integers(0, 1500), max_size=8),
)
def test_lines_are_the_same_wherever_the_file_ended_when_it_was_read(
    tmp_path_factory: pytest.TempPathFactory, text: list[str], cuts: list[int]
) -> None:
    # Given
    path = tmp_path_factory.mktemp("log") / "output.log"
    data = "".join(line + "\n" for line in text).encode()
    # When
    lines: list[str] = []
    position = ""
    for size in [*sorted(cuts), len(data)]:
        path.write_bytes(data[:size])
        more, position = read_all(path, position, is_over=False)
        lines += more
    # Then
    assert lines == text
    assert output.Position.parse(position).offset == len(data)
