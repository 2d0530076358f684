"""The docker builder: from a job's code to an image with the code's key in its tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from broker_config.errors import ConfigError
from workers.builders.docker.classic import ClassicBuild
from workers.builders.docker.engine import Engine, LocalImage
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.builder import DockerBuilderConfig
from workers.images.bases import Bases
from workers.images.buildx import build as buildx
from workers.images.buildx.plan import Plan
from workers.images.buildx.program import Buildx, find
from workers.images.failing import failed
from workers.images.output import follow
from workers.images.python_version import AGENT_PYTHON
from workers.images.recipe import KEY_LABEL, TAG_LENGTH, Code, Recipe, Recipes
from workers.images.scratch import Scratch
from workers.images.steps import Ended

LOCAL_REPOSITORY = "launchyard/job"
"""Images that stay on the engine. The name has no registry, so a push of it by mistake goes nowhere of ours."""


class DockerBuilder:
    """Builds with BuildKit where the docker CLI has buildx, and with the engine's classic builder elsewhere."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: DockerBuilderConfig) -> None:
        self._config = config
        self._engine = Engine()
        self._scratch = Scratch(home)
        if "," in (config.platform or "") and not (self._buildx and self._engine.has_image_store):
            raise ConfigError(
                f"builder docker: {config.platform} takes buildx and an engine with the containerd image store; switch "
                "that store on, or name one platform"
            )

    @property
    def place(self) -> str:
        return f"engine {self._engine.id}"

    def check(self) -> Sequence[str]:
        lacks = []
        if not self._buildx:
            lacks.append("has no docker CLI with buildx, so builds have no cache of packages; install docker-buildx")
        if idle := [cache for cache in self._config.cache_to if cache not in self._cache_to]:
            lacks.append(
                f"writes no cache to {' and '.join(idle)}: that takes buildx and an engine with the containerd image "
                "store; switch that store on, or write type=inline"
            )
        base = self._config.python_image.replace("{python}", AGENT_PYTHON)
        if self._engine.image(base) is None and not self._engine.can_pull(base):
            lacks.append(
                f"cannot have {base}, on which code without a Dockerfile is built; check its way to Docker Hub, or "
                "set builder.python-image"
            )
        return lacks

    def remove(self, key: str, reference: str) -> str:
        found = self._engine.image(reference)
        if found is not None and found.labels.get(KEY_LABEL) != key:
            return "another image has its name by now"
        return self._engine.remove(reference)

    def key(self, order: BuildOrder) -> str:
        return self._recipe(order).key

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        found = self._engine.image(_local(key))
        # The tag has the beginning of the key; the label has all of it.
        return _artifact(_local(key), found) if found is not None and found.labels.get(KEY_LABEL) == key else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        plan = self._plan(order, key)
        how = "docker buildx" if self._buildx else "docker's classic builder, since there is no docker CLI with buildx"
        log(f"building {plan.reference} from {plan.recipe.origin} with {how}")
        push = order.push
        if self._buildx:
            ended = buildx.build(plan, push.login if push else _nobody, self._scratch, log, cancelled)
        else:
            ended = self._build_classic(plan, log, cancelled)
        if push and not ended.pushed:
            self._engine.push(push, log, cancelled)
        artifact = _artifact(plan.reference, self._engine.image(plan.reference))
        return replace(artifact, reference=ended.pushed or plan.reference, steps=ended.steps)

    def _build_classic(self, plan: Plan, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Ended:
        ended = follow(ClassicBuild(self._engine, plan), log, cancelled)
        if ended.failure:
            raise failed(ended.failure, plan.reference)
        return ended

    def _plan(self, order: BuildOrder, key: str) -> Plan:
        return Plan(
            recipe=self._recipe(order, key),
            reference=order.push.reference if order.push else _local(key),
            platform=self._config.platform,
            pushes=order.push is not None and self._engine.has_image_store and self._buildx is not None,
            progress=self._buildx.progress if self._buildx else "",
            cache_from=self._config.cache_from,
            cache_to=self._cache_to,
        )

    def _recipe(self, order: BuildOrder, key: str | None = None) -> Recipe:
        code = Code(order.fetched.folder, order.fetched.digest, order.accelerator)
        return self._recipes.recipe(order.job, code, key)

    @cached_property
    def _recipes(self) -> Recipes:
        bases = Bases(self._engine.base)
        return Recipes(self._config, self._engine.platform, bases, mounts=self._buildx is not None)

    @cached_property
    def _buildx(self) -> Buildx | None:
        return find()

    @cached_property
    def _cache_to(self) -> tuple[str, ...]:
        """The caches that can be written here: one without a place of its own, in the image, always can."""
        can_all = self._buildx is not None and self._engine.has_image_store
        return tuple(cache for cache in self._config.cache_to if can_all or cache == "type=inline")


def _nobody() -> None:
    """The login of an image that stays here."""


def _local(key: str) -> str:
    return f"{LOCAL_REPOSITORY}:{key[:TAG_LENGTH]}"


def _artifact(reference: str, found: LocalImage | None) -> Artifact:
    return Artifact(ArtifactKind.IMAGE, reference, size_bytes=found.size_bytes if found else None)
