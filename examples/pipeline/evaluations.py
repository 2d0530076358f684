"""Evaluation runs that a training asks for: one for each epoch that is worth it, however often the training starts.

An epoch's launch has an idempotency key made of the training's name and the epoch. A training that was stopped and goes
on from its checkpoint, or that its orchestrator tries again, launches the same epochs again and gets the runs that are
there. Nothing here knows a framework: `train.py` and `lightning_callback.py` both use it.
"""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

from broker_config.errors import TemporaryError
from producer import Client, LocalCode, RunHandle

CODE = LocalCode(Path(__file__).parent / "evaluation")
"""A folder that nothing is written to: with another content the same key would be another launch, which is refused."""

log = logging.getLogger(__name__)


class Evaluations:
    """Enqueues an evaluation of each new best checkpoint, or of every one, and never holds the training up."""

    def __init__(self, client: Client, queue: str, training: str, *, only_best: bool = True) -> None:
        """`training` names this training and no other one, in each of its attempts."""
        self._client = client
        self._queue = queue
        self._training = training
        self._only_best = only_best
        self._owed: dict[int, Path] = {}
        self.best = math.inf
        self.runs: dict[int, RunHandle] = {}

    def after_epoch(self, epoch: int, loss: float, checkpoint: Path) -> None:
        """Enqueue the evaluation of an epoch's checkpoint, if its loss is the best so far or all are wanted.

        A broker that is away does not end the training: what could not be enqueued is tried again after the next epoch.
        """
        if loss < self.best or not self._only_best:
            self._owed[epoch] = checkpoint
        self.best = min(loss, self.best)
        try:
            self._enqueue_owed()
        except TemporaryError as error:
            log.warning("evaluations of epochs %s are enqueued later: %s", sorted(self._owed), error)

    def results(self, timeout: float) -> dict[int, dict[str, float]]:
        """What each evaluation found, by epoch, once all have ended; `timeout` is in seconds and for each of them.

        Raises:
            RunUnsuccessful: when one did not succeed.
            WaitTimeout: when one takes longer.
            TemporaryError: when one could not be enqueued yet.
        """
        self._enqueue_owed()
        return {epoch: metrics(run.wait(timeout, raise_on_failure=True)) for epoch, run in self.runs.items()}

    def _enqueue_owed(self) -> None:
        for epoch, checkpoint in sorted(self._owed.items()):
            self.runs[epoch] = self._client.launch(
                queue=self._queue,
                source=CODE,
                entry_point=["python", "evaluate.py"],
                run_config={"checkpoint": str(checkpoint.resolve()), "epoch": epoch},
                name=f"{self._training}-epoch-{epoch}",
                labels={"training": self._training},
                idempotency_key=f"{self._training}/epoch-{epoch}",
            )
            del self._owed[epoch]


def metrics(run: RunHandle) -> dict[str, float]:
    """What a run printed as its result: the last line of its log that is a JSON object."""
    found: dict[str, float] = {}
    for line in run.logs():
        if line.startswith("{"):
            found = json.loads(line)
    return found
