"""Named jobs from the caller's side: create versions, list them, and find the one that a reference means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from broker_config.frozen import parse
from broker_config.named_jobs import JobDefinition, JobVersion, parse_reference
from broker_config.queues import DEFAULT_ENTITY
from producer.installation import Installation
from producer.launches import JobFields, Preparation
from producer.progress import Progress
from producer.sources import Given
from producer.storing import store

_NAME_LENGTH = 64


class NewVersion(JobFields, total=False):
    """The fields of a version: those of a job, flat, and what is said about it."""

    name: str | None  # made up from the source when absent
    source: Given
    entity: str | None
    project: str | None  # what its runs belong to unless their launch says so
    description: str
    inputs: Mapping[str, Any] | None  # a schema that the run config of a launch has to obey
    aliases: Sequence[str]


class Jobs:
    """The named jobs of one installation."""

    def __init__(self, installation: Installation, largest_code_bytes: int, progress: Progress) -> None:
        self._code = installation.code
        self._jobs = installation.jobs
        self._largest_code_bytes = largest_code_bytes
        self._progress = progress

    def create(self, **fields: Unpack[NewVersion]) -> JobVersion:
        """Write the next version of a job, and have the aliases point to it.

        When the newest version says the same it is returned, and none is written.

        Raises:
            InvalidRequest: when a field is unknown, missing or wrong, or the code cannot be packed.
        """
        about = {name: fields.get(name) for name in ("entity", "project", "description", "inputs")}
        ours = {*about, "name", "aliases"}
        made = Preparation(self._largest_code_bytes, self._progress).job(
            {name: value for name, value in fields.items() if name not in ours}
        )
        name = fields.get("name") or re.sub(r"[^A-Za-z0-9._-]+", "-", made.hint)[:_NAME_LENGTH].strip("._-")
        definition = parse(
            JobDefinition,
            {
                "name": name,
                "job": made.job,
                "entity": about["entity"] or DEFAULT_ENTITY,
                "project": about["project"],
                "description": about["description"] or "",
                "inputs": about["inputs"],
            },
            f"job {name!r}",
        )
        if made.archive:
            store(self._code, made.archive, self._progress)
        return self._jobs.create(definition, fields.get("aliases", ()))

    def get(self, reference: str, entity: str | None = None) -> JobVersion:
        """The version that a reference such as `train:v2` means; `entity` counts when the reference names none.

        Raises:
            InvalidRequest: when it is no reference.
            NotFound: when there is no such version.
        """
        return self._jobs.get(entity or DEFAULT_ENTITY, parse_reference(reference))

    def versions(self, reference: str, entity: str | None = None) -> list[JobVersion]:
        """All versions of the job that a reference means, newest first.

        Raises:
            InvalidRequest, NotFound: as for `get`.
        """
        definition = self.get(reference, entity).definition
        return self._jobs.versions(definition.entity, definition.name)

    def list(self) -> list[JobVersion]:
        """The newest version of every job."""
        return self._jobs.list()
