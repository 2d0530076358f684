"""From what a caller writes to a launch that is checked: nothing here speaks to the broker."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Required, TypedDict

from broker_config.errors import InvalidRequest, did_you_mean
from broker_config.frozen import parse
from broker_config.jobs import Job
from broker_config.priorities import Priority, parse_priority
from broker_config.runs import Launch, RunId, now
from producer.packing import Archive, pack
from producer.sources import Given, LocalCode, Meant, hint, meant

_WORDS = ("entry_point", "args")
_ID_IN_NAME = 6
_WORD_IN_NAME = 50


class LaunchFields(TypedDict, total=False):
    """The fields of a launch, flat: those of `broker_config.jobs.Job` beside those of `broker_config.runs.Launch`."""

    queue: Required[str]
    source: Required[Given]
    entry_point: Sequence[str]  # argv; an image's own when absent
    args: Sequence[str | int | float]  # appended to the entry point
    env: Mapping[str, str | int | float]  # plain values: no secrets
    run_config: Mapping[str, Any]  # given to the job as JSON in LAUNCHYARD_CONFIG
    overrides: Mapping[str, Any]  # laid over the queue config
    template_variables: Mapping[str, Any]  # values for the queue's template variables, by name
    priority: str | int | Priority
    name: str | None
    entity: str | None  # of the queue, for a caller who wants to be sure
    project: str | None  # what the run belongs to; the job sees it
    labels: Mapping[str, str]
    idempotency_key: str | None
    not_before: datetime | float | None  # no agent takes it earlier: a time with its zone, or seconds from now
    after: Sequence[str]  # ids of runs that have to succeed before
    retries: Mapping[str, Any] | None  # fewer than the queue's, by failure class: {"infra": 0}
    timeouts: Mapping[str, Any] | None  # shorter than the queue's, in seconds: {"run": 3600}
    build_context: str | None  # folder inside the source that counts as the code
    dockerfile: str | None  # path inside the build context
    base_image: str | None  # nothing is built: this image runs, with the code brought into it
    python_version: str | None  # "3.12"


_FIELDS = frozenset(LaunchFields.__annotations__)
_JOB_FIELDS = frozenset(Job.model_fields)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A launch that is checked, and what has to be in the store before it is enqueued."""

    launch: Launch
    hint: str  # a word for the default name
    archive: Archive | None = None

    def name(self, run_id: RunId) -> str:
        """The run's name: the caller's, or one that says what runs and is unique enough to be told apart."""
        if self.launch.name:
            return self.launch.name
        word = re.sub(r"[^A-Za-z0-9._-]+", "-", self.hint)[:_WORD_IN_NAME].strip("._-")
        return f"{word or self.launch.queue[:_WORD_IN_NAME]}-{run_id[:_ID_IN_NAME]}"


class Preparation:
    """Checks launches one by one, and packs each folder once however many of them name it."""

    def __init__(self, max_code_bytes: int) -> None:
        self._max_code_bytes = max_code_bytes
        self._packed: dict[Path, Archive] = {}

    def prepare(self, launch: Launch | LaunchFields) -> Prepared:
        """Check a launch.

        Raises:
            InvalidRequest: when a field is unknown, missing or wrong, or the code cannot be packed.
        """
        if isinstance(launch, Launch):
            return Prepared(launch, hint(launch.job.source))
        fields: dict[str, Any] = dict(launch)
        _check_names(fields)
        source = meant(fields["source"])
        archive = self._pack(source)
        job = {name: _plain(name, value) for name, value in fields.items() if name in _JOB_FIELDS}
        job["source"] = (archive.source if archive else source).model_dump()  # type: ignore[union-attr]
        rest = {name: value for name, value in fields.items() if name not in _JOB_FIELDS}
        rest["priority"] = parse_priority(fields.get("priority", Priority.MEDIUM))
        rest["not_before"] = _moment(fields.get("not_before"))
        checked = parse(Launch, {**rest, "job": parse(Job, job, "launch")}, "launch")
        return Prepared(checked, hint(source), archive)

    def _pack(self, source: Meant) -> Archive | None:
        if not isinstance(source, LocalCode):
            return None
        folder = source.folder.resolve()
        if folder not in self._packed:
            self._packed[folder] = pack(folder, self._max_code_bytes)
        return self._packed[folder]


def _check_names(fields: Mapping[str, Any]) -> None:
    problems = [f"unknown field {name!r}{did_you_mean(name, _FIELDS)}" for name in fields if name not in _FIELDS]
    problems += [f"field {name!r} is missing" for name in ("queue", "source") if name not in fields]
    if problems:
        raise InvalidRequest("launch: " + "; ".join(problems))


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
