"""The buildkit builder: from a job's code to an image in a registry, by a BuildKit daemon at an address."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from broker_config.errors import ConfigError
from broker_config.states import FailureClass, Reason
from workers.builders.buildkit.daemon import introduce
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.buildkit import BuildkitBuilderConfig
from workers.failures import RunFailed
from workers.images.bases import Bases
from workers.images.buildx import build as buildx
from workers.images.buildx.plan import Plan
from workers.images.buildx.program import find
from workers.images.recipe import Code, Recipe, Recipes
from workers.images.registry_images import base_of, size_of
from workers.images.scratch import Scratch

ADDRESS_VARIABLE = "BUILDKIT_HOST"
"""BuildKit's own, which its `buildctl` reads too."""


class BuildkitBuilder:
    """Builds on the daemon that the config names, or else `BUILDKIT_HOST`. It keeps no image: all are pushed."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: BuildkitBuilderConfig) -> None:
        address = config.address or os.environ.get(ADDRESS_VARIABLE)
        if not address:
            raise ConfigError(f"builder buildkit: no daemon is named; write builder.address, or set {ADDRESS_VARIABLE}")
        program = find()
        if program is None:
            raise ConfigError(
                "builder buildkit: there is no docker CLI with buildx, which speaks to BuildKit; install docker-cli "
                "and docker-buildx (they need no engine for it)"
            )
        self._config = config
        self._scratch = Scratch(home)
        self._progress = program.progress
        self._daemon = introduce(address, config.tls, home)
        self._recipes = Recipes(config, self._daemon.platform, Bases(base_of), mounts=True)

    @property
    def place(self) -> str:
        return f"nowhere but in a registry, by {self._daemon.address}"

    def check(self) -> Sequence[str]:
        return []

    def remove(self, key: str, reference: str) -> str:
        return "builder buildkit keeps no image"

    def key(self, order: BuildOrder) -> str:
        return self._recipe(order).key

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        return None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        push = order.push
        if push is None:
            raise RunFailed(
                FailureClass.CONFIG,
                Reason.CONFIG_INVALID,
                "builder buildkit keeps no image; set builder.destination in the agent's config, registry/path/name",
            )
        plan = Plan(
            recipe=self._recipe(order, key),
            reference=push.reference,
            platform=self._config.platform,
            progress=self._progress,
            pushes=True,
            cache_from=self._config.cache_from,
            cache_to=self._config.cache_to,
            environment=self._daemon.environment,
        )
        log(f"building {plan.reference} from {plan.recipe.origin} with BuildKit at {self._daemon.address}")
        ended = buildx.build(plan, push.login, self._scratch, log, cancelled)
        size = size_of(ended.pushed or plan.reference, push.login)
        return Artifact(ArtifactKind.IMAGE, ended.pushed or plan.reference, size_bytes=size, steps=ended.steps)

    def _recipe(self, order: BuildOrder, key: str | None = None) -> Recipe:
        return self._recipes.recipe(order.job, Code(order.fetched.folder, order.fetched.digest, order.accelerator), key)
