"""The family members that this agent uses, made when a run first needs them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from broker_config.errors import ConfigError
from broker_config.states import FailureClass, Reason
from broker_config.store.code import CodeStore
from workers import families
from workers.builders.protocol import ArtifactKind, Builder
from workers.building.pushing import PushingBuilder
from workers.clouds import registry_of, target_of
from workers.collect import Collector
from workers.config import AgentConfig
from workers.config.builder import VenvConfig
from workers.failures import RunFailed
from workers.registries.protocol import Registry
from workers.sources.protocol import Source
from workers.targets.neighbours import Limits
from workers.targets.protocol import Target
from workers.watch import Watcher

logger = logging.getLogger(__name__)

ENVIRONMENT_BUILDER = "venv"
BUILDER_PREFERENCE = {
    # Also without buildx: an engine that builds most often runs the jobs as well, and then no image moves.
    "docker": "a Docker engine answers here",
    "buildkit": "the BuildKit daemon that BUILDKIT_HOST names answers",
    "noop": "nothing here builds images",
}
"""Image builders in the order in which they are tried when the config names none, and why one is taken."""


class Served:
    """A target with the threads that follow its runs."""

    def __init__(self, target: Target, watcher: Watcher, collector: Collector) -> None:
        self.target = target
        self.watcher = watcher
        self.collector = collector
        collector.start()
        watcher.start()

    def stop(self) -> None:
        """End the threads; the jobs go on."""
        self.watcher.stop()
        self.collector.stop()


class Members:
    """Sources, builders and targets by name, one instance each."""

    def __init__(
        self,
        home: Path,
        code: CodeStore,
        config: AgentConfig,
        follow: Callable[[Target], Served],
        limits: Limits | None = None,
    ) -> None:
        """`limits`: those that all agents share, where targets are followed."""
        self._home = home
        self._code = code
        self._config = config
        self._builder_type = config.builder.type if config.builder else None
        self._follow = follow
        self._limits = limits
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = threading.RLock()

    def check(self, resources: Iterable[str]) -> None:
        """Make the builders that the config names, and choose one when it names none and a resource runs images.

        Raises:
            ConfigError: when one cannot work here: better at the agent's start than with its first run.
        """
        if self._builder_type or any(runs_images(resource) for resource in resources):
            self.builder_for(ArtifactKind.IMAGE)
        if self._config.venv != VenvConfig():
            self.builder_for(ArtifactKind.ENVIRONMENT)

    def source(self, name: str) -> Source:
        """The source of that name."""
        source: Source = self._once(
            "sources", name, lambda: families.load("sources", name)(self._code, self._home, self._config)
        )
        return source

    def served(self, resource: str) -> Served:
        """The target of that name, followed."""
        served: Served = self._once(
            "targets", resource, lambda: self._follow(target_of(self._config, resource, self._home, self._limits))
        )
        return served

    def target(self, resource: str) -> Target:
        """The target of that name; it is followed."""
        return self.served(resource).target

    def targets(self) -> dict[str, Target]:
        """The targets that were needed so far, by resource."""
        return {name: member.target for (family, name), member in list(self._made.items()) if family == "targets"}

    def is_local(self, resource: str) -> bool:
        """Whether objects on this resource live on the agent's machine."""
        return bool(families.load("targets", resource).is_local)

    def builder_for(self, kind: ArtifactKind) -> Builder:
        """The builder whose artifacts are of that kind."""
        if kind is ArtifactKind.ENVIRONMENT:
            return self._builder(ENVIRONMENT_BUILDER)
        builder = self._builder(self._chosen_builder())
        destination = self._config.destination
        if destination is None or not builder.pushes:
            return builder
        registry: Registry = self._once("registries", destination.type, lambda: registry_of(self._config, destination))
        return PushingBuilder(builder, registry)

    def builders(self) -> list[Builder]:
        """Those that this agent uses."""
        images = [ArtifactKind.IMAGE] if self._builder_type else []
        return [self.builder_for(kind) for kind in (*images, ArtifactKind.ENVIRONMENT)]

    def stop(self) -> None:
        """End the threads of all targets."""
        for (family, _), member in list(self._made.items()):
            if family == "targets":
                member.stop()

    def _builder(self, name: str) -> Builder:
        block = self._config.block_of(name)
        builder: Builder = self._once("builders", name, lambda: families.load("builders", name)(self._home, block))
        return builder

    def _chosen_builder(self) -> str:
        with self._lock:
            if self._builder_type:
                return self._builder_type
            # The last one works everywhere.
            name = next(name for name in BUILDER_PREFERENCE if self._works(name))
            logger.warning(
                "builder-chosen %s: the agent's config names none, and %s; to keep it, write builder: {type: %s}",
                name,
                BUILDER_PREFERENCE[name],
                name,
            )
            self._builder_type = name
            return name

    def _works(self, builder: str) -> bool:
        try:
            self._builder(builder)
        except ConfigError as error:
            logger.warning("builder-skipped %s: %s", builder, error)
            return False
        return True

    def _once(self, family: str, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if (family, name) not in self._made:
                self._made[family, name] = make()
            return self._made[family, name]


def follow_nothing(target: Target) -> Served:
    """For programs that make no use of targets."""
    raise RuntimeError(f"{target!r} is followed by agents only")


def runs_images(resource: str) -> bool:
    """Whether jobs on that resource are images. False where this agent has no such target: each run will say so."""
    try:
        return families.load("targets", resource).artifact is ArtifactKind.IMAGE
    except ConfigError:
        return False


def or_run_failed(make: Callable[[], Any]) -> Any:
    """The member, or the failure of the run that needs it.

    Raises:
        RunFailed: when this agent cannot have it.
    """
    try:
        return make()
    except ConfigError as error:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, str(error)) from error
