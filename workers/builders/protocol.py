"""What a builder does for a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from broker_config.jobs import Job
from broker_config.oci.logins import Login
from workers.images.steps import BuildStep
from workers.sources.protocol import Fetched


class ArtifactKind(StrEnum):
    """What a target runs."""

    IMAGE = "image"  # a container image
    ENVIRONMENT = "environment"  # a folder with `bin/python`, on the agent's machine


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a build produced."""

    kind: ArtifactKind
    reference: str  # an image reference, or the path of an environment's folder
    is_base: bool = False  # the code is not in it: it is brought in, and what it needs is installed, at the start
    size_bytes: int | None = field(default=None, compare=False)  # where the builder knows it
    steps: tuple[BuildStep, ...] = field(default=(), compare=False)  # of the build that made it just now


@dataclass(frozen=True, slots=True)
class Push:
    """Where an image is to be pushed. Its login is asked for at the push: a build may outlive a registry's token.

    Without a login it is pushed with what the builder's own tool has.
    """

    reference: str  # with its tag
    login: Callable[[], Login | None] = field(default=lambda: None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What to build from, and where the image goes; without a `push` it stays where it is built."""

    job: Job
    fetched: Fetched
    push: Push | None = None
    base_image: str | None = None  # in which the queue wants code to run that no builder builds an image for
    accelerator: str | None = None  # the image that the queue wants Dockerfiles written for its jobs to build upon


class Builder(Protocol):
    """A way to make an artifact.

    1. Made once an agent with the home folder and its block of the agent's config: a model of `workers.config.builder`,
       which for a member of another package is `OtherBuilderConfig` with its options as they stand in the file. Raises
       `ConfigError` there when those options or this machine cannot work.
    2. `key` names the artifact by everything that changes it (content, Dockerfile, base, arguments, platform), and by
       nothing else.
    3. `find` returns the artifact of a key when it exists already, and never builds. Of what was pushed it knows
       nothing: the registry is asked instead.
    4. `build` makes it, giving each line of output to `log`. `cancelled` is asked at least twice a second; when it
       says yes the build is ended, nothing is left running, and `RunCancelled` is raised. It is called once at a time
       for a key at a place, as far as the broker knows of agents; one that was cut off may still build, so the last
       step of a build is atomic. A builder that says `pushes` may be given an order with a `push`, and has pushed the
       image there when it returns.
    5. After a crash in `build`, `find` and `build` work as if it had never been called.
    6. `check` says in sentences, each with its cure, what builds will lack here. It builds nothing, and may ask the
       network.
    7. It raises `RunFailed` (class BUILD) with the last lines of output when the build itself failed, and
       `TemporaryError` when the machinery did (no answer, no space).
    8. `place` names where artifacts stay that are not pushed, such as an engine or a folder of a machine: what one
       agent has built there, every agent with the same place finds.
    9. `remove` takes away what was built for a key and has that reference there, so that `find` finds it no more. It
       returns why that stays which stays, for people; nothing when it is gone, or was before.
    """

    pushes: ClassVar[bool]

    @property
    def place(self) -> str: ...

    def __init__(self, home: Path, config: Any) -> None: ...

    def check(self) -> Sequence[str]: ...

    def remove(self, key: str, reference: str) -> str: ...

    def key(self, order: BuildOrder) -> str: ...

    def find(self, order: BuildOrder, key: str) -> Artifact | None: ...

    def build(
        self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]
    ) -> Artifact: ...
