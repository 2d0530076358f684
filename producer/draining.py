"""Emptying a queue that is to be deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from broker_config.states import State
from producer.client import Client

_LOOK_SECONDS = 0.5


def drain(client: Client, name: str, *, cancel_waiting: bool = False) -> Iterator[dict[State, int]]:
    """Take no more launches on a queue, and tell how many of its runs wait or are live until there are none.

    Those that wait are carried out, or cancelled. Whoever stops asking leaves the queue as it is, draining: it can be
    drained again later, or be resumed.

    Raises:
        NotFound: when there is no queue of that name.
    """
    name = client.queues.set_draining(name, True, "it is being deleted").name
    while True:
        counts = client.queues.counts(name)
        # Again and again: a run that is tried anew goes back to its queue.
        if cancel_waiting and counts[State.QUEUED]:
            _cancel_waiting(client, name)
            counts = client.queues.counts(name)
        left = {state: count for state, count in counts.items() if count and not state.is_terminal}
        if not left:
            return
        yield left
        time.sleep(_LOOK_SECONDS)


def _cancel_waiting(client: Client, name: str) -> None:
    for handle in client.runs():
        if handle.run.spec.queue.full_name == name and handle.run.state is State.QUEUED:
            handle.cancel()
