"""Processes on the agent's machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from broker_config.findings import Finding
from broker_config.resources.protocol import Guard


class LocalProcessResource:
    """A process runs as the agent's own user, so only what is kept from it by name is guarded."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = (Guard("/inherit_env", "it shows the job more of the agent's environment"),)
    insecure: ClassVar[Sequence[Guard]] = ()

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002
        return ()
