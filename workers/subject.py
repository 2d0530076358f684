"""What is logged while a run is worked on says which run that is, on which queue and target, and in which attempt."""

from __future__ import annotations

from contextlib import AbstractContextManager

from broker_config.log_format import about
from broker_config.runs import Run, RunSpec


def about_spec(spec: RunSpec) -> AbstractContextManager[None]:
    """What is logged in this context is about a run whose record was not read yet."""
    return about(run=spec.id, queue=spec.queue.full_name, target=spec.queue.resource)


def about_run(run: Run) -> AbstractContextManager[None]:
    """What is logged in this context is about this attempt of a run."""
    queue = run.spec.queue
    return about(run=run.id, queue=queue.full_name, target=queue.resource, attempt=run.attempt)
