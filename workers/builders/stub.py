"""A builder that makes nothing, for tests of everything around it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from broker_config.errors import ConfigError, InvalidRequest, TemporaryError
from broker_config.frozen import Frozen, parse
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.builder import OtherBuilderConfig
from workers.failures import RunCancelled, RunFailed

LOOK_SECONDS = 0.05


class StubOptions(Frozen):
    """How the pretended builds go."""

    seconds: float = Field(default=0.0, ge=0)
    """How long each takes."""

    error: str = ""
    """What each fails with, by the job's own fault."""

    trouble: str = ""
    """What each fails with for a passing reason."""


class StubBuilder:
    """Builds images in name only, which all agents of a home folder find. The file `begun` has a line for each try."""

    pushes: ClassVar[bool] = True

    def __init__(self, home: Path, config: OtherBuilderConfig) -> None:
        try:
            self._options = parse(StubOptions, config.options, "builder stub")
        except InvalidRequest as error:
            raise ConfigError(str(error)) from error
        self._folder = home / "stub-images"
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def place(self) -> str:
        return f"stub {self._folder}"

    def check(self) -> Sequence[str]:
        return []

    def remove(self, key: str, reference: str) -> str:
        self._marker(key).unlink(missing_ok=True)
        return ""

    def key(self, order: BuildOrder) -> str:
        return order.fetched.digest

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        return _artifact(key) if self._marker(key).exists() else None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        with (self._folder / "begun").open("a") as begun:
            begun.write(f"{os.getpid()} {key}\n")
        log(f"nothing to do for {order.job.source.type}")
        until = time.monotonic() + self._options.seconds
        while True:
            if cancelled():
                raise RunCancelled("the build was cancelled")
            if time.monotonic() >= until:
                break
            time.sleep(LOOK_SECONDS)
        if self._options.error:
            raise RunFailed(FailureClass.BUILD, Reason.BUILD_FAILED, self._options.error)
        if self._options.trouble:
            raise TemporaryError(self._options.trouble, delay_seconds=1.0)
        self._marker(key).touch()
        return _artifact(key)

    def _marker(self, key: str) -> Path:
        # The key of a part of the code has a path in it.
        return self._folder / key.replace("/", "_")


def _artifact(key: str) -> Artifact:
    return Artifact(ArtifactKind.IMAGE, f"stub@{key}")
