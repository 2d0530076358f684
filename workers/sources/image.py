"""An image that exists already: there is nothing to fetch."""

from __future__ import annotations

from pathlib import Path

from broker_config import jobs
from broker_config.store.code import CodeStore
from workers.config import AgentConfig
from workers.sources.protocol import Fetched


class ImageSource:
    """Passes the image's name on; whether it can be pulled is the target's to find out."""

    def __init__(self, code: CodeStore, home: Path, config: AgentConfig) -> None:
        pass

    def fetch(self, source: jobs.ImageSource, folder: Path, part: str | None = None) -> Fetched:
        return Fetched(digest=source.image, image=source.image)
