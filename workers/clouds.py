"""The environment, the registry and the targets that a config names, made."""

from __future__ import annotations

from pathlib import Path

from workers import families
from workers.config import AgentConfig
from workers.config.images import CLOUDS
from workers.config.registry import AnyRegistryConfig
from workers.environments.protocol import Environment
from workers.registries.protocol import Registry
from workers.targets.neighbours import Limits, Sharing
from workers.targets.protocol import Located, Target
from workers.targets.push import Notified


def environment_of(config: AgentConfig, kind: str) -> Environment:
    """The environment of that type: with the config's block where that is of the type, else with defaults.

    Raises:
        ConfigError: when a package that it needs is missing.
    """
    block = config.environment if config.environment and config.environment.type == kind else None
    made: Environment = families.load("environments", kind)(block)
    return made


def registry_of(config: AgentConfig, destination: AnyRegistryConfig) -> Registry:
    """The registry of the config's destination.

    Raises:
        ConfigError: when a package that it needs is missing.
    """
    cloud = CLOUDS.get(destination.type)
    environment = environment_of(config, cloud) if cloud else None
    made: Registry = families.load("registries", destination.type)(destination, environment)
    return made


def target_of(config: AgentConfig, resource: str, home: Path, limits: Limits | None = None) -> Target:
    """The target of that resource, where the config's environment says that it is.

    `limits` are those that all agents share; a program that looks once needs none.

    Raises:
        ConfigError: when there is none, or a package that it needs is missing.
    """
    target: Target = families.load("targets", resource)(home)
    if isinstance(target, Located):
        target.locate(config.environment)
    if isinstance(target, Notified):
        target.notify(config.job_events)
    if limits is not None and isinstance(target, Sharing):
        target.share(limits)
    return target
