"""Runs with stand-ins for what a launch would say, to ask a target what it thinks of the jobs on a queue."""

from __future__ import annotations

from broker_config.jobs import ImageSource, Job
from broker_config.plans import Rehearsal, Trial
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import RunSpec, new_run_id, now
from broker_config.settings import Settings
from broker_config.templates import samples
from producer.asking import ask

NAME = "rehearsal"
IMAGE = "launchyard.invalid/rehearsal:1"
"""No registry can have it; a cluster that takes images of some registries only refuses it."""


def rehearse(queue: Queue, settings: Settings) -> Rehearsal:
    """What the target says of jobs on a queue that is not written yet."""
    specs = tuple(
        RunSpec(
            id=new_run_id(),
            name=NAME,
            queue=queue,
            queue_revision=0,
            job=Job(source=ImageSource(image=IMAGE)),
            template_values=values,
            priority=Priority.MEDIUM,
            project=NAME,
            author=settings.author,
            created_at=now(),
        )
        for values in samples(queue.config, queue.template_variables)
    )
    return Rehearsal.model_validate_json(ask("workers.rehearsal", Trial(specs=specs), settings))
