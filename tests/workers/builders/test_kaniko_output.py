from __future__ import annotations

import json

from workers.builders.kaniko.output import Output, stamped


def said(text: str) -> str:
    return json.dumps({"level": "info", "msg": text, "time": "2026-01-01T00:00:00Z"})


def test_kaniko_s_own_lines_are_read_for_people_and_others_pass_as_they_are() -> None:
    # Given
    output = Output()
    # When
    lines = [output.read(line) for line in (said("RUN pip install six"), "Collecting six", '{"loss": 0.5}', "{")]
    # Then
    assert lines == ["RUN pip install six", "Collecting six", '{"loss": 0.5}', "{"]


def test_steps_are_the_dockerfile_s_instructions_and_tell_which_were_cached() -> None:
    # Given
    output = Output()
    for text in ("Using caching version of cmd: RUN a", "Unpacking rootfs", "ENV A=1", "RUN a", "COPY . ."):
        output.read(said(text))
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
    output.read(said("RUN first"))
    output.read("of the first")
    output.read(said("RUN second"))
    output.read("of the second")
    output.read("error building image: exit status 7")
    # When
    failure = output.failure("unused")
    # Then
    assert failure.step == "RUN second"
    assert list(failure.last) == ["of the second"]
    assert failure.words == "error building image: exit status 7"


def test_times_of_lines_can_be_compared_however_many_digits_they_have() -> None:
    # When
    early, late = stamped("2026-01-01T00:00:05.1Z one two"), stamped("2026-01-01T00:00:05.12Z three")
    # Then
    assert early[0] < late[0]
    assert early[1] == "one two"
    assert stamped("2026-01-01T00:00:05Z ")[1] == ""
