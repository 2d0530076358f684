"""A builder that makes nothing, for tests of everything around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from broker_config.errors import ConfigError
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.builder import OtherBuilderConfig
from workers.failures import RunCancelled


class StubBuilder:
    """Builds an image in name only."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: OtherBuilderConfig) -> None:
        if config.options:
            raise ConfigError(f"builder stub takes no option; remove {', '.join(sorted(config.options))}")
        self._built: set[str] = set()

    def check(self) -> Sequence[str]:
        return []

    def key(self, order: BuildOrder) -> str:
        return order.fetched.digest

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        return _artifact(key) if key in self._built else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        if cancelled():
            raise RunCancelled("the build was cancelled")
        log(f"nothing to do for {order.job.source.type}")
        self._built.add(key)
        return _artifact(key)


def _artifact(key: str) -> Artifact:
    return Artifact(ArtifactKind.IMAGE, f"stub@{key}")
