"""Repairs what a crash or the broker lost: orders of queued runs are sent again, and what has expired is forgotten.

The Redis transport loses a message when a worker dies between the pop and the entry in its list of unacknowledged
messages. The record still says that the run is queued, so the order can be written anew; if the first one turns up
after all, the record drops it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from broker_config.runs import RunId
from broker_config.store.finished import Finished
from broker_config.store.runs import RunStore

logger = logging.getLogger(__name__)


class Reconciler:
    """Called by the agent's heartbeat."""

    def __init__(self, runs: RunStore, finished: Finished, in_hand: Callable[[], set[str]]) -> None:
        self._runs = runs
        self._finished = finished
        self._in_hand = in_hand
        self._suspects: set[RunId] = set()

    def send_lost_orders(self, queues: Sequence[str]) -> int:
        """Send orders again that were missing at this call and at the one before. Returns how many.

        The first sight may be an order that an agent has fetched and not claimed yet.
        """
        in_hand = self._in_hand()
        orders = [order for queue in queues for order in self._runs.overtaken(queue)]
        missing = [order for order in orders if order.spec.id not in in_hand]
        # In front of the list goes what is sent last, so the longest waiting run must be the last.
        lost = [order for order in reversed(missing) if order.spec.id in self._suspects]
        for order in lost:
            logger.warning("order-lost run=%s queue=%s: sent again", order.spec.id, order.spec.queue.full_name)
            self._runs.send_again(order)
        self._suspects = {order.spec.id for order in missing} - {order.spec.id for order in lost}
        return len(lost)

    def forget(self, workspaces: Path) -> None:
        """Drop index entries and folders of runs whose records have expired."""
        self._finished.forget_due()
        if not workspaces.exists():
            return
        folders = {folder.name: folder for folder in workspaces.iterdir()}
        ids = {name: name.split("-")[1] for name in folders if name.count("-") == 2}
        known = self._runs.standings(list(ids.values()))
        for name, run_id in ids.items():
            if run_id not in known:
                shutil.rmtree(folders[name], ignore_errors=True)
