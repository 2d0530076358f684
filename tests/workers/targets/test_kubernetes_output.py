"""The log of one container: no line twice and none left out, however it is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.targets.kubernetes.output import LINE_BYTES, Line, Place, behind, moment, read, split, take

SECOND = 10**9
AT = "2026-11-23T09:00:00"
AT_NS = 1_795_424_400 * SECOND


def answer(log: list[Line], place: Place) -> list[Line]:
    """What a node answers: it finds lines by the second."""
    return [line for line in log if line.at_ns >= place.at_ns // SECOND * SECOND]


@given(
    steps=st.lists(st.sampled_from([0, 0, 1, SECOND // 3, 5 * SECOND]), max_size=30),
    reads=st.lists(st.integers(0, 30), max_size=10),
    most=st.integers(1, 6),
)
def test_each_line_comes_once_whenever_the_log_is_read_and_however_its_times_repeat(
    steps: list[int], reads: list[int], most: int
) -> None:
    # Given
    log, at_ns = [], AT_NS
    for number, step in enumerate(steps):
        at_ns += step
        log.append(Line(at_ns, str(number)))
    seen: list[Line] = []
    place = Place()
    # When
    for until in [*sorted(reads), *[len(log)] * (len(log) + 1)]:
        found = take(answer(log[:until], place), place, most)
        assert found.joins
        seen += found.lines
        place = behind(place, found.lines, is_end=False)
    # Then
    assert seen == log


def test_a_time_that_is_a_little_before_the_one_in_front_of_it_doubles_no_line() -> None:
    # Given the lines of stdout and stderr, as two threads of the node wrote them
    log = [Line(AT_NS, "a"), Line(AT_NS + 9, "c"), Line(AT_NS + 5, "b")]
    place = behind(Place(), log, is_end=False)
    # When
    log.append(Line(AT_NS + 9, "d"))
    # Then
    assert [line.text for line in take(answer(log, place), place, 100).lines] == ["d"]


def test_a_log_whose_last_read_line_is_not_there_any_more_does_not_join() -> None:
    # When
    found = take([Line(AT_NS + 9, "later")], Place(AT_NS, 1), 100)
    # Then
    assert not found.joins
    assert [line.text for line in found.lines] == ["later"]


@given(pieces=st.lists(st.binary(max_size=9)))
def test_lines_are_the_same_in_whatever_pieces_they_come(pieces: list[bytes]) -> None:
    # When
    whole = list(split(pieces, is_over=True))
    # Then
    assert whole == list(split([b"".join(pieces)], is_over=True))
    assert list(split(pieces, is_over=False)) == whole[: b"".join(pieces).count(b"\n")]


def test_of_a_line_that_is_too_long_the_beginning_is_kept_and_says_what_is_not() -> None:
    # When
    short, cut = split([b"short\n" + b"x" * LINE_BYTES, b"x" * 1000, b"\n"], is_over=False)
    # Then
    assert short == "short"
    assert cut == "x" * LINE_BYTES + " [line cut here by launchyard: it is 1000 bytes longer]"


def test_times_are_read_to_the_nanosecond_and_the_nodes_own_words_have_none() -> None:
    # When
    said = list(read([f"{AT}.000000042Z hello", f"{AT}+00:00 ", "unable to retrieve container logs"]))
    # Then
    assert said == [Line(AT_NS + 42, "hello"), Line(AT_NS, ""), "unable to retrieve container logs"]
    assert moment(AT_NS + 42_000_000) == f"{AT}.042Z"
