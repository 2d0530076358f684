"""Runs with stand-ins for what a launch would say, to ask a target what it thinks of the jobs on a queue."""

from __future__ import annotations

from broker_config.jobs import ImageSource, Job
from broker_config.plans import Trial
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import RunSpec, new_run_id, now
from broker_config.templates import samples

NAME = "rehearsal"
IMAGE = "launchyard.invalid/rehearsal:1"
"""No registry can have it; a cluster that takes images of some registries only refuses it."""


def trial_of(queue: Queue, author: str) -> Trial:
    """One run for each config that the queue's template variables can make of its keys."""
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
            author=author,
            created_at=now(),
        )
        for values in samples(queue.config, queue.template_variables)
    )
    return Trial(specs=specs)
