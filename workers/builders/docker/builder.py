"""The docker builder: from a job's code to an image with the code's key in its tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from broker_config.errors import TemporaryError
from broker_config.runs import FailureClass, Reason
from workers.builders.docker import buildx, classic
from workers.builders.docker.engine import Engine
from workers.builders.docker.output import follow
from workers.builders.docker.plan import Plan, Running
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.builder import DockerBuilderConfig
from workers.failures import RunFailed
from workers.images.bases import Bases
from workers.images.python_version import AGENT_PYTHON
from workers.images.recipe import KEY_LABEL, TAG_LENGTH, Code, Recipe, Recipes

LOCAL_REPOSITORY = "launchyard/job"
"""Images that stay on the engine. The name has no registry, so a push of it by mistake goes nowhere of ours."""

_JOBS_OWN = ("did not complete successfully", "returned a non-zero code")
_PASSING = (
    "cannot connect to the docker daemon",
    "code = unavailable",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "no space left on device",
    "no such host",
    "server misbehaving",
    "tls handshake timeout",
    "toomanyrequests",
    "unexpected eof",
    "was killed by",
)
"""Words for trouble of the machinery that may pass; a command of the Dockerfile that failed is the job's own."""


class DockerBuilder:
    """Builds with BuildKit where the docker CLI has buildx, and with the engine's classic builder elsewhere."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: DockerBuilderConfig) -> None:
        self._config = config
        self._engine = Engine()

    @property
    def place(self) -> str:
        return f"engine {self._engine.id}"

    def check(self) -> Sequence[str]:
        lacks = []
        if not self._has_buildx:
            lacks.append("has no docker CLI with buildx, so builds have no cache of packages; install docker-buildx")
        base = self._config.python_image.replace("{python}", AGENT_PYTHON)
        if self._engine.image_labels(base) is None and not self._engine.can_pull(base):
            lacks.append(
                f"cannot have {base}, on which code without a Dockerfile is built; check its way to Docker Hub, or "
                "set builder.python-image"
            )
        return lacks

    def key(self, order: BuildOrder) -> str:
        return self._recipe(order).key

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        reference = _local(key)
        labels = self._engine.image_labels(reference)
        # The tag has the beginning of the key; the label has all of it.
        return _image(reference) if labels is not None and labels.get(KEY_LABEL) == key else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        recipe = self._recipe(order, key)
        plan = Plan(recipe, order.push.reference if order.push else _local(key), self._config.platform)
        how = (
            "docker buildx"
            if self._has_buildx
            else "docker's classic builder, since there is no docker CLI with buildx"
        )
        log(f"building {plan.reference} from {recipe.origin} with {how}")
        running: Running = buildx.BuildxBuild(plan) if self._has_buildx else classic.ClassicBuild(self._engine, plan)
        last = follow(running.lines(), running.end, log, cancelled)
        if (words := running.failure(last)) is not None:
            raise _failed(words, last)
        if order.push:
            self._engine.push(order.push, log, cancelled)
        return _image(plan.reference)

    def _recipe(self, order: BuildOrder, key: str | None = None) -> Recipe:
        code = Code(order.fetched.folder, order.fetched.digest, order.accelerator)
        return self._recipes.recipe(order.job, code, key)

    @cached_property
    def _recipes(self) -> Recipes:
        bases = Bases(self._engine.base)
        return Recipes(self._config, self._engine.platform, bases, mounts=self._has_buildx)

    @cached_property
    def _has_buildx(self) -> bool:
        return buildx.is_there()


def _local(key: str) -> str:
    return f"{LOCAL_REPOSITORY}:{key[:TAG_LENGTH]}"


def _image(reference: str) -> Artifact:
    return Artifact(ArtifactKind.IMAGE, reference)


def _failed(words: str, last: Sequence[str]) -> RunFailed | TemporaryError:
    is_jobs_own = any(said in words for said in _JOBS_OWN)
    if not is_jobs_own and any(word in words.lower() for word in _PASSING):
        return TemporaryError(f"the image could not be built: {words}")
    return RunFailed(
        FailureClass.BUILD,
        Reason.BUILD_FAILED,
        f"the build of the image failed: {words}; its last lines:\n" + "\n".join(last),
    )
