"""The members of the family of sources, for the contract suite. A new source is added to `SOURCES`."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker_config import jobs
from broker_config.store import Store
from tests.code import put
from tests.services import require
from tests.workers.sources.git_server import GitServer, new_repository
from workers.config import AgentConfig
from workers.sources.code import CodeSource
from workers.sources.git import GitSource
from workers.sources.image import ImageSource
from workers.sources.protocol import Source
from workers.sources.stub import StubSource

FILES = {"train.py": "print('training')\n", "pack/__init__.py": "", "pack/data.txt": "ümläuts\n"}


@dataclass(frozen=True)
class Case:
    """A source with something to fetch. `gone` is of the same kind, and does not exist; see `CAN_TELL`."""

    source: Source
    wanted: Any
    gone: Any = None
    image: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


Opened = Callable[[Store, Path], AbstractContextManager[Case]]


@contextmanager
def stub(store: Store, home: Path) -> Iterator[Case]:
    yield Case(StubSource(store.code, home, AgentConfig()), jobs.ImageSource(image="anything"))


@contextmanager
def image(store: Store, home: Path) -> Iterator[Case]:
    yield Case(
        ImageSource(store.code, home, AgentConfig()), jobs.ImageSource(image="team/train:1"), image="team/train:1"
    )


@contextmanager
def code(store: Store, home: Path) -> Iterator[Case]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    gone = jobs.CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
    yield Case(CodeSource(store.code, home, AgentConfig()), put(store.code, buffer.getvalue()), gone, files=FILES)


@contextmanager
def git(store: Store, home: Path) -> Iterator[Case]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    new_repository(home / "served" / "train", FILES)
    try:
        url = server.url("train")
        gone = jobs.GitSource(repository=url, ref="gone")
        yield Case(
            GitSource(store.code, home, AgentConfig()), jobs.GitSource(repository=url, ref="main"), gone, files=FILES
        )
    finally:
        server.close()


CAN_TELL = ("code", "git")
"""Those that can tell whether something exists; of an image only the target can."""

SOURCES: dict[str, Opened] = {"stub": stub, "image": image, "code": code, "git": git}
