"""Large files of a repository: there, or the run fails; never pointers in a job."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from broker_config import jobs
from broker_config.store import Store
from tests.services import require
from tests.workers.sources.git_server import GitServer, commit, new_repository
from workers.config import AgentConfig
from workers.config.git import GitConfig, GitCredential
from workers.failures import RunFailed
from workers.sources.git import GitSource

WEIGHTS = bytes(range(256)) * 1000
ATTRIBUTES = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


def pointer(content: bytes) -> str:
    """What stands in a repository for a large file (docs/spec.md of git-lfs)."""
    digest = sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served", large={sha256(WEIGHTS).hexdigest(): WEIGHTS})
    files = {"train.py": "", "models/weights.bin": pointer(WEIGHTS), ".gitattributes": ATTRIBUTES}
    new_repository(home / "served" / "train", files)
    yield server
    server.close()


Fetch = Callable[..., Path]


@pytest.fixture
def fetch(store: Store, home: Path) -> Fetch:
    """Fetches the main branch into a folder of that name."""

    def fetch(url: str, name: str = "code", part: str | None = None, git: GitConfig | None = None) -> Path:
        folder = home / name
        folder.mkdir()
        source = GitSource(store.code, home, AgentConfig(git=git or GitConfig()))
        source.fetch(jobs.GitSource(repository=url, ref="main"), folder, part)
        return folder

    return fetch


@pytest.fixture
def installed() -> None:
    require(shutil.which("git-lfs") is not None, "git-lfs: install it")


@pytest.mark.usefixtures("installed")
def test_large_files_come_with_the_code_and_only_once(server: GitServer, fetch: Fetch) -> None:
    # When
    folder = fetch(server.url("train"))
    # Then
    assert (folder / "models" / "weights.bin").read_bytes() == WEIGHTS
    server.large.clear()
    assert (fetch(server.url("train"), "again") / "models" / "weights.bin").read_bytes() == WEIGHTS


@pytest.mark.usefixtures("installed")
def test_they_are_asked_for_with_the_credentials_of_the_host(
    server: GitServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    server.password = "hunter2"
    monkeypatch.setenv("GIT_TOKEN", "hunter2")
    host = server.url("train").split("/")[2]
    credential = GitCredential(host=host, username="agent", password_env="GIT_TOKEN")
    # When
    folder = fetch(server.url("train"), git=GitConfig(credentials=(credential,)))
    # Then
    assert (folder / "models" / "weights.bin").read_bytes() == WEIGHTS


@pytest.mark.usefixtures("installed")
def test_those_outside_of_the_build_context_do_not_come(server: GitServer, fetch: Fetch) -> None:
    # Given one that the server has lost, in another part
    commit(server.root / "train", {"other/lost.bin": pointer(b"lost")})
    # When / Then
    assert (fetch(server.url("train"), part="models") / "models" / "weights.bin").read_bytes() == WEIGHTS


@pytest.mark.usefixtures("installed")
def test_one_that_the_server_has_lost_fails_the_run(server: GitServer, fetch: Fetch) -> None:
    server.large.clear()
    with pytest.raises(RunFailed, match="Object does not exist on the server"):
        fetch(server.url("train"))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("url", ["file:///etc", "/srv/lfs", "ext::sh"])
def test_a_config_that_leads_to_the_agents_files_is_refused(server: GitServer, fetch: Fetch, url: str) -> None:
    # Given
    commit(server.root / "train", {".lfsconfig": f"[lfs]\n url = {url}\n"})
    # When / Then
    with pytest.raises(RunFailed, match=r"as lfs\.url in \.lfsconfig says"):
        fetch(server.url("train"))


@pytest.fixture
def without(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has git and no git-lfs."""
    programs = home / "programs"
    programs.mkdir()
    for name in ("git", "sh", "true"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))


def test_without_the_program_a_repository_that_needs_it_is_refused_with_the_cure(
    server: GitServer, fetch: Fetch, request: pytest.FixtureRequest
) -> None:
    # Given
    request.getfixturevalue("without")
    # When
    with pytest.raises(RunFailed, match="this agent's machine has no git-lfs") as refused:
        fetch(server.url("train"))
    # Then
    assert "such as 'models/weights.bin'" in str(refused.value)


def test_without_the_program_other_parts_and_repositories_are_fetched(
    server: GitServer, fetch: Fetch, request: pytest.FixtureRequest
) -> None:
    # Given
    commit(server.root / "train", {"code/train.py": "print()\n"})
    request.getfixturevalue("without")
    # When / Then
    assert (fetch(server.url("train"), part="code") / "code" / "train.py").read_text() == "print()\n"
