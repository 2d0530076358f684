"""Plans: what the target of a launch would be sent, shown before the launch and held to after it."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from pydantic import Field

from broker_config.findings import Severity
from broker_config.frozen import Frozen
from broker_config.queues import Name
from broker_config.runs import Launch, RunId, RunSpec


class Note(Frozen):
    """Something about a launch that its author should know."""

    severity: Severity
    pointer: str = ""  # JSON Pointer of the place in the run's config; "" is all of the launch
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.pointer}: {self.text}" if self.pointer else f"{self.severity}: {self.text}"


class Change(Frozen):
    """A place of the request that is different in an earlier run's; None where one of them does not have it."""

    pointer: str
    old: Any = None
    new: Any = None


class Inquiry(Frozen):
    """What is asked of the program that knows the targets."""

    spec: RunSpec
    earlier: RunSpec | None = None  # to be compared with


class Preview(Frozen):
    """What a run's target would be sent. Values of variables that look like secrets are masked in all of it.

    What is known after the build only stands there as a placeholder: `${image_uri}`, `${environment}`, `${code}`,
    `${git_commit}`. So do macros of the agent's environment.
    """

    digest: str = ""  # of the request before anything in it was masked; empty when there is none
    request: dict[str, Any] | None = None  # None when the config cannot work; the notes say why
    origins: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # who decides each leaf, by JSON Pointer
    environment: dict[str, str] = Field(default_factory=dict)  # what the job is given, without what its agent adds
    build: str = ""  # one sentence: the image or environment that would be built or used again
    notes: tuple[Note, ...] = ()
    changes: tuple[Change, ...] | None = None  # against the earlier run, where one was named

    @property
    def is_possible(self) -> bool:
        return not any(note.severity is Severity.ERROR for note in self.notes)


class Trial(Frozen):
    """Runs on one queue that nobody has launched, of which their target is asked what it thinks."""

    specs: tuple[RunSpec, ...] = Field(min_length=1)


class Rehearsal(Frozen):
    """What a target says of runs that are not made: an error where it would refuse one."""

    notes: tuple[Note, ...] = ()
    unasked: str = ""  # why it was not asked; empty when it was


class Plan(Frozen):
    """A launch that was looked at, and can be made as it was seen: the run's id and name are chosen already."""

    format: Literal[1] = 1
    run_id: RunId
    name: Name
    author: str
    launch: Launch
    queue_revision: int
    spec_digest: str
    preview: Preview


def spec_digest(spec: RunSpec) -> str:
    """Names what an agent would carry out, but for the time of the enqueue."""
    text = spec.model_dump_json(exclude={"created_at", "planned"})
    return hashlib.sha256(text.encode()).hexdigest()[:32]
