"""What a queue asks of the launches on it."""

from __future__ import annotations

from collections.abc import Sequence

from broker_config import macros
from broker_config.checks import refuse_overrides
from broker_config.errors import InvalidRequest
from broker_config.placeholders import Value
from broker_config.priorities import Priority
from broker_config.queues import QueueRecord
from broker_config.rights import Rights
from broker_config.runs import Launch, RunSpec, now
from broker_config.templates import check_values
from producer.launches import NewRun
from producer.pinning import Pins


class Terms:
    """The terms of one queue, as it was when it was read."""

    def __init__(self, record: QueueRecord) -> None:
        self.record = record
        self._what = f"queue {record.name!r}"
        self._rights = Rights(record.queue)
        self._needs_project = "project_name" in macros.names_in(record.queue.config)

    def check(self, launches: Sequence[Launch]) -> None:
        """Whether the queue takes these launches.

        Raises:
            InvalidRequest: when it does not take one of them.
        """
        for launch in launches:
            self._check_priority(launch)
            self._check_owner(launch)
            self._rights.check(launch.overrides, self.values(launch))
            self._check_macros(launch)
            if launch.job.retries:
                launch.job.retries.check(self.record.queue.retries, self.record.name)
            if launch.job.timeouts:
                launch.job.timeouts.check(self.record.queue.timeouts, self.record.name)

    def check_overrides(self, launches: Sequence[Launch]) -> None:
        """Whether the overrides of launches that the queue takes fit its resource, without asking the platform.

        Raises:
            InvalidRequest: when those of one of them do not.
        """
        for launch in launches:
            if launch.overrides:
                refuse_overrides(self.record.queue, self.values(launch), launch.overrides)

    def values(self, launch: Launch) -> dict[str, Value]:
        """The values of all template variables.

        Raises:
            InvalidRequest: when one is unknown, missing or does not obey its schema.
        """
        variables = self.record.queue.template_variables
        if not variables and not launch.template_variables:
            return {}
        return check_values(variables, launch.template_variables, self._what)

    def spec(self, run: NewRun, author: str, pins: Pins) -> RunSpec:
        """What an agent will carry out.

        Raises:
            InvalidRequest, TemporaryError: as for `values`, and as `pins` does for a queue that pins images.
        """
        launch = run.launch
        return RunSpec(
            id=run.id,
            name=run.name,
            queue=self.record.queue,
            queue_revision=self.record.revision,
            job=pins.job(launch.job, self.record.queue),
            job_version=launch.job_version,
            overrides=launch.overrides,
            template_values=self.values(launch),
            priority=launch.priority,
            project=launch.project or "",
            labels=launch.labels,
            author=author,
            created_at=now(),
            not_before=launch.not_before,
            after=launch.after,
        )

    def _check_priority(self, launch: Launch) -> None:
        if launch.priority is not Priority.MEDIUM and not self.record.queue.prioritization:
            raise InvalidRequest(
                f"{self._what} has no prioritization, so priority {launch.priority.label!r} would have no effect; "
                f"leave it out, or turn it on with: launchyard queue edit {self.record.name} --prioritization"
            )

    def _check_owner(self, launch: Launch) -> None:
        entity = self.record.queue.entity
        if launch.entity not in (None, entity):
            raise InvalidRequest(
                f"{self._what} belongs to entity {entity!r}, and the launch names {launch.entity!r}; name a queue of "
                "that entity, or leave the entity out"
            )
        if self._needs_project and not launch.project:
            raise InvalidRequest(f"{self._what} writes '${{project_name}}', so a launch has to name a project")

    def _check_macros(self, launch: Launch) -> None:
        if launch.overrides and (problems := macros.check(launch.overrides)):
            raise InvalidRequest(f"overrides of a launch on {self._what}: {'; '.join(map(str, problems))}")
