"""What a target says of the jobs on a queue that is not written yet."""

from __future__ import annotations

from broker_config.plans import Rehearsal
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.trials import trial_of
from producer.asking import ask


def rehearse(queue: Queue, settings: Settings) -> Rehearsal:
    """Ask it, with stand-ins for what a launch would say."""
    return Rehearsal.model_validate_json(ask("workers.rehearsal", trial_of(queue, settings.author), settings))
