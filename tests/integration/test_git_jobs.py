"""Jobs from a git repository that is served over HTTP, run as processes by a real agent."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_config.queues import Queue
from broker_config.retries import RetryPolicy
from broker_config.settings import Settings
from broker_config.states import Reason, State
from producer import Client, GitSource, LocalGit
from tests.agents import AgentProcess, eventually
from tests.services import require
from tests.workers.sources.git_server import GitServer, commit, git, new_repository

QUEUE = "git-queue"

FAILS_ONCE = """
import os, sys, time
print("one", os.environ["LAUNCHYARD_GIT_COMMIT"], flush=True)
while os.environ["LAUNCHYARD_ATTEMPT"] == "1" and not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
sys.exit(75 if os.environ["LAUNCHYARD_ATTEMPT"] == "1" else 0)
"""


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    yield server
    server.close()


@pytest.fixture
def client(settings: Settings) -> Client:
    client = Client(settings)
    policy = RetryPolicy(user=1, retry_on=(75,), backoff_seconds=0.1)
    client.queues.create(Queue(name=QUEUE, resource="local-process", retries=policy))
    return client


def test_a_branch_that_moves_between_two_attempts_changes_nothing(
    client: Client, server: GitServer, home: Path, agent: Callable[..., AgentProcess]
) -> None:
    # Given a job whose first attempt fails when it is told to
    work = new_repository(server.root / "train", {"train.py": FAILS_ONCE})
    first, fail = git(work, "rev-parse", "HEAD"), home / "fail"
    agent(QUEUE).start()
    source = GitSource(repository=server.url("train"), ref="main")
    handle = client.launch(queue=QUEUE, source=source, entry_point=["python", "train.py"], args=[str(fail)])
    eventually(lambda: client.run(handle.id).run.state is State.RUNNING, "the job runs")

    # When
    commit(work, {"train.py": "print('two')\n"})
    fail.touch()

    # Then both attempts ran the same commit, which the record tells
    eventually(lambda: client.run(handle.id).run.state.is_terminal, "the run has ended")
    run = client.run(handle.id).run
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)
    assert run.pinned_source == source.model_copy(update={"ref": first})
    assert [line.text for line in handle.log_lines() if line.text.startswith("one")] == [f"one {first}"] * 2
    assert [event.reason for event in handle.events()].count(Reason.SOURCE_PINNED) == 1


def test_what_is_not_committed_runs_where_it_was_asked_for(
    client: Client, server: GitServer, home: Path, agent: Callable[..., AgentProcess]
) -> None:
    # Given a clone with a change
    new_repository(server.root / "train", {"train.py": "print('committed')\n"})
    git(home, "clone", "--quiet", server.url("train"), "clone")
    (home / "clone" / "train.py").write_text("print('changed')\n")
    agent(QUEUE).start()

    # When
    handle = client.launch(queue=QUEUE, source=LocalGit(home / "clone"), entry_point=["python", "train.py"])
    handle.wait(60)

    # Then
    assert [*handle.logs()][-1:] == ["changed"]
    assert handle.run.spec.job.archive
