"""From what a caller writes to a launch that is checked: nothing here speaks to the broker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Required, TypedDict

from broker_config.errors import InvalidRequest, did_you_mean
from broker_config.frozen import parse
from broker_config.inputs import check_run_config
from broker_config.jobs import Job, Source
from broker_config.named_jobs import JobVersion
from broker_config.overrides import merge
from broker_config.priorities import Priority, parse_priority
from broker_config.queues import full_name
from broker_config.runs import Launch, RunId, new_run_id, now
from producer import checkouts
from producer.packing import Archive, pack
from producer.progress import Progress
from producer.sources import Given, LocalCode, LocalGit, Meant, hint, meant

_WORDS = ("entry_point", "args")
_ID_IN_NAME = 6
_WORD_IN_NAME = 50


class JobFields(TypedDict, total=False):
    """The fields of `broker_config.jobs.Job`, as a caller may write them."""

    entry_point: Sequence[str]  # argv; an image's own when absent
    args: Sequence[str | int | float]  # appended to the entry point
    env: Mapping[str, str | int | float]  # plain values: no secrets
    run_config: Mapping[str, Any]  # given to the job as JSON in LAUNCHYARD_CONFIG
    retries: Mapping[str, Any] | None  # fewer than the queue's, by failure class: {"infra": 0}
    timeouts: Mapping[str, Any] | None  # shorter than the queue's, in seconds: {"run": 3600}
    build_context: str | None  # folder inside the source that counts as the code
    dockerfile: str | None  # path inside the build context
    base_image: str | None  # nothing is built: this image runs, with the code brought into it
    python_version: str | None  # "3.12"


class LaunchFields(JobFields, total=False):
    """The fields of a launch, flat: those of a job beside those of `broker_config.runs.Launch`."""

    queue: Required[str]
    source: Given  # this, or
    job: str  # a named job, as `name`, `name:v2`, `name:alias` or `entity/name:alias`
    overrides: Mapping[str, Any]  # laid over the queue config
    template_variables: Mapping[str, Any]  # values for the queue's template variables, by name
    priority: str | int | Priority
    name: str | None
    entity: str | None  # of the queue, where its name does not say it
    project: str | None  # what the run belongs to; the job sees it
    labels: Mapping[str, str]
    idempotency_key: str | None
    not_before: datetime | float | None  # no agent takes it earlier: a time with its zone, or seconds from now
    after: Sequence[str]  # ids of runs that have to succeed before


_FIELDS = frozenset(LaunchFields.__annotations__)
_JOB_FIELDS = frozenset(Job.model_fields)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is to be enqueued."""

    id: RunId
    name: str
    launch: Launch


@dataclass(frozen=True, slots=True)
class Prepared:
    """A launch that is checked, and what has to be in the store before it is enqueued."""

    launch: Launch
    hint: str  # a word for the default name
    archive: Archive | None = None

    def new_run(self) -> NewRun:
        """A run of its own, with the caller's name or one that says what runs and is unique enough to be told apart."""
        run_id = new_run_id()
        word = re.sub(r"[^A-Za-z0-9._-]+", "-", self.hint)[:_WORD_IN_NAME].strip("._-")
        made_up = f"{word or self.launch.queue.rpartition('/')[2][:_WORD_IN_NAME]}-{run_id[:_ID_IN_NAME]}"
        return NewRun(run_id, self.launch.name or made_up, self.launch)


@dataclass(frozen=True, slots=True)
class MadeJob:
    """A job that is checked, with the archive of its code if that has to be stored."""

    job: Job
    hint: str
    archive: Archive | None = None


class Preparation:
    """Checks launches one by one; each folder is packed, and each named job looked up, once however many name it."""

    def __init__(
        self, max_code_bytes: int, progress: Progress, find: Callable[[str, str], JobVersion] | None = None
    ) -> None:
        """`find` gives the version that a reference means in a launch on a queue."""
        self._max_code_bytes = max_code_bytes
        self._progress = progress
        self._find = cache(find) if find else None
        self._packed: dict[Path, Archive] = {}
        self._checkout = cache(checkouts.read)

    def prepare(self, launch: Launch | LaunchFields) -> Prepared:
        """Check a launch.

        Raises:
            InvalidRequest: when a field is unknown, missing or wrong, or the code cannot be packed.
            NotFound: when there is no such named job.
        """
        if isinstance(launch, Launch):
            return Prepared(launch, hint(launch.job.source))
        fields: dict[str, Any] = dict(launch)
        _check_names(fields, _FIELDS, ["queue"] if "job" in fields else ["queue", "source"], "launch")
        reference = fields.pop("job", None)
        if reference is not None and "source" in fields:
            raise InvalidRequest(f"launch: job {reference!r} has its source; leave source out, or job")
        of_job = {name: fields.pop(name) for name in [*fields] if name in _JOB_FIELDS}
        fields["priority"] = parse_priority(fields.get("priority", Priority.MEDIUM))
        fields["not_before"] = _moment(fields.get("not_before"))
        if reference is None:
            made = self._made(of_job, "launch")
        else:
            version = self._version(reference, fields.get("queue"), fields.get("entity"))
            made = MadeJob(_changed(version, of_job), version.definition.name)
            fields = {**fields, "job_version": version.reference}
            fields["project"] = fields.get("project") or version.definition.project
        return Prepared(parse(Launch, {**fields, "job": made.job}, "launch"), made.hint, made.archive)

    def job(self, fields: Mapping[str, Any]) -> MadeJob:
        """Check the fields of a job, flat, with its source.

        Raises:
            InvalidRequest: as for `prepare`.
        """
        _check_names(fields, _JOB_FIELDS, ["source"], "job")
        return self._made(fields, "job")

    def _made(self, fields: Mapping[str, Any], what: str) -> MadeJob:
        source = meant(fields["source"])
        _check_places(source, fields, what)
        brought, archive = self._brought(source)
        given = {name: _plain(name, value) for name, value in fields.items()}
        given["source"] = brought.model_dump()
        return MadeJob(parse(Job, given, what), hint(source), archive)

    def _version(self, reference: Any, queue: Any, entity: Any) -> JobVersion:
        if not (isinstance(reference, str) and isinstance(queue, str) and self._find):
            raise InvalidRequest(f"launch: job {reference!r} is no name of a job, such as 'train:v2'")
        return self._find(reference, full_name(queue, entity if isinstance(entity, str) else None))

    def _brought(self, source: Meant) -> tuple[Source, Archive | None]:
        """What a job names for the source, and what of it has to be in the store."""
        if isinstance(source, LocalGit):
            checkout = self._checkout(source.folder, self._max_code_bytes)
            return checkout.source, checkout.patch
        if not isinstance(source, LocalCode):
            return source, None
        archive = self._pack(source)
        return archive.source, archive

    def _pack(self, source: LocalCode) -> Archive:
        folder = source.folder.resolve()
        if folder not in self._packed:
            self._packed[folder] = pack(folder, self._max_code_bytes, self._progress)
        return self._packed[folder]


def _check_names(fields: Mapping[str, Any], known: frozenset[str], needed: Sequence[str], what: str) -> None:
    problems = [f"unknown field {name!r}{did_you_mean(name, known)}" for name in fields if name not in known]
    problems += [f"field {name!r} is missing" for name in needed if name not in fields]
    if problems:
        raise InvalidRequest(f"{what}: " + "; ".join(problems))


def _check_places(source: Meant, fields: Mapping[str, Any], what: str) -> None:
    """Told now, and not when an agent has taken the run: a folder or Dockerfile that is not in local code."""
    context, dockerfile = fields.get("build_context"), fields.get("dockerfile")
    if not isinstance(source, LocalCode) or not isinstance(context or "", str) or not isinstance(dockerfile or "", str):
        return
    folder = source.folder / (context or "")
    if context and not folder.is_dir():
        raise InvalidRequest(f"{what}: build_context {context!r} is no folder in {str(source.folder)!r}")
    if dockerfile and not (folder / dockerfile).is_file():
        raise InvalidRequest(f"{what}: dockerfile {dockerfile!r} is no file in {str(folder)!r}")


def _changed(version: JobVersion, fields: Mapping[str, Any]) -> Job:
    """A named job with the fields of a launch over it."""
    changed = job_with(version.job, fields)
    if version.definition.inputs is None:
        return changed
    run_config = check_run_config(version.definition.inputs, changed.run_config, f"job {version.reference!r}")
    return changed.model_copy(update={"run_config": run_config})


def job_with(job: Job, fields: Mapping[str, Any]) -> Job:
    """A job with the fields of a launch over it: env and run config key by key, the others whole.

    Raises:
        InvalidRequest: when a field is wrong.
    """
    given = {name: _plain(name, value) for name, value in fields.items() if value is not None}
    for name in ("env", "run_config"):
        if isinstance(given.get(name), Mapping):
            given[name] = merge(getattr(job, name), given[name])
    return parse(Job, {**job.model_dump(), **given}, "launch")


def _plain(name: str, value: Any) -> Any:
    """Numbers in command lines and environments as text; everything else is left to the model's own check."""
    if name in _WORDS and isinstance(value, str):
        raise InvalidRequest(f"launch: {name} is the text {value!r}; give a list of its words: {value.split()!r}")
    if name in _WORDS and isinstance(value, Sequence):
        return tuple(_text(word) for word in value)
    if name == "env" and isinstance(value, Mapping):
        return {key: _text(item) for key, item in value.items()}
    return value


def _moment(value: Any) -> Any:
    """A delay in seconds as the time at which it ends."""
    is_delay = isinstance(value, int | float) and not isinstance(value, bool)
    return now() + timedelta(seconds=value) if is_delay else value


def _text(value: Any) -> Any:
    if type(value) is str:
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value
