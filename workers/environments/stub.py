"""An environment without a cloud, for tests of what stands on one."""

from __future__ import annotations

from typing import Any


class StubEnvironment:
    """Nobody's credentials."""

    def __init__(self, config: Any) -> None:
        pass

    def identity(self) -> str:
        return "nobody"
