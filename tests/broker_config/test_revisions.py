"""What is different between two revisions of a queue."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker_config.pointers import from_pointer
from broker_config.queues import Queue
from broker_config.revisions import Changed, QueueRevision, changes, unified_diff
from broker_config.runs import now

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-2, 2).map(lambda number: round(number, 1))
    | st.text(max_size=4)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def queue_with(config: dict[str, Any], **fields: Any) -> Queue:
    return Queue(name="gpu", resource="anything", config=config, **fields)


def revision(number: int, queue: Queue) -> QueueRevision:
    return QueueRevision(revision=number, at=now(), author="alice", queue=queue)


def applied(definition: Any, changed: list[Changed]) -> Any:
    """The definition with every change carried out."""
    for change in changed:
        *parents, name = from_pointer(change.path)
        inside = definition
        for parent in parents:
            inside = inside[parent]
        if change.kind == "removed":
            del inside[name]
        else:
            inside[name] = change.new
    return definition


def as_json(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


@given(CONFIGS, CONFIGS, st.booleans())
def test_the_changes_lead_from_one_definition_to_the_other_and_back(
    old: dict[str, Any], new: dict[str, Any], prioritization: bool
) -> None:
    # Given two definitions
    before, after = queue_with(old), queue_with(new, prioritization=prioritization)

    # When what is different between them is carried out on one
    forth = applied(before.model_dump(mode="json"), changes(before, after))
    back = applied(after.model_dump(mode="json"), changes(after, before))

    # Then it is the other: no field is lost, and none is invented
    assert as_json(forth) == as_json(after.model_dump(mode="json"))
    assert as_json(back) == as_json(before.model_dump(mode="json"))


@given(CONFIGS, CONFIGS)
def test_the_unified_diff_is_empty_exactly_when_nothing_changed(old: dict[str, Any], new: dict[str, Any]) -> None:
    # Given
    before, after = revision(1, queue_with(old)), revision(2, queue_with(new))

    # Then
    assert bool(unified_diff(before, after)) == bool(changes(before.queue, after.queue))
    assert unified_diff(before, before) == []


def test_a_unified_diff_names_the_revisions_and_shows_the_lines_that_differ() -> None:
    # Given
    before, after = (
        revision(3, queue_with({"memory": "8g", "cpus": 2})),
        revision(4, queue_with({"memory": "16g", "cpus": 2})),
    )

    # When
    old_line, new_line, *rest = unified_diff(before, after)

    # Then
    assert old_line.startswith("--- revision 3 by alice, ")
    assert new_line.startswith("+++ revision 4 by alice, ")
    assert [line for line in rest if line[0] in "+-"] == ["-  memory: 8g", "+  memory: 16g"]


def test_a_number_is_another_value_than_true_or_a_number_with_a_point() -> None:
    assert [change.path for change in changes(queue_with({"a": 1, "b": 1}), queue_with({"a": True, "b": 1.0}))] == [
        "/config/a",
        "/config/b",
    ]
