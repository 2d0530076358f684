"""No build: jobs must bring an image that exists, which needs no builder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from broker_config.runs import FailureClass, Reason
from workers.builders.protocol import Artifact, BuildOrder
from workers.config.builder import NoopBuilderConfig
from workers.failures import RunFailed


class NoopBuilder:
    """Refuses jobs that bring code."""

    pushes: ClassVar[bool] = False

    def __init__(self, home: Path, config: NoopBuilderConfig) -> None:
        pass

    @property
    def place(self) -> str:
        return "nowhere"

    def check(self) -> Sequence[str]:
        return []

    def key(self, order: BuildOrder) -> str:
        return order.fetched.digest

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        return None

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        raise RunFailed(
            FailureClass.CONFIG,
            Reason.CONFIG_INVALID,
            f"the job's source is {order.job.source.type!r}, and this agent has builder noop, which builds no image; "
            "launch from an image, or set builder type docker in the agent's config",
        )
