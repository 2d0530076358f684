"""What a target does for a run."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from broker_config.errors import TemporaryError
from broker_config.findings import Finding
from broker_config.oci.logins import Login
from broker_config.runs import RunId
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind
from workers.config.cloud import Environment


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything that `render` needs; it depends neither on the time nor on the agent, but for the agent's W&B."""

    name: str  # of the run's attempt, and so of the object: deterministic
    run_id: RunId
    attempt: int
    queue: str
    artifact: Artifact
    folder: Path | None  # the run's own copy of the code, where the artifact does not hold it
    entry_point: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    config: Mapping[str, Any]  # the queue config with overrides, in the target's own shape
    installs: bool = False  # whether what the code needs is installed before the job begins
    secrets: tuple[str, ...] = ()  # variables of the agent for the job; a request names them, `submit` has their values

    def environment(self, of_queue: Mapping[str, str]) -> dict[str, str]:
        """The job's variables with the queue's laid over them, as W&B Launch does, and over all those of Launchyard."""
        own = {name: value for name, value in self.env.items() if name.startswith("LAUNCHYARD_")}
        return {**self.env, **of_queue, **own}

    @property
    def command(self) -> list[str]:
        """The entry point with its arguments."""
        return [*self.entry_point, *self.args]


def no_login(image: str) -> Login | None:  # noqa: ARG001
    """Where nobody says otherwise, what pulls an image finds a login by itself, or needs none."""
    return None


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to the platform for one object."""

    name: (
        str  # by which all other calls know the object: the workload's, and `@PLACE` behind it where there are several
    )
    body: Mapping[str, Any]  # JSON data
    passport: str = ""  # the run's record at this moment, for the day on which the broker's data are lost
    login: Callable[[str], Login | None] = field(default=no_login, repr=False, compare=False)  # that pulls an image

    @property
    def digest(self) -> str:
        """Names the content: an object of the same name with another digest is not ours to adopt."""
        text = json.dumps(self.body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Phase(StrEnum):
    """How far an object is, in the words that all platforms share."""

    STARTING = "starting"  # accepted, not running yet
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"  # it ended because `cancel` was called

    @property
    def is_end(self) -> bool:
        return self in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}


@dataclass(frozen=True, slots=True)
class Observation:
    """What the platform says of one object now."""

    phase: Phase
    reason: Reason
    text: str  # one sentence, with the platform's own words where it has some
    exit_code: int | None = None
    failure: FailureClass | None = None  # set when the phase is FAILED


class Unanswered(TemporaryError):
    """Some of a platform's places do not answer, and nothing is to be guessed of what they have."""

    def __init__(self, seen: Mapping[str, Observation], silent: Mapping[str, str]) -> None:
        super().__init__("; ".join(sorted(set(silent.values()))))
        self.seen = seen  # what the others say
        self.silent = silent  # by the object's name, why there is no answer


class Unlisted(TemporaryError):
    """Some of a platform's places do not say which objects they have."""

    def __init__(self, names: Sequence[str], silent: Iterable[str]) -> None:
        super().__init__("; ".join(sorted(set(silent))))
        self.names = names  # of the objects at the others


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Whole lines of a job's output, and the position from which to read on."""

    lines: Sequence[str] = ()
    position: str = ""
    more: bool = field(default=False)  # the next call would bring more at once
    requests: int = 1  # to the platform, that it took


class Target(Protocol):
    """A resource on which jobs run.

    1. `render` is pure: the same workload gives the same request, on every machine. It raises `RunFailed` (class
       CONFIG) when the config cannot work. It is the one place that reads the queue config.
    2. `submit` is idempotent by the request's name, also against another agent that does the same at this moment. An
       object of that name and digest is adopted silently; one with another digest raises `RunFailed` (NAME_TAKEN).
       Where this machine has no way to the platform that the request names, it raises `ConfigError`.
       After it returned, `observe` knows the object for ever, or until `release`. Where an image has to be pulled, it
       asks the request's `login` for what that needs, at that moment, and keeps the answer nowhere but where the
       platform has to find it. The digest knows nothing of it, so agents with other logins adopt each other's objects.
    3. `observe` asks the platform once for all names given. A name that is missing in its answer is gone: someone
       else removed it. It never guesses: when the platform does not answer it raises `TemporaryError`.
    4. `watch` blocks until `stop` is set. It calls `changed(name)` soon after an object's phase may have changed, and
       `changed(None)` after any gap (its start, a lost connection). It costs the same for one object and for 10,000.
    5. `read_logs` returns without waiting what is new since `position`, which is opaque and survives restarts; "" is
       the beginning. It works until `release`, and for an object that is gone it returns an empty chunk.
    6. `cancel` asks the object to end and has it ended by force after `grace_seconds`, even when this agent dies
       meanwhile. It returns soon, may be called again, and succeeds for an object that has ended or is gone.
    7. `release` removes what the object still takes (a stopped container, a folder), after its end was recorded. It
       raises `TemporaryError` for one that runs. The name stays taken, also one that was never submitted: a `submit`
       that comes later, from an agent that was frozen before it, makes nothing.
    8. `released` names the objects that were released longer ago, and `forget` gives such a name free. A platform that
       keeps its objects for good keeps their names taken with them, and then `released` has no word of those.
    9. `inventory` names every object of ours that the platform has and that was not released, whoever submitted it. It
       raises `Unlisted` with what it has heard when some of the platform's places do not answer.
    10. `passport` gives back the text that came with an object's request, which is no part of its digest; "" when the
        object is gone or has none.
    11. All calls come from several threads. Errors: `RunFailed` when trying again cannot help, with the platform's own
        words; `TemporaryError` when it may.
    """

    artifact: ClassVar[ArtifactKind]
    """What this target runs."""

    is_local: ClassVar[bool]
    """Whether its objects live on the agent's machine, so that only an agent there can take them over."""

    def __init__(self, home: Path) -> None: ...

    def render(self, workload: Workload) -> Request: ...

    def submit(self, request: Request) -> None: ...

    def observe(self, names: Sequence[str]) -> Mapping[str, Observation]: ...

    def watch(self, changed: Callable[[str | None], None], stop: threading.Event) -> None: ...

    def read_logs(self, name: str, position: str) -> LogChunk: ...

    def cancel(self, name: str, grace_seconds: float) -> None: ...

    def release(self, name: str) -> None: ...

    def released(self, older_than_seconds: float) -> Sequence[str]: ...

    def forget(self, name: str) -> None: ...

    def inventory(self) -> Sequence[str]: ...

    def passport(self, name: str) -> str: ...


@runtime_checkable
class Rehearsing(Protocol):
    """A target whose platform says what it thinks of a request before anything is made."""

    def rehearse(self, request: Request) -> Sequence[Finding]:
        """What the platform has against a request, in its own words: an error where it would refuse it.

        Raises:
            TemporaryError: when it does not say.
            ConfigError: when this machine has no way to it.
        """


@runtime_checkable
class Searching(Protocol):
    """A target whose objects are in places of which a machine knows only those where it has sent some."""

    def learn(self, config: Mapping[str, Any]) -> None:
        """Know the place to which a queue config leads, for `inventory`.

        Raises:
            ConfigError: when this machine has no way to it.
            RunFailed: when there is no such place.
            TemporaryError: when the platform does not say.
        """

    def search(self) -> Sequence[str]:
        """Know all places in which there are objects of ours; a sentence for each part that was not looked at."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What an agent has to be allowed at a platform, for the jobs of one config."""

    policy: Mapping[str, Any]  # all of it and nothing else, as the platform writes it; JSON data
    missing: Sequence[str] = ()  # of what can be asked about without doing it: what is not allowed now, in its words


@runtime_checkable
class Permitted(Protocol):
    """A target whose platform gives rights one by one."""

    def permissions(self, request: Request) -> Permissions:
        """What an agent has to be allowed to send a request, to follow its job and to end it. Changes nothing.

        Raises:
            TemporaryError: when the platform does not say.
            ConfigError: when this machine has no way to it.
        """


@runtime_checkable
class OwnGrace(Protocol):
    """A target whose platform alone decides how long a job may go on that was asked to end."""

    @property
    def grace_seconds(self) -> float | None:
        """Until the platform ends it by force; None where the platform does not say."""


@runtime_checkable
class Located(Protocol):
    """A target that is at the place of the agent's environment where a queue does not say where."""

    def locate(self, environment: Environment | None) -> None:
        """Take the agent's block `environment`. Called before everything else."""
