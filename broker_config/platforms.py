"""What the agents that ask one place of a platform tell each other: turns, pauses, and what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Hint(NamedTuple):
    """A job at the place is said to be in some state. Only the platform knows whether it is."""

    job: str  # as the platform's lists name it
    state: str  # in the platform's words


class Heard(NamedTuple):
    """What was told since a position."""

    position: str  # from which to hear on
    pause_seconds: float  # for which the place wants to be left alone still; 0: it does not
    hints: Sequence[Hint] = ()


class Turn(NamedTuple):
    """Whether an agent may ask for the list now."""

    is_mine: bool
    seconds: float  # until it may; or until it may want to know again
