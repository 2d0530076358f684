"""The resource that only pretends: nothing of its config reaches a machine, so nothing is guarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from broker_config.findings import Finding
from broker_config.frozen import Frozen
from broker_config.resources import models
from broker_config.resources.protocol import Guard
from broker_config.states import FailureClass


class StubConfig(Frozen):
    """Queue config of the stub: how the pretended job behaves."""

    seconds: float = Field(default=0.0, ge=0)
    exit_code: int = 0
    lines: tuple[str, ...] = ()
    ignores_cancel: bool = False  # ends by force after the grace
    starting_seconds: float = Field(default=0.0, ge=0)  # before it runs
    fail_attempts: int = Field(default=0, ge=0)  # the first attempts fail, whatever the exit code says
    failure: FailureClass | None = None  # of an attempt that fails; without one, as its exit code says


class StubResource:
    """Nothing of it stands for anything."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = ()
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return models.check(StubConfig, config)
