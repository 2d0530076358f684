"""What is looked at before a queue is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from broker_config import resources
from broker_config.checks import check_queue, refuse_errors, refuse_overrides
from broker_config.errors import InvalidRequest
from broker_config.findings import Finding, Severity, error, warning
from broker_config.pointers import leaves, to_pointer
from broker_config.queues import Queue, parse_queue
from broker_config.resources.unknown import UnknownResource

GPUS = {"type": "integer", "minimum": 1}


class Strict(UnknownResource):
    """A resource in whose configs every value is a number below 10, and 5 is unusual."""

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        found = []
        for path, value in leaves(config):
            if not isinstance(value, int) or value >= 10:
                found.append(error(to_pointer(path), f"{value!r} is no number below 10"))
            elif value == 5:
                found.append(warning(to_pointer(path), "5 is unusual"))
        return found


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "load", lambda name: Strict())


def queue_with(config: dict[str, Any], **variables: Any) -> Queue:
    return parse_queue({"name": "q", "resource": "strict", "config": config, "template_variables": variables})


def test_errors_come_before_warnings_and_only_they_stop_a_queue() -> None:
    # When
    found = check_queue(queue_with({"a": 5, "b": 12}))

    # Then
    assert [(finding.severity, finding.pointer) for finding in found] == [("warning", "/a"), ("error", "/b")][::-1]
    refuse_errors(queue_with({"a": 5}))
    with pytest.raises(InvalidRequest, match="queue 'q': config: /b: 12 is no number below 10"):
        refuse_errors(queue_with({"a": 5, "b": 12}))


@pytest.mark.parametrize(
    ("schema", "is_sure"),
    [({"type": "integer"}, True), ({"type": "integer", "minimum": 12}, False), ({"type": "string"}, False)],
)
def test_a_place_that_a_launch_fills_in_is_looked_at_with_a_value_that_its_schema_allows(
    schema: Any, is_sure: bool
) -> None:
    # When
    found = check_queue(queue_with({"a": "{{gpus}}"}, gpus=schema))

    # Then what is found there is not certain
    assert [finding.severity for finding in found] == ([] if is_sure else [Severity.WARNING])


def test_what_the_agent_fills_in_is_not_certain_either() -> None:
    assert [finding.severity for finding in check_queue(queue_with({"a": "${attempt}"}))] == [Severity.WARNING]


def test_a_resource_is_not_asked_about_a_config_whose_placeholders_cannot_be_filled() -> None:
    # When
    found = check_queue(queue_with({"a": "{{gpu}}", "b": 12}, gpus=GPUS))

    # Then
    assert [(finding.severity, finding.pointer) for finding in found] == [("error", "/a"), ("warning", "")]


def test_overrides_are_not_refused_for_what_was_wrong_without_them() -> None:
    # Given a queue that an earlier version took
    queue = Queue(name="gpu", resource="strict", config={"a": 11})

    # Then
    refuse_overrides(queue, {}, {"b": 5})
    with pytest.raises(InvalidRequest, match=r"^overrides of a launch on queue 'gpu': /b: 12 is no number below 10$"):
        refuse_overrides(queue, {}, {"b": 12})
