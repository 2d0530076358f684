"""What a run's events tell of a fault: how often it ended, who held it at once, and how soon it was taken up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from broker_config.runs import Event
from broker_config.states import Reason, State


def ends(events: Sequence[Event]) -> int:
    """How often the run ended."""
    return sum(event.new.is_terminal and event.old is not event.new for event in events)


def most_at_once(events: Sequence[Event]) -> int:
    """How many claims on the run there were at the same time."""
    held: Counter[str] = Counter()
    most = 0
    for event in events:
        if event.new is State.QUEUED or event.new.is_terminal:
            held.clear()
        elif event.reason is Reason.ADOPTED:
            # An adoption ends the claim of the agent that is gone.
            held = Counter([event.actor])
        elif event.reason is Reason.CLAIMED:
            held[event.actor] += 1
        most = max(most, held.total())
    return most


def taken_up(events: Sequence[Event], struck: float, gone: str = "") -> float | None:
    """Seconds from the fault until an agent had the run in its hands again; None when nothing was left to do.

    `gone` names an agent that does not count, because it was about to stop.
    """
    later = [event for event in events if event.at.timestamp() > struck and event.actor != gone]
    found = [event for event in later if event.reason in {Reason.ADOPTED, Reason.CLAIMED}]
    return found[0].at.timestamp() - struck if found else None


def ended_after(events: Sequence[Event], struck: float) -> float:
    """Seconds from the fault until the run's end; 0 when it had ended before."""
    end = next(event.at.timestamp() for event in events if event.new.is_terminal)
    return max(0.0, end - struck)
