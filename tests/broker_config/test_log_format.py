"""Logs as JSON: one object a line, with the fields that a record is about."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from broker_config.errors import NotFound
from broker_config.log_format import about, write_json


class Log:
    """What loggers have written as JSON."""

    def __init__(self) -> None:
        self._written = io.StringIO()
        self.handler = logging.StreamHandler(self._written)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._written.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    roots = [logging.getLogger(name) for name in ("workers.for_tests", "celery.for_tests")]
    for root in roots:
        root.addHandler(log.handler)
        root.setLevel(logging.DEBUG)
        write_json(root)
    yield log
    for root in roots:
        root.removeHandler(log.handler)


ours = logging.getLogger("workers.for_tests")
theirs = logging.getLogger("celery.for_tests")


def test_a_record_of_ours_has_its_action_and_its_fields(log: Log) -> None:
    # When
    ours.info("run-ended run=%s runs=%d/%s seconds=%.1f live=%d: %s", "abc", 1, "any", 2.5, 3, "as it should")

    # Then
    (line,) = log.lines
    at = datetime.fromisoformat(line.pop("time"))
    assert at.tzinfo == UTC
    assert line == {
        "level": "INFO",
        "logger": "workers.for_tests",
        "action": "run-ended",
        "message": "run-ended run=abc runs=1/any seconds=2.5 live=3: as it should",
        "run": "abc",
        "runs": "1/any",
        "seconds": 2.5,
        "live": 3,
    }


def test_no_value_passes_for_a_field_or_a_line(log: Log) -> None:
    # When
    ours.warning("run-retry run=%s: %s", "abc", 'no run=evil\n{"level": "INFO"}\r\n\u2028 time=0')

    # Then
    (line,) = log.lines
    assert (line["run"], line["level"]) == ("abc", "WARNING")


def test_a_field_never_takes_the_place_of_what_every_record_has(log: Log) -> None:
    # When
    with about(run="abc"):
        ours.info("agent-wish level=%s message=%s", "x", "y")

    # Then
    assert (log.lines[0]["level"], log.lines[0]["message"]) == ("INFO", "agent-wish level=x message=y")


def test_what_is_logged_in_the_course_of_a_run_is_about_it(log: Log) -> None:
    # When
    with about(run="abc", queue="gpu", attempt=2):
        ours.warning("git-cache-damaged: %s", NotFound("no such commit"))
        theirs.warning("a connection was made anew")
    ours.info("agent-status runs=%d", 0)

    # Then
    first, second, third = log.lines
    assert (first["run"], first["queue"], first["attempt"], first["code"]) == ("abc", "gpu", 2, NotFound.code)
    assert (second["run"], "action" in second) == ("abc", False)
    assert "run" not in third


def test_a_traceback_is_a_field(log: Log) -> None:
    # When
    try:
        raise ValueError("odd")
    except ValueError:
        ours.exception("agent-fault run=%s", "abc")

    # Then
    (line,) = log.lines
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: odd")


def test_the_code_of_an_error_is_a_field_also_where_only_its_traceback_is_logged(log: Log) -> None:
    # When
    try:
        raise NotFound("no such run")
    except NotFound:
        ours.exception("agent-fault run=%s", "abc")

    # Then
    assert log.lines[0]["code"] == NotFound.code


def test_what_every_line_has_is_taken_by_no_field(log: Log) -> None:
    # Given
    write_json(ours, agent="agent@here")

    # When
    with about(agent="another"):
        ours.info("agent-told agent=%s", "a third")

    # Then
    assert log.lines[0]["agent"] == "agent@here"
