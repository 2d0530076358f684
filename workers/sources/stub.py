"""A source without content, for tests of everything behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from broker_config.store.code import CodeStore
from workers.config import AgentConfig
from workers.sources.protocol import Fetched


class StubSource:
    """Fetches nothing, successfully."""

    def __init__(self, code: CodeStore, home: Path, config: AgentConfig) -> None:
        pass

    def fetch(self, source: Any, folder: Path, part: str | None = None) -> Fetched:
        return Fetched(digest="sha256:" + "0" * 64, folder=folder)
