"""Credentials of the agent's config: given to their host alone, and never seen elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from broker_config import jobs
from broker_config.errors import ConfigError, InvalidRequest
from broker_config.frozen import parse
from broker_config.store import Store
from tests.services import require
from tests.workers.sources.git_server import GitServer, new_repository
from tests.workers.sources.ssh_server import SshServer
from workers.config import AgentConfig
from workers.config.git import GitConfig, GitCredential
from workers.failures import RunFailed
from workers.sources.git import GitSource
from workers.sources.git.credentials import look, options


@pytest.fixture(autouse=True)
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of git and ssh who has nothing configured."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served", password="hunter2")
    new_repository(home / "served" / "train", {"train.py": "print('one')\n"})
    yield server
    server.close()


@pytest.fixture
def ssh(home: Path) -> Iterator[SshServer]:
    server = SshServer(home / "sshd")
    new_repository(home / "over-ssh", {"train.py": "print('one')\n"})
    yield server
    server.close()


class Agent:
    def __init__(self, store: Store, home: Path) -> None:
        self._store, self._home = store, home

    def fetch(self, url: str, **git: Any) -> str:
        """The code that an agent with that block `git` fetches."""
        folder = self._home / "code"
        folder.mkdir()
        source = GitSource(self._store.code, self._home, AgentConfig(git=parse(GitConfig, git, "git")))
        source.fetch(jobs.GitSource(repository=url, ref="main"), folder)
        return (folder / "train.py").read_text()


@pytest.fixture
def agent(store: Store, home: Path) -> Agent:
    return Agent(store, home)


def host_of(server: GitServer) -> str:
    return urlsplit(server.url("train")).netloc


def test_a_password_comes_from_the_agents_environment(
    agent: Agent, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TOKEN", "hunter2")
    credential = {"host": host_of(server), "username": "agent", "password_env": "GIT_TOKEN"}
    assert agent.fetch(server.url("train"), credentials=[credential]) == "print('one')\n"


def test_a_password_comes_from_a_file_and_wins_over_what_the_user_has(
    agent: Agent, server: GitServer, home: Path
) -> None:
    # Given
    (home / ".git-credentials").write_text(server.url("train", "agent:old@").removesuffix("/train/.git"))
    (home / ".gitconfig").write_text("[credential]\n helper = store\n")
    file = home / "the token's file"
    file.write_text("hunter2\n")
    # When / Then
    credential = {"host": host_of(server), "username": "agent", "password_file": str(file)}
    assert agent.fetch(server.url("train"), credentials=[credential]) == "print('one')\n"


def test_a_file_of_credentials_is_read_and_stays_as_it_is(agent: Agent, server: GitServer, home: Path) -> None:
    # Given
    file = home / "git-credentials"
    wrong = "http://agent:wrong@other.example\n"
    text = wrong + server.url("train", "agent:hunter2@").removesuffix("/train/.git") + "\n"
    file.write_text(text)
    # When / Then
    assert agent.fetch(server.url("train"), credentials_file=str(file)) == "print('one')\n"
    assert file.read_text() == text


def test_a_refused_password_is_not_in_the_error_and_another_host_does_not_get_it(
    agent: Agent, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("GIT_TOKEN", "hunter2")
    credential = {"host": "git.example.com", "username": "agent", "password_env": "GIT_TOKEN", "plain_http": True}
    # When
    with pytest.raises(RunFailed, match=r"name credentials for its host under git\.credentials") as refused:
        agent.fetch(server.url("train"), credentials=[credential])
    # Then
    assert "hunter2" not in str(refused.value)


def test_no_secret_is_among_the_options_of_the_program(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    # Given
    monkeypatch.setenv("GIT_TOKEN", "hunter2")
    (home / "token").write_text("hunter2")
    config = GitConfig(
        credentials=(
            GitCredential(host="a.example", password_env="GIT_TOKEN"),
            GitCredential(host="b.example", password_file=home / "token"),
        )
    )
    # When / Then
    assert "hunter2" not in " ".join(options(config, home / "git"))


def test_an_ssh_key_is_for_its_host_and_the_hosts_key_is_checked(agent: Agent, ssh: SshServer, home: Path) -> None:
    credential = {"host": "127.0.0.1", "ssh_key_file": str(ssh.key), "known_hosts_file": str(ssh.known_hosts)}
    assert agent.fetch(ssh.url(home / "over-ssh"), credentials=[credential]) == "print('one')\n"


def test_a_scp_like_url_is_fetched_over_ssh(agent: Agent, ssh: SshServer, home: Path) -> None:
    # Given a name that the user's own config leads to the server, as such URLs have no port
    (home / ".ssh").mkdir()
    port = urlsplit(ssh.url(home)).port
    (home / ".ssh" / "config").write_text(
        f"Host lab\n HostName 127.0.0.1\n Port {port}\n HostKeyAlias [127.0.0.1]:{port}\n"
    )
    credential = {"host": "lab", "ssh_key_file": str(ssh.key), "known_hosts_file": str(ssh.known_hosts)}
    # When / Then
    user = urlsplit(ssh.url(home)).username
    assert agent.fetch(f"{user}@lab:{home / 'over-ssh'}", credentials=[credential]) == "print('one')\n"


def test_a_host_whose_key_is_not_known_is_refused_with_the_cure(agent: Agent, ssh: SshServer, home: Path) -> None:
    empty = home / "empty"
    empty.touch()
    credential = {"host": "127.0.0.1", "ssh_key_file": str(ssh.key), "known_hosts_file": str(empty)}
    with pytest.raises(RunFailed, match="name a known_hosts_file"):
        agent.fetch(ssh.url(home / "over-ssh"), credentials=[credential])


def test_a_key_that_may_not_read_is_refused_with_the_cure(agent: Agent, ssh: SshServer, home: Path) -> None:
    credential = {
        "host": "127.0.0.1",
        "ssh_key_file": str(home / "sshd" / "host"),
        "known_hosts_file": str(ssh.known_hosts),
    }
    with pytest.raises(RunFailed, match="refuses this agent"):
        agent.fetch(ssh.url(home / "over-ssh"), credentials=[credential])


@pytest.mark.parametrize(
    ("credential", "text"),
    [
        ({"host": "a.example"}, "it names no secret"),
        ({"host": "a.example", "password_env": "A", "password_file": "b"}, "leave one out"),
        ({"host": "https://a.example", "password_env": "A"}, "host"),
        ({"host": "a.example", "username": "a\nb", "password_env": "A"}, "username"),
        ({"host": "a.example", "ssh_key_file": 'x"y'}, "quotation mark"),
    ],
)
def test_a_credential_that_cannot_work_is_refused(credential: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        parse(GitCredential, credential, "git.credentials")


def test_the_check_reaches_a_host_and_looks_for_the_secret(
    server: GitServer, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    # Given
    credential = GitCredential(host=host_of(server), password_env="GIT_TOKEN")
    monkeypatch.delenv("GIT_TOKEN", raising=False)
    # When / Then
    with pytest.raises(ConfigError, match="GIT_TOKEN is not set"):
        look(credential)
    monkeypatch.setenv("GIT_TOKEN", "x")
    assert look(credential).startswith("answers on port")
    with pytest.raises(ConfigError, match="cannot be read"):
        look(GitCredential(host="127.0.0.1", ssh_key_file=home / "none"))
    server.close()
    with pytest.raises(ConfigError, match="does not answer"):
        look(credential)
