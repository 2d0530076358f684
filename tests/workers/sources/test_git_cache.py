"""Repositories that are kept between runs: what is asked of the server again, and what becomes of the kept ones."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker_config import jobs
from broker_config.store import Store
from tests.services import require
from tests.workers.sources.git_server import GitServer, commit, git, new_repository
from workers.config import AgentConfig
from workers.config.git import GitConfig
from workers.failures import RunFailed
from workers.sources.git import GitSource
from workers.sources.git.cache import MAX_AGE_SECONDS
from workers.sources.protocol import Fetched


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    new_repository(home / "served" / "train", {"train.py": "print('one')\n", "data/big.txt": "x" * 100_000})
    yield server
    server.close()


@pytest.fixture
def work(server: GitServer) -> Path:
    return server.root / "train"


class Agent:
    """An agent's git source, which fetches into a new folder each time."""

    def __init__(self, store: Store, home: Path, **config: float) -> None:
        self.kept = home / "git"
        self._home = home
        self._source = GitSource(store.code, home, AgentConfig(git=GitConfig(**config)))
        self._lock, self._count = threading.Lock(), 0

    def fetch(self, url: str, ref: str | None = None, part: str | None = None) -> Fetched:
        with self._lock:
            self._count += 1
            folder = self._home / f"code-{self._count}"
        folder.mkdir()
        return self._source.fetch(jobs.GitSource(repository=url, ref=ref), folder, part)

    @property
    def repositories(self) -> list[Path]:
        return [path for path in self.kept.iterdir() if path.is_dir()]


@pytest.fixture
def agent(store: Store, home: Path) -> Agent:
    return Agent(store, home)


def files(fetched: Fetched) -> set[str]:
    assert fetched.folder is not None
    return {str(path.relative_to(fetched.folder)) for path in fetched.folder.rglob("*") if path.is_file()}


# --- what is asked again ----------------------------------------------------------------------------------------------


def test_a_commit_that_was_fetched_is_had_again_without_the_server(agent: Agent, server: GitServer) -> None:
    # Given
    first = agent.fetch(server.url("train"), "main")
    server.asked.clear()
    # When
    assert isinstance(first.pinned, jobs.GitSource)
    again = agent.fetch(server.url("train"), first.pinned.ref)
    # Then
    assert (server.asked, again.digest) == ([], first.digest)
    assert files(again) == {"train.py", "data/big.txt"}


def test_of_a_branch_that_has_not_moved_only_its_commit_is_asked(agent: Agent, server: GitServer) -> None:
    # Given
    agent.fetch(server.url("train"), "main")
    server.asked.clear()
    # When
    agent.fetch(server.url("train"), "main")
    # Then it is looked up, which is one listing of refs
    assert [path.rpartition("/")[2] for path in server.asked] == ["refs?service=git-upload-pack", "git-upload-pack"]


def test_of_a_branch_that_has_moved_only_what_is_new_is_fetched(agent: Agent, server: GitServer, work: Path) -> None:
    # Given
    agent.fetch(server.url("train"), "main")
    # When
    moved = commit(work, {"train.py": "print('two')\n"})
    fetched = agent.fetch(server.url("train"), "main")
    # Then the large file did not come again
    assert fetched.digest == f"git:{moved}"
    packs = sorted(pack.stat().st_size for pack in agent.repositories[0].glob("objects/pack/*.pack"))
    assert len(packs) == 2
    assert packs[0] < 1000
    assert fetched.folder is not None
    assert (fetched.folder / "train.py").read_text() == "print('two')\n"


def test_a_commit_that_its_branch_has_left_behind_is_still_to_be_had(
    agent: Agent, server: GitServer, work: Path
) -> None:
    # Given a commit that was overwritten after an attempt had run it
    first = git(work, "rev-parse", "HEAD")
    agent.fetch(server.url("train"), "main")
    git(work, "commit", "--quiet", "--amend", "--message", "another")
    git(work, "reflog", "expire", "--expire=now", "--all")
    git(work, "gc", "--quiet", "--prune=now")
    # When / Then
    assert agent.fetch(server.url("train"), first).digest == f"git:{first}"


def test_a_name_that_is_the_end_of_a_longer_one_is_not_taken_for_it(
    agent: Agent, server: GitServer, work: Path
) -> None:
    # Given
    wanted = git(work, "rev-parse", "HEAD")
    git(work, "branch", "fast")
    git(work, "checkout", "--quiet", "-b", "a/fast")
    commit(work, {"train.py": "print('other')\n"})
    # When / Then
    assert agent.fetch(server.url("train"), "fast").digest == f"git:{wanted}"


def test_many_runs_at_once_share_one_fetch(agent: Agent, server: GitServer) -> None:
    # When
    with ThreadPoolExecutor(4) as pool:
        fetched = [*pool.map(lambda _: agent.fetch(server.url("train"), "main"), range(4))]
    # Then
    assert {tuple(sorted(files(one))) for one in fetched} == {("data/big.txt", "train.py")}
    assert len([*agent.repositories[0].glob("objects/pack/*.pack")]) == 1


# --- a part of a repository -------------------------------------------------------------------------------------------


@pytest.fixture
def large(server: GitServer, work: Path) -> str:
    """The URL of a repository with several parts."""
    names = ["README.md", "ml/common.txt", "ml/train/train.py", "ml/train/deep/x.py", "ml/serve/serve.py"]
    commit(work, {name: name * 1000 for name in names})
    return server.url("train")


PART = {"README.md", "train.py", "ml/common.txt", "ml/train/train.py", "ml/train/deep/x.py"}


def test_of_a_build_context_only_its_files_and_those_beside_the_way_there_come(
    agent: Agent, server: GitServer, work: Path, large: str
) -> None:
    # Given a server that can leave files out
    git(work, "config", "uploadpack.allowFilter", "true")
    git(work, "config", "uploadpack.allowAnySHA1InWant", "true")
    # When
    fetched = agent.fetch(large, "main", "ml/train")
    # Then the large file of another part was not even fetched
    assert files(fetched) == PART
    blobs = git(agent.repositories[0], "cat-file", "--batch-all-objects", "--batch-check", "--unordered")
    assert not [line for line in blobs.splitlines() if line.endswith("blob 100000")]


def test_a_server_that_cannot_leave_files_out_will_do(agent: Agent, work: Path, large: str) -> None:
    git(work, "config", "uploadpack.allowFilter", "false")
    assert files(agent.fetch(large, "main", "ml/train")) == PART


def test_all_of_a_repository_is_to_be_had_after_a_part_of_it(
    agent: Agent, server: GitServer, work: Path, large: str
) -> None:
    # Given
    git(work, "config", "uploadpack.allowFilter", "true")
    git(work, "config", "uploadpack.allowAnySHA1InWant", "true")
    agent.fetch(large, "main", "ml/train")
    # When / Then
    assert files(agent.fetch(large, "main")) == {*PART, "ml/serve/serve.py", "data/big.txt"}
    # And what was fetched later than its commit is kept too
    server.asked.clear()
    assert "data/big.txt" in files(agent.fetch(large, git(work, "rev-parse", "main")))
    assert server.asked == []


def test_a_part_may_be_named_with_what_patterns_are_made_of(agent: Agent, server: GitServer, work: Path) -> None:
    # Given
    commit(work, {"a[b]*/x.py": "", "ab/y.py": ""})
    # When / Then
    assert files(agent.fetch(server.url("train"), "main", "a[b]*")) == {"train.py", "a[b]*/x.py"}


# --- submodules -------------------------------------------------------------------------------------------------------


def test_submodules_in_submodules_come_and_are_kept(agent: Agent, server: GitServer, work: Path) -> None:
    # Given
    inner = new_repository(server.root / "inner", {"inner.py": ""})
    outer = new_repository(server.root / "outer", {"outer.py": ""})
    for where, what in ((outer, inner), (work, outer)):
        git(where, "submodule", "--quiet", "add", str(what), "sub")
        git(where, "config", "--file", ".gitmodules", "submodule.sub.url", f"../../{what.name}/.git")
        commit(where, {})
    # When
    fetched = agent.fetch(server.url("train"), "main")
    # Then
    assert {"sub/outer.py", "sub/sub/inner.py"} <= files(fetched)
    server.asked.clear()
    agent.fetch(server.url("train"), git(work, "rev-parse", "HEAD"))
    assert server.asked == []


def test_only_submodules_of_the_build_context_come_and_a_context_may_lie_in_one(
    agent: Agent, server: GitServer, work: Path
) -> None:
    # Given
    for name in ("one", "two"):
        new_repository(server.root / name, {f"src/{name}.py": "", "other/x.py": ""})
        git(work, "submodule", "--quiet", "add", str(server.root / name), f"libs/{name}")
        git(work, "config", "--file", ".gitmodules", f"submodule.libs/{name}.url", f"../../{name}/.git")
    commit(work, {"libs/readme": ""})
    # When / Then
    assert files(agent.fetch(server.url("train"), None, "data")) == {".gitmodules", "train.py", "data/big.txt"}
    inside = files(agent.fetch(server.url("train"), None, "libs/two/src"))
    assert {name for name in inside if name.startswith("libs/")} == {"libs/readme", "libs/two/src/two.py"}


def test_a_submodule_without_a_url_is_named(agent: Agent, server: GitServer, work: Path) -> None:
    # Given
    head = git(work, "rev-parse", "HEAD")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{head},lost")
    git(work, "commit", "--quiet", "--message", "lost")
    # When / Then
    with pytest.raises(RunFailed, match="submodule at 'lost' and no URL"):
        agent.fetch(server.url("train"))


# --- what becomes of the kept ones ------------------------------------------------------------------------------------


def _truncate(repository: Path) -> None:
    for pack in repository.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:100])


def _leave_a_lock(repository: Path) -> None:
    # As a machine does that lost its power in the middle of a checkout.
    (repository / "index.lock").touch()


def _empty(repository: Path) -> None:
    shutil.rmtree(repository)
    repository.mkdir()


@pytest.mark.parametrize("damage", [_truncate, _leave_a_lock, _empty])
def test_a_damaged_one_is_fetched_anew_and_the_log_says_so(
    agent: Agent, server: GitServer, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    # Given
    agent.fetch(server.url("train"), "main")
    assert callable(damage)
    damage(agent.repositories[0])
    # When
    with caplog.at_level(logging.WARNING):
        fetched = agent.fetch(server.url("train"), "main")
    # Then
    assert files(fetched) == {"train.py", "data/big.txt"}
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["git-cache-damaged"]


def test_those_used_longest_ago_go_when_they_are_too_large(store: Store, home: Path, server: GitServer) -> None:
    # Given three repositories, of which two fit
    agent = Agent(store, home, cache_gib=400_000 / 1024**3)
    for number in range(3):
        noise = {"noise.bin": os.urandom(100_000).hex()}
        new_repository(server.root / f"r{number}", noise)
        agent.fetch(server.url(f"r{number}"))
        # Clocks of file systems may be coarse.
        if number == 0:
            (oldest,) = agent.repositories
            os.utime(oldest.with_suffix(".lock"), (time.time() - 60, time.time() - 60))
    # When / Then
    assert oldest not in agent.repositories
    assert len(agent.repositories) == 2


def test_one_that_nobody_uses_goes_after_its_time(agent: Agent, server: GitServer) -> None:
    # Given
    agent.fetch(server.url("train"))
    (unused,) = agent.repositories
    long_ago = time.time() - MAX_AGE_SECONDS - 1
    os.utime(unused.with_suffix(".lock"), (long_ago, long_ago))
    new_repository(server.root / "other", {"x": ""})
    # When
    agent.fetch(server.url("other"))
    # Then
    assert unused not in agent.repositories


def test_none_is_kept_where_the_config_gives_it_no_room(store: Store, home: Path, server: GitServer) -> None:
    agent = Agent(store, home, cache_gib=0)
    assert files(agent.fetch(server.url("train"))) == {"train.py", "data/big.txt"}
    assert agent.repositories == []


# --- hostile repositories ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_a_link_that_leads_out_of_the_repository_is_refused(
    agent: Agent, server: GitServer, work: Path, target: str
) -> None:
    # Given
    (work / "requirements.txt").symlink_to(target)
    commit(work, {})
    # When / Then
    with pytest.raises(RunFailed, match=r"the link 'requirements.txt' leads out of the repository"):
        agent.fetch(server.url("train"))


def test_links_within_the_repository_and_in_circles_are_its_own_business(
    agent: Agent, server: GitServer, work: Path
) -> None:
    # Given
    (work / "main.py").symlink_to("train.py")
    (work / "round").symlink_to("round")
    commit(work, {})
    # When
    fetched = agent.fetch(server.url("train"))
    # Then
    assert fetched.folder is not None
    assert (fetched.folder / "main.py").read_text() == "print('one')\n"
