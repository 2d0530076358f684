"""From what a job names to what a target runs: fetch the source, then build, once for the same content."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from broker_config.errors import InvalidRequest
from broker_config.images import ImageOrigin
from broker_config.jobs import Job
from broker_config.queue_builder import queue_builder
from broker_config.runs import Run, RunSpec, now
from broker_config.states import FailureClass, Reason, State
from broker_config.store.logs import LogStore
from workers.builders.protocol import Artifact, ArtifactKind, Builder, BuildOrder
from workers.building.builds import Builds
from workers.building.wanted import Made, Wanted
from workers.failures import RunCancelled, RunFailed
from workers.record import Recorder
from workers.sources.protocol import Fetched, Source
from workers.verdict import sentence


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the next stage needs."""

    run: Run
    artifact: Artifact
    folder: Path | None  # the run's own copy of its code, where the artifact does not hold it
    origin: ImageOrigin | None = None
    build_seconds: float | None = None


class Preparer:
    """The stage between claim and submit."""

    def __init__(
        self,
        recorder: Recorder,
        logs: LogStore,
        workspaces: Path,
        source_for: Callable[[str], Source],
        builder_for: Callable[[ArtifactKind], Builder],
        *,
        builds: Builds,
    ) -> None:
        self._recorder = recorder
        self._logs = logs
        self._workspaces = workspaces
        self._source_for = source_for
        self._builder_for = builder_for
        self._builds = builds

    def prepare(self, run: Run, kind: ArtifactKind, cancelled: Callable[[], bool]) -> Prepared:
        """Make what the target runs. A run that got so far before its agent died is not prepared again.

        Raises:
            RunFailed, RunCancelled, TemporaryError: as the source and the builder do.
        """
        workspace = self._workspaces / run.object_name
        if (prepared := _prepared_before(run, kind, workspace)) is not None:
            return prepared
        if run.attempt > 1:
            # It has no position, so that this attempt's log is read from its beginning.
            self._logs.append(run.id, "job", [f"--- attempt {run.attempt} ---"])
        fetched = self._fetch(run, workspace)
        if fetched.pinned is not None and fetched.pinned != run.pinned_source:
            run = self._recorder.pin(run, fetched.pinned, f"The source is {fetched.digest}, in every attempt.")
        needed = self._needed(run, fetched, kind, cancelled)
        if isinstance(needed, Prepared):
            return needed
        made = self._builds.reuse(needed)
        if made is None:
            run, made = self._build(needed)
        is_beside = kind is ArtifactKind.ENVIRONMENT or made.artifact.is_base
        folder = needed.order.fetched.folder if is_beside else None
        return Prepared(run, made.artifact, folder, made.origin, made.seconds)

    def look_ahead(self, run: Run, kind: ArtifactKind, workspace: Path, cancelled: Callable[[], bool]) -> Wanted | None:
        """What would be built for a run that waits, if it were prepared now. Nothing of it is on the record.

        Raises:
            RunFailed, TemporaryError: as the source and the builder do.
        """
        needed = self._needed(run, self._fetch(run, workspace), kind, cancelled)
        return needed if isinstance(needed, Wanted) else None

    def _fetch(self, run: Run, workspace: Path) -> Fetched:
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        fetched = self._source_for(run.source.type).fetch(run.source, workspace, run.spec.job.build_context)
        if fetched.folder is None:
            workspace.rmdir()
        return fetched

    def _needed(
        self, run: Run, fetched: Fetched, kind: ArtifactKind, cancelled: Callable[[], bool]
    ) -> Prepared | Wanted:
        if fetched.image and kind is ArtifactKind.IMAGE:
            return Prepared(run, Artifact(kind, fetched.image), None)
        order = build_order(run.spec, fetched)
        if run.spec.job.base_image:
            return Prepared(run, on_base_image(run.spec.job.base_image, kind), order.fetched.folder)
        builder = self._builder_for(kind)
        return Wanted(run, builder, order, builder.key(order), cancelled)

    def discard(self, run: Run) -> None:
        """Remove the run's copy of its code."""
        shutil.rmtree(self._workspaces / run.object_name, ignore_errors=True)

    def _build(self, wanted: Wanted) -> tuple[Run, Made]:
        run = self._recorder.reach(wanted.run, State.BUILDING, Reason.BUILDING, f"Building {wanted.key[:24]}.")
        # The clock is on the record: a build that begins anew after a crash has no more time than it had.
        limit = run.spec.timeouts.build

        def is_late() -> bool:
            return limit is not None and (now() - run.since).total_seconds() >= limit

        try:
            return run, self._builds.make(replace(wanted, run=run, cancelled=lambda: is_late() or wanted.cancelled()))
        except RunCancelled as error:
            if wanted.cancelled() or not is_late():
                raise
            reason = Reason.BUILD_TIMEOUT
            raise RunFailed(FailureClass.TIMEOUT, reason, sentence(run, reason)) from error


def _prepared_before(run: Run, kind: ArtifactKind, workspace: Path) -> Prepared | None:
    """What was prepared for this attempt before its agent died, if all of it is still there."""
    if not run.image:
        return None
    job, is_base = run.spec.job, run.image_origin is ImageOrigin.BASE
    is_beside = kind is ArtifactKind.ENVIRONMENT or job.base_image or is_base
    code = workspace / (job.build_context or "") if is_beside else None
    if code is not None and not code.is_dir():
        return None
    return Prepared(run, Artifact(kind, run.image, is_base), code, run.image_origin, run.build_seconds)


def build_order(spec: RunSpec, fetched: Fetched) -> BuildOrder:
    """What is to be built for a run whose source brought this.

    Raises:
        RunFailed: class CONFIG, when the job's build context is not there, or the queue config cannot work.
    """
    try:
        wanted = queue_builder(spec.resource_config)
    except InvalidRequest as error:
        raise _cannot_work(str(error)) from error
    return BuildOrder(
        spec.job, _in_context(fetched, spec.job), base_image=wanted.base_image, accelerator=wanted.accelerator_image
    )


def _in_context(fetched: Fetched, job: Job) -> Fetched:
    """The part of the code that the job's build context names."""
    if job.build_context is None or fetched.folder is None:
        return fetched
    folder = fetched.folder / job.build_context
    if not (folder.is_dir() and folder.resolve().is_relative_to(fetched.folder.resolve())):
        raise _cannot_work(f"the job's build context {job.build_context!r} is no folder in its source")
    return replace(fetched, digest=f"{fetched.digest}/{job.build_context}", folder=folder)


def on_base_image(image: str, kind: ArtifactKind) -> Artifact:
    """The artifact of a job with a base image.

    Raises:
        RunFailed: class CONFIG, when its target runs no images.
    """
    if kind is not ArtifactKind.IMAGE:
        raise _cannot_work(
            f"the job has base image {image!r}, and this queue runs jobs as processes; leave it out, or "
            "launch on a queue with resource docker"
        )
    return Artifact(kind, image)


def _cannot_work(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
