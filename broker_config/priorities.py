"""The four priorities, and how they map to the Redis transport's steps.

kombu keeps one list for each step of a queue and takes step 0 first. It rounds unknown numbers silently, so names are
checked here and numbers never come from a user.
"""

from __future__ import annotations

from enum import IntEnum

from broker_config.errors import InvalidRequest, did_you_mean

STEPS = (0, 1, 2, 3)
"""Value of the transport option `priority_steps`: one list a priority."""

SEPARATOR = ":"
"""Value of the transport option `sep`: `gpu-queue:1` is the list of the high runs of `gpu-queue`."""


PLACES = 2**52
"""Places of one priority in a queue: microseconds since 1970 are fewer until the year 2112."""


class Priority(IntEnum):
    """How urgent a run is: the lower number starts first."""

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {priority: priority.name.lower() for priority in Priority}
_NAMES = {label: priority for priority, label in _LABELS.items()}


def parse_priority(value: str | int | Priority) -> Priority:
    """The priority of that name (`high`) or number (1), as W&B Launch writes them.

    Raises:
        InvalidRequest: when it is neither.
    """
    if isinstance(value, str) and value.lower() in _NAMES:
        return _NAMES[value.lower()]
    if isinstance(value, int) and not isinstance(value, bool) and value in STEPS:
        return Priority(value)
    raise InvalidRequest(f"priority {value!r} does not exist{did_you_mean(str(value), _NAMES)}")


def first_place(priority: Priority) -> int:
    """What is added to a run's place, so that all runs of a queue sort as they leave it: by priority, then by place.

    Every sum is within 2**53 of 0, where Redis keeps the scores of its sorted sets exactly.
    """
    return (int(priority) - 2) * PLACES


def list_key(queue: str, priority: Priority) -> str:
    """The Redis list in which the transport keeps the messages of this queue and priority."""
    return f"{queue}{SEPARATOR}{int(priority)}" if priority else queue
