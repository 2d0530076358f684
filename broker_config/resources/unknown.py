"""A resource of which only its target knows something, such as a third party's without a member here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from broker_config.findings import Finding
from broker_config.resources.protocol import Guard


class UnknownResource:
    """Takes every config as it is."""

    named_lists: ClassVar[Mapping[str, str]] = {}
    guarded: ClassVar[Sequence[Guard]] = ()
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002
        return ()
