"""Asks a cluster that gives no answer, so that nobody who looks after others has to wait for it."""

from __future__ import annotations

import threading
from contextlib import suppress

from broker_config.errors import LaunchyardError, TemporaryError
from workers.kubernetes.cluster import Cluster

PERIOD_SECONDS = 2.0
"""Between two questions. A cluster that answers is asked nothing."""


class Probe:
    """The one that asks a silent cluster, in a thread of its own.

    A question over a connection that is dead and silent takes up to half a minute to fail; and one thread watches the
    runs of all clusters, and one reads their logs.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._is_started = False
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to ask whenever the cluster is silent."""
        if not self._is_started:
            self._is_started = True
            threading.Thread(target=self._work, name=f"probe {self._cluster}", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def expect_answer(self) -> None:
        """Let those pass who want to ask the cluster something.

        Raises:
            TemporaryError: while the cluster is silent and this asks it.
        """
        if self._is_started and (why := self._cluster.silence):
            raise TemporaryError(why)

    def _work(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            if self._cluster.silence:
                # What it says does not matter.
                with suppress(LaunchyardError):
                    self._cluster.get("/version")
