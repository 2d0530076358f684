"""No build: code is brought into a base image, where what it needs is installed as the job starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from broker_config.states import FailureClass, Reason
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.config.builder import NoopBuilderConfig
from workers.failures import RunFailed
from workers.images.python_version import AGENT_PYTHON, python_version


class NoopBuilder:
    """Has an image for everything that is code, and it is there already: whoever runs it pulls it."""

    pushes: ClassVar[bool] = False

    def __init__(self, home: Path, config: NoopBuilderConfig) -> None:
        self._base_image = config.base_image

    @property
    def place(self) -> str:
        return "nowhere"

    def check(self) -> Sequence[str]:
        return []

    def remove(self, key: str, reference: str) -> str:
        return "nothing is built here"

    def key(self, order: BuildOrder) -> str:
        return order.fetched.digest

    def find(self, order: BuildOrder, key: str) -> Artifact | None:
        if order.fetched.folder is None or order.job.dockerfile:
            return None
        version = python_version(order.job, order.fetched.folder) or AGENT_PYTHON
        image = order.base_image or self._base_image or f"python:{version}-slim"
        return Artifact(ArtifactKind.IMAGE, image, is_base=True)

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        raise RunFailed(
            FailureClass.CONFIG,
            Reason.CONFIG_INVALID,
            f"the job names Dockerfile {order.job.dockerfile}, and this agent has builder noop, which builds no image; "
            "leave the Dockerfile out, launch from an image, or set builder type docker in the agent's config",
        )
