"""How a job is shown to people: with its run, and as a version of a named job."""

from __future__ import annotations

from broker_config.jobs import Job
from producer.cli import pairs
from producer.readable import source_text


def job_fields(job: Job) -> list[tuple[str, str]]:
    """What there is to say about a job, with a word before each; what is empty is not shown."""
    return [
        ("source", source_text(job.source)),
        ("build context", job.build_context or ""),
        ("dockerfile", job.dockerfile or ""),
        ("base image", job.base_image or ""),
        ("python", job.python_version or ""),
        ("command", " ".join([*job.entry_point, *job.args])),
        ("env", pairs.to_yaml(job.env) if job.env else ""),
        ("run config", pairs.to_yaml(job.run_config) if job.run_config else ""),
    ]
