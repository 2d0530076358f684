from __future__ import annotations

import json

from workers.builders.kaniko.output import Output


def said(text: str) -> str:
    return json.dumps({"level": "info", "msg": text, "time": "2026-01-01T00:00:00Z"})


def at(*said: tuple[str, str]) -> list[str]:
    return [f"2026-01-01T00:00:{second}Z {text}" for second, text in said]


def following(*texts: str) -> list[str]:
    return at(*((f"{second:02}", text) for second, text in enumerate(texts)))


def test_kaniko_s_own_lines_are_read_for_people_and_others_pass_as_they_are() -> None:
    # When
    lines = list(Output().follow(following(said("RUN pip install six"), "Collecting six", '{"loss": 0.5}', "{", "")))
    # Then
    assert lines == ["RUN pip install six", "Collecting six", '{"loss": 0.5}', "{", ""]


def test_steps_are_the_dockerfile_s_instructions_and_tell_which_were_cached() -> None:
    # Given
    output = Output()
    texts = ("Using caching version of cmd: RUN a", "Unpacking rootfs", "ENV A=1", "RUN a", "COPY . .")
    list(output.follow(following(*map(said, texts))))
    # When
    output.end()
    # Then
    assert [(step.name, step.is_cached) for step in output.steps] == [
        ("ENV A=1", False),
        ("RUN a", True),
        ("COPY . .", False),
    ]


def test_a_failure_has_the_step_its_own_lines_and_kaniko_s_words() -> None:
    # Given
    output = Output()
    texts = (said("RUN first"), "of the first", said("RUN second"), "of the second")
    list(output.follow(following(*texts, "error building image: exit status 7")))
    # When
    failure = output.failure("unused")
    # Then
    assert failure.step == "RUN second"
    assert list(failure.last) == ["of the second"]
    assert failure.words == "error building image: exit status 7"


def test_an_answer_goes_on_behind_the_newest_line_however_many_digits_its_time_has() -> None:
    # Given
    output = Output()
    list(output.follow(at(("05", "one"), ("05.1", "two"))))
    # When
    lines = list(output.follow(at(("05", "one"), ("05.1", "two"), ("05.12", "three"))))
    # Then
    assert lines == ["three"]
    assert output.read_until == "2026-01-01T00:00:05.120000000"


def test_a_line_that_is_older_than_the_one_before_it_is_not_lost() -> None:
    # When
    lines = list(Output().follow(at(("05.2", "error building image: exit status 7"), ("05.1", "about to fail"))))
    # Then
    assert lines == ["error building image: exit status 7", "about to fail"]
