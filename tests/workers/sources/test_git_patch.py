"""Uncommitted changes that travel with a launch: laid over the commit as they were, or the run fails."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_config import jobs
from broker_config.store import Store
from tests.code import put
from tests.services import require
from tests.workers.sources.git_server import GitServer, git, new_repository
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.sources.git import GitSource
from workers.sources.git.patch import MAX_BYTES
from workers.sources.protocol import Fetched

Launch = Callable[..., Fetched]


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    files = {"train.py": "print('one')\n", "data.bin": "\0one", "part/x.py": "x = 1\n", "old.py": ""}
    new_repository(home / "served" / "train", files)
    yield server
    server.close()


@pytest.fixture
def work(server: GitServer) -> Path:
    return server.root / "train"


@pytest.fixture
def launch(store: Store, home: Path, server: GitServer) -> Launch:
    """Fetches the commit with a patch over it."""

    def launch(patch: bytes, part: str | None = None, packed: bool = True) -> Fetched:
        folder = home / "code"
        folder.mkdir()
        digest = put(store.code, gzip.compress(patch) if packed else patch).digest
        source = jobs.GitSource(repository=server.url("train"), patch=digest)
        return GitSource(store.code, home, AgentConfig()).fetch(source, folder, part)

    return launch


def diff(work: Path) -> bytes:
    """What is changed in a checkout, with its last line's end."""
    return git(work, "diff", "--binary", "HEAD").encode() + b"\n\n"


def test_changes_are_laid_over_the_commit_and_are_part_of_the_contents_name(work: Path, launch: Launch) -> None:
    # Given
    (work / "train.py").write_text("print('two')\n")
    (work / "data.bin").write_bytes(bytes(range(256)))
    (work / "old.py").unlink()
    # When
    fetched = launch(diff(work))
    # Then
    assert fetched.folder is not None
    assert (fetched.folder / "train.py").read_text() == "print('two')\n"
    assert (fetched.folder / "data.bin").read_bytes() == bytes(range(256))
    assert not (fetched.folder / "old.py").exists()
    assert isinstance(fetched.pinned, jobs.GitSource)
    assert fetched.digest == f"git:{fetched.pinned.ref}+{fetched.pinned.patch}"


def test_of_a_build_context_only_its_changes_count(work: Path, launch: Launch) -> None:
    # Given
    (work / "data.bin").write_bytes(b"other")
    (work / "part" / "x.py").write_text("x = 2\n")
    # When
    fetched = launch(diff(work), "part")
    # Then
    assert fetched.folder is not None
    assert (fetched.folder / "part" / "x.py").read_text() == "x = 2\n"


def test_changes_of_another_commit_are_one_clear_error(launch: Launch) -> None:
    patch = b"--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-print('zero')\n+print('two')\n"
    with pytest.raises(RunFailed, match=r"do not apply to its commit.*train\.py"):
        launch(patch)


@pytest.mark.parametrize("name", ["../owned", "/owned", "part/../../owned"])
def test_a_patch_cannot_write_beside_the_code(launch: Launch, home: Path, name: str) -> None:
    with pytest.raises(RunFailed, match="do not apply"):
        launch(f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+owned\n".encode())
    assert not (home / "owned").exists()


def test_a_patch_cannot_make_a_link_that_leads_out(launch: Launch) -> None:
    patch = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n"
    with pytest.raises(RunFailed, match="the link 'l' leads out"):
        launch(f"{patch}\\ No newline at end of file\n".encode())


def test_what_is_no_patch_or_far_too_large_is_refused(launch: Launch, home: Path) -> None:
    with pytest.raises(RunFailed, match="cannot be unpacked"):
        launch(b"no gzip", packed=False)
    shutil.rmtree(home / "code")
    with pytest.raises(RunFailed, match="are larger than"):
        launch(b"\0" * (MAX_BYTES + 1))
