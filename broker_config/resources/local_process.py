"""Processes on the agent's machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from broker_config.findings import Finding
from broker_config.frozen import Frozen
from broker_config.jobs import InsidePath
from broker_config.resources import models
from broker_config.resources.protocol import Guard

StopSignal = Literal["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]


def _number_as_text(value: Any) -> Any:
    """A number, such as that of a template variable, in the way in which JSON writes it."""
    return json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class LocalProcessConfig(Frozen):
    """Queue config of resource `local-process`; the empty one suits most queues."""

    working_dir: InsidePath = "."
    """Folder inside the code in which the job starts."""

    env: dict[str, Annotated[str, BeforeValidator(_number_as_text)]] = Field(default_factory=dict)
    """Variables for every job of the queue; they come over a job's own."""

    inherit_env: tuple[str, ...] = ()
    """More variables of the agent that a job may see, by name; a secret reaches a job in this way."""

    stop_signal: StopSignal = "SIGTERM"
    """What a cancelled job gets first; SIGKILL follows after the grace."""

    nice: int = Field(default=0, ge=0, le=19)
    """Added to the agent's niceness: 19 gives way to everything else on the machine."""


class LocalProcessResource:
    """A process runs as the agent's own user, so only what is kept from it by name is guarded."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = (Guard("/inherit_env", "it shows the job more of the agent's environment"),)
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return models.check(LocalProcessConfig, config)
