"""`launchyard launch --git-diff`: a checkout with what is not committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from broker_config.jobs import GitSource
from broker_config.queues import QueueRecord
from broker_config.store import Store
from tests.code import get
from tests.producer.cli.conftest import Call
from tests.services import require
from tests.workers.sources.git_server import git, new_repository


@pytest.fixture
def work(home: Path) -> Path:
    require(shutil.which("git") is not None, "git: install it")
    work = new_repository(home / "train", {"train.py": "print('one')\n"})
    git(work, "remote", "add", "origin", "https://git.example.com/team/train.git")
    git(work, "update-ref", "refs/remotes/origin/main", "HEAD")
    (work / "train.py").write_text("print('two')\n")
    return work


def test_the_checkout_and_its_changes_are_launched_and_what_stays_behind_is_told(
    launchyard: Call, queue: QueueRecord, store: Store, work: Path
) -> None:
    # Given
    (work / "notes.txt").touch()
    # When
    answer = launchyard("launch", "-q", "gpu-queue", "--git-diff", "--code", str(work), "--", "python", "train.py")
    # Then
    run = store.runs.get(answer.out.strip())
    source = run.spec.job.source
    assert isinstance(source, GitSource)
    assert (source.repository, source.ref) == ("https://git.example.com/team/train.git", git(work, "rev-parse", "HEAD"))
    assert get(store.code, source.patch or "")
    assert "'notes.txt' is not known to git and not brought" in answer.err
    assert "with uncommitted changes (sha256:" in launchyard("show", run.id).out


def test_the_present_folder_is_the_checkout_when_none_is_named(
    launchyard: Call, queue: QueueRecord, store: Store, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    launchyard("launch", "-q", "gpu-queue", "--git-diff", "--", "python", "train.py")
    run = next(store.runs.newest())
    assert (run.spec.job.source.type, run.spec.name.startswith("train-")) == ("git", True)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    "more", [("--git", "https://h/r"), ("--uri", "https://h/r"), ("--image", "a:b"), ("--code", ".", "--uri", ".")]
)
def test_with_another_source_it_is_refused(launchyard: Call, store: Store, more: tuple[str, ...]) -> None:
    answer = launchyard("launch", "-q", "gpu-queue", "--git-diff", *more, "--", "python", "train.py")
    assert "--git-diff launches a checkout on this machine" in answer.err
    assert not list(store.runs.newest())
