"""The git source: a branch, a tag or a commit, with its submodules, in a folder without anything of git's."""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from broker_config import jobs
from broker_config.store.code import CodeStore
from workers.config import AgentConfig
from workers.sources.git import patch
from workers.sources.git.cache import Cache
from workers.sources.git.credentials import options
from workers.sources.git.failures import Unexplained, masked, unavailable
from workers.sources.git.program import Program
from workers.sources.git.repository import Repository
from workers.sources.git.submodules import Submodule, needed
from workers.sources.protocol import Fetched

logger = logging.getLogger(__name__)

MAX_DEPTH = 10
"""How deep submodules may lie in one another."""

_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")
"""What git-check-ref-format(1) refuses; a colon would even make git write to other refs."""


class GitSource:
    """Fetches commits through a cache on the agent's disk, and checks them out."""

    def __init__(self, code: CodeStore, home: Path, config: AgentConfig) -> None:
        self._code = code
        self._program = Program(options(config.git, home / "git"))
        self._cache = Cache(home / "git", config.git.cache_gib * 1024**3, self._program)

    def fetch(self, source: jobs.GitSource, folder: Path, part: str | None = None) -> Fetched:
        if source.ref and _NOT_IN_A_REF.search(source.ref):
            raise unavailable(f"{source.ref!r} cannot be a git ref; name a branch, a tag or a commit id")
        try:
            commit = self._bring(source.repository, source.ref, folder, part)
        except Unexplained as error:
            raise unavailable(str(error)) from error
        digest = f"git:{commit}"
        if source.patch:
            patch.apply(self._program, patch.load(self._code, source.patch), folder, part)
            digest += f"+{source.patch}"
        _check_links(folder)
        return Fetched(digest, folder=folder, pinned=source.model_copy(update={"ref": commit}))

    def _bring(self, url: str, ref: str | None, folder: Path, part: str | None, depth: int = 0) -> str:
        """Write the files of a commit and of its submodules to an empty folder. Returns the commit's id."""
        if depth > MAX_DEPTH:
            raise unavailable(f"submodules lie more than {MAX_DEPTH} deep in one another, down to {masked(url)}")
        with self._cache.repository(url) as repository:
            was_there = not repository.begin()
            try:
                commit, submodules = _check_out(repository, url, ref, folder, part)
            except Unexplained as error:
                if not was_there:
                    raise
                logger.warning("git-cache-damaged: it is fetched anew: %s", error)
                repository.discard()
                repository.begin()
                _empty(folder)
                commit, submodules = _check_out(repository, url, ref, folder, part)
        # The lock is given back before: a repository may be a submodule of itself.
        for submodule in submodules:
            inside = folder / submodule.path
            inside.mkdir(parents=True, exist_ok=True)
            self._bring(submodule.url, submodule.commit, inside, submodule.part, depth + 1)
        return commit


def _check_out(
    repository: Repository, url: str, ref: str | None, folder: Path, part: str | None
) -> tuple[str, list[Submodule]]:
    commit = repository.fetch(ref, lean=part is not None)
    repository.check_out(commit, folder, part)
    return commit, [*needed(repository.links(folder), repository.urls(folder), url, part)]


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _check_links(folder: Path) -> None:
    """Refuse links that lead out of the folder: what reads the code here or builds it would read the agent's files."""
    root = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                raise unavailable(
                    f"the link {str(path.relative_to(folder))!r} leads out of the repository, to "
                    f"{str(path.readlink())!r}; remove it, or commit what it leads to"
                )
