"""A registry in memory, for tests of everything around it."""

from __future__ import annotations

from typing import Any

from broker_config.oci.logins import Login
from workers.config.registry import RegistryConfig


class StubRegistry:
    """Images are names and digests; `images` has them by tag."""

    def __init__(self, config: RegistryConfig, environment: Any) -> None:
        self.repository = config.uri
        self.images: dict[str, str] = {}

    def digest(self, tag: str) -> str | None:
        return self.images.get(tag)

    def login(self) -> Login | None:
        return None

    def prepare(self) -> None:
        pass

    def check(self) -> str:
        return "takes images"

    def check_pull(self) -> str:
        return "gives images"

    def remove(self, digest: str) -> str:
        self.images = {tag: known for tag, known in self.images.items() if known != digest}
        return ""
