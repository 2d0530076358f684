"""What a source does for a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from broker_config.jobs import Source as Named
from broker_config.store.code import CodeStore
from workers.config import AgentConfig


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source brought: an image that exists, or a folder of code."""

    digest: str  # names the content: the same digest, the same bytes
    image: str | None = None
    folder: Path | None = None
    pinned: Named | None = None  # the source that always names this content; None when the job's own does


class Source(Protocol):
    """A way to get at what a job runs.

    1. Made once an agent with the store of code archives, the agent's home and its config; used by several threads at
       once.
    2. `fetch` gets the job's source model (its `type` is this member's name), an existing empty folder, and the part of
       the source that the job needs, a path inside it; it may bring more. None is all.
    3. It may be called again for the same run after a crash, each time with an empty folder.
    4. What it returns as `pinned` is kept with the run: from then on, in every attempt, `fetch` gets that source.
    5. It raises `RunFailed` when trying again cannot help (no such ref, refused credentials) and `TemporaryError`
       when it may (no answer). Its texts hold no credentials.
    """

    def __init__(self, code: CodeStore, home: Path, config: AgentConfig) -> None: ...

    def fetch(self, source: Any, folder: Path, part: str | None = None) -> Fetched: ...
