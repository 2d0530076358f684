"""Code from git, over HTTP from a real git server."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_config import jobs
from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from tests.services import require
from tests.workers.sources.git_server import GitServer, commit, git, new_repository
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.sources.git import GitSource
from workers.sources.git.failures import masked
from workers.sources.protocol import Fetched


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    new_repository(home / "served" / "train", {"train.py": "print('one')\n"})
    yield server
    server.close()


@pytest.fixture
def work(server: GitServer) -> Path:
    """The served repository, to commit to."""
    return server.root / "train"


@pytest.fixture
def folder(home: Path) -> Path:
    folder = home / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def source(store: Store, home: Path) -> GitSource:
    return GitSource(store.code, home, AgentConfig())


def fetch(source: GitSource, url: str, folder: Path, ref: str | None = None) -> Fetched:
    return source.fetch(jobs.GitSource(repository=url, ref=ref), folder)


def failure(source: GitSource, url: str, folder: Path, ref: str | None = None) -> str:
    """The text of a failure that no other try would mend."""
    with pytest.raises(RunFailed) as failed:
        fetch(source, url, folder, ref)
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.SOURCE_UNAVAILABLE)
    return str(failed.value)


# --- refs -------------------------------------------------------------------------------------------------------------


def test_without_a_ref_it_is_the_head_of_the_repository(
    source: GitSource, server: GitServer, work: Path, folder: Path
) -> None:
    # When
    fetched = fetch(source, server.url("train"), folder)
    # Then
    head = git(work, "rev-parse", "HEAD")
    pinned = jobs.GitSource(repository=server.url("train"), ref=head)
    assert fetched == Fetched(digest=f"git:{head}", folder=folder, pinned=pinned)
    assert [path.name for path in folder.iterdir()] == ["train.py"]


@pytest.mark.parametrize("ref", ["feature/fast", "v1", "v2-annotated", "commit"])
def test_a_branch_a_tag_and_a_commit_are_fetched_as_they_were(
    source: GitSource, server: GitServer, work: Path, folder: Path, ref: str
) -> None:
    # Given
    git(work, "checkout", "--quiet", "-b", "feature/fast")
    wanted = commit(work, {"train.py": "print('wanted')\n"})
    git(work, "tag", "v1")
    git(work, "tag", "--annotate", "--message", "second", "v2-annotated")
    git(work, "checkout", "--quiet", "main")
    commit(work, {"train.py": "print('later')\n"})
    # When
    fetched = fetch(source, server.url("train"), folder, wanted if ref == "commit" else ref)
    # Then
    assert fetched.digest == f"git:{wanted}"
    assert (folder / "train.py").read_text() == "print('wanted')\n"


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_submodules_come_with_the_code_and_leave_nothing_of_git(
    source: GitSource, server: GitServer, work: Path, folder: Path, kind: str
) -> None:
    # Given
    new_repository(server.root / "library", {"library.py": "VALUE = 1\n"})
    git(work, "submodule", "--quiet", "add", str(server.root / "library"), "library")
    url = server.url("library") if kind == "absolute" else "../../library/.git"
    git(work, "config", "--file", ".gitmodules", "submodule.library.url", url)
    commit(work, {})
    # When
    fetch(source, server.url("train"), folder)
    # Then
    assert (folder / "library" / "library.py").read_text() == "VALUE = 1\n"
    assert not [*folder.rglob(".git")]


def test_a_plain_web_server_will_do(source: GitSource, server: GitServer, work: Path, folder: Path) -> None:
    # Given
    git(work, "update-server-info")
    server.only_files = True
    # When
    fetched = fetch(source, server.url("train"), folder, "main")
    # Then
    assert fetched.digest == f"git:{git(work, 'rev-parse', 'main')}"


def test_a_missing_ref_is_named_with_the_cure(source: GitSource, server: GitServer, folder: Path) -> None:
    text = failure(source, server.url("train"), folder, "no-such-branch")
    assert "'no-such-branch'" in text
    assert "name a branch" in text


def test_a_part_of_a_commit_id_is_refused_with_the_cure(
    source: GitSource, server: GitServer, work: Path, folder: Path
) -> None:
    part = git(work, "rev-parse", "--short=10", "HEAD")
    assert "write all characters of the commit id" in failure(source, server.url("train"), folder, part)


def test_a_commit_that_the_repository_does_not_have_is_named(
    source: GitSource, server: GitServer, folder: Path
) -> None:
    assert "has no ref 'dead" in failure(source, server.url("train"), folder, "dead" * 10)


@pytest.mark.parametrize("ref", ["main:refs/heads/other", "ma..in", "main^", "a?b"])
def test_what_cannot_be_a_ref_is_refused_before_anything_is_asked(
    source: GitSource, server: GitServer, folder: Path, ref: str
) -> None:
    failure(source, server.url("train"), folder, ref)
    assert server.asked == []


# --- who may, and what may be named -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["path", "file", "ext", "git"])
def test_paths_of_the_agents_machine_and_commands_are_no_repositories(
    source: GitSource, work: Path, folder: Path, home: Path, kind: str
) -> None:
    # Given
    url = {
        "path": str(work),
        "file": f"file://{work}",
        "ext": f"ext::touch%20{home}/owned",
        "git": "git://127.0.0.1/train",
    }[kind]
    # When
    text = failure(source, url, folder)
    # Then
    assert "name it by https://" in text
    assert not (home / "owned").exists()


def test_a_submodule_cannot_name_a_path_of_the_agents_machine(
    source: GitSource, server: GitServer, work: Path, folder: Path
) -> None:
    # Given
    secret = new_repository(server.root.parent / "secret", {"secret.txt": "secret\n"})
    git(work, "submodule", "--quiet", "add", str(secret), "stolen")
    commit(work, {})
    # When
    text = failure(source, server.url("train"), folder)
    # Then
    assert "'file' is not allowed" in text


@pytest.fixture
def credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives the agent's user a password, in the way that git has for that."""

    def give(password: str) -> None:
        config = home / "gitconfig"
        config.write_text(f'[credential]\n helper = "!f() {{ echo username=agent; echo password={password}; }}; f"\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))

    return give


def test_the_credentials_of_the_agents_user_are_used_and_never_shown(
    source: GitSource, server: GitServer, folder: Path, credentials: Callable[[str], None]
) -> None:
    # Given
    server.password = "hunter2"
    credentials("hunter2")
    # When
    fetched = fetch(source, server.url("train"), folder)
    # Then
    assert fetched.digest.startswith("git:")
    shutil.rmtree(folder)
    folder.mkdir()
    assert "hunter2" not in failure(source, server.url("train"), folder, "nowhere")


def test_a_user_in_the_url_may_be_a_token_and_is_never_shown(
    source: GitSource, server: GitServer, folder: Path
) -> None:
    # When
    text = failure(source, server.url("train", "token-as-user@"), folder, "nowhere")
    # Then
    assert "token-as-user" not in text
    assert "http://***@127.0.0.1" in text


@pytest.mark.parametrize("password", ["", "wrong-password"])
def test_refused_credentials_end_at_once_and_name_the_cure(
    source: GitSource, server: GitServer, folder: Path, credentials: Callable[[str], None], password: str
) -> None:
    # Given
    server.password = "hunter2"
    if password:
        credentials(password)
    # When
    text = failure(source, server.url("train"), folder)
    # Then
    assert "credential helper" in text
    assert "wrong-password" not in text


def test_a_repository_that_does_not_exist_is_not_tried_again(
    source: GitSource, server: GitServer, folder: Path
) -> None:
    assert "not found" in failure(source, server.url("nothing"), folder)


def test_masking_leaves_the_rest_of_a_text_alone() -> None:
    text = "fatal: unable to access 'https://user:p%40ss@host/x.git/': see http://host/y and git@host:z"
    assert masked(text) == "fatal: unable to access 'https://***@host/x.git/': see http://host/y and git@host:z"


# --- worth another try ------------------------------------------------------------------------------------------------


def test_a_server_in_trouble_is_worth_another_try(source: GitSource, server: GitServer, folder: Path) -> None:
    server.fault = 503
    with pytest.raises(TemporaryError, match="503"):
        fetch(source, server.url("train"), folder)


def test_a_server_that_does_not_answer_is_worth_another_try(source: GitSource, folder: Path) -> None:
    # Given
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        # When
        with pytest.raises(TemporaryError) as failed:
            fetch(source, f"http://secret@127.0.0.1:{port}/train", folder)
    # Then
    assert "secret" not in str(failed.value)
