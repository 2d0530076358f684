"""What people see of BuildKit's account of a build."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from workers.images.buildx.progress import Progress
from workers.images.steps import BuildStep

BEGIN = "2026-11-23T02:20:15.000000000Z"
LATER = "2026-11-23T02:20:17.500000000Z"

LAYOUTS = {"one-line": None, "indented": 2}


@pytest.fixture(params=LAYOUTS)
def indent(request: pytest.FixtureRequest) -> int | None:
    """Both layouts: an object a line, and one over many lines."""
    return LAYOUTS[request.param]


def shown(progress: Progress, *said: dict[str, Any] | str, indent: int | None = None) -> list[str]:
    """What is shown of objects and of text between them."""
    texts = (one if isinstance(one, str) else json.dumps(one, indent=indent) for one in said)
    return [line for text in texts for each in text.splitlines() for line in progress.read(f"{each}\n")]


def vertex(name: str, **fields: object) -> dict[str, Any]:
    return {"vertexes": [{"digest": name, "name": name, **fields}]}


def output(name: str, data: bytes) -> dict[str, Any]:
    return {"logs": [{"vertex": name, "stream": 1, "data": base64.b64encode(data).decode()}]}


def test_a_step_is_named_as_it_begins_and_timed_as_it_ends(indent: int | None) -> None:
    # Given
    progress = Progress()
    name = "[2/3] RUN pip install torch"
    # When
    lines = shown(
        progress,
        vertex(name),
        vertex(name, started=BEGIN),
        output(name, b"Collecting torch\n"),
        vertex(name, started=BEGIN, completed=LATER),
        vertex("[3/3] COPY . .", started=LATER, completed=LATER, cached=True),
        indent=indent,
    )
    # Then
    assert lines == [name, "[2/3] Collecting torch", "[2/3] done in 2.5 s", "[3/3] COPY . .", "[3/3] cached"]
    assert progress.steps == (BuildStep(name, 2.5), BuildStep("[3/3] COPY . .", 0.0, is_cached=True))
    assert progress.failure() is None


def test_the_step_that_failed_is_named_with_its_own_last_lines(indent: int | None) -> None:
    # Given
    progress = Progress()
    name, other = "[2/3] RUN make", "[stage-1 2/2] RUN sleep 9"
    # When
    shown(
        progress,
        vertex(name, started=BEGIN),
        vertex(other, started=BEGIN),
        output(other, b"sleeps\n"),
        output(name, b"line\n" * 30 + b"no rule to make target"),
        vertex(other, started=BEGIN, completed=LATER, error="process was: context canceled"),
        vertex(name, started=BEGIN, completed=LATER, error="process did not complete successfully: exit code: 2"),
        "Dockerfile:2\nERROR: failed to solve: process did not complete successfully\n",
        indent=indent,
    )
    # Then
    failure = progress.failure()
    assert failure is not None
    assert failure.step == name
    assert "exit code: 2" in failure.words
    assert list(failure.last) == ["line"] * 19 + ["no rule to make target"]
    assert progress.steps == ()


def test_what_buildx_itself_says_is_shown_and_is_the_failure_where_no_step_failed(indent: int | None) -> None:
    # Given
    progress = Progress()
    # When
    lines = shown(
        progress,
        vertex("[internal] load build definition from Dockerfile", started=BEGIN, completed=LATER),
        "Dockerfile:1",
        "   1 | >>> FORM python",
        "ERROR: failed to solve: dockerfile parse error on line 1: unknown instruction: FORM",
        indent=indent,
    )
    # Then
    failure = progress.failure()
    assert failure is not None
    assert failure.words.startswith("failed to solve: dockerfile parse error")
    assert lines == list(failure.last)
    assert lines[1] == "   1 | >>> FORM python"


def test_output_that_comes_in_pieces_is_put_together(indent: int | None) -> None:
    # Given
    progress = Progress()
    step = "[2/2] RUN fetch"
    half = "é".encode()
    # When
    lines = shown(
        progress,
        vertex(step, started=BEGIN),
        output(step, b"10 %\r50 %\rcaf" + half[:1]),
        output(step, half[1:] + b"\nlast"),
        vertex(step, started=BEGIN, completed=LATER),
        indent=indent,
    )
    # Then
    assert lines == [step, "[2/2] café", "[2/2] last", "[2/2] done in 2.5 s"]


def test_a_warning_is_shown(indent: int | None) -> None:
    short = base64.b64encode(b"SecretsUsedInArgOrEnv: use a secret").decode()
    lines = shown(Progress(), {"warnings": [{"vertex": "x", "level": 1, "short": short}]}, indent=indent)
    assert lines == ["warning: SecretsUsedInArgOrEnv: use a secret"]


@pytest.mark.parametrize("text", ["{broken", "{\n}", "{}", "}", "{ 'a' }", "#1 [1/2] FROM python"])
def test_what_is_no_account_ends_nothing(text: str) -> None:
    # Given
    progress = Progress()
    # When
    shown(progress, text, "ERROR: over")
    # Then what comes after an object that never ended is not waited for
    assert progress.failure() is not None or text == "{broken"
