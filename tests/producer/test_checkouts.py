"""A checkout on this machine as a source: which commit of which remote, and what of it is not committed."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from broker_config.errors import InvalidRequest
from producer import checkouts
from tests.services import require
from tests.workers.sources.git_server import commit, git, new_repository

URL = "https://git.example.com/team/train.git"
MIB = 1024**2


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A checkout whose commit was pushed."""
    require(shutil.which("git") is not None, "git: install it")
    work = new_repository(tmp_path / "train", {"train.py": "print('one')\n", "data.bin": "x"})
    git(work, "remote", "add", "origin", URL)
    git(work, "update-ref", "refs/remotes/origin/main", "HEAD")
    return work


def test_a_checkout_without_changes_is_its_commit(work: Path) -> None:
    found = checkouts.read(work, MIB)
    head = git(work, "rev-parse", "HEAD")
    assert (found.source.repository, found.source.ref, found.source.patch, found.patch) == (URL, head, None, None)


def test_what_is_not_committed_is_brought_as_a_patch_that_is_the_same_each_time(work: Path) -> None:
    # Given changes that are staged, that are not, and binary ones, and a user who likes colours
    (work / "train.py").write_text("print('two')\n")
    (work / "data.bin").write_bytes(bytes(range(256)))
    (work / "new.py").write_text("new\n")
    git(work, "add", "new.py")
    for setting in ("color.ui=always", "diff.noprefix=true", "diff.mnemonicPrefix=true"):
        git(work, "config", *setting.split("="))
    # When
    found, again = checkouts.read(work, MIB), checkouts.read(work, MIB)
    # Then
    assert found.patch is not None
    text = gzip.decompress(found.patch.file.read()).decode()
    assert {line for line in text.splitlines() if line.startswith("diff")} == {
        f"diff --git a/{name} b/{name}" for name in ("train.py", "data.bin", "new.py")
    }
    assert "GIT binary patch" in text
    assert found.source.patch == again.source.patch == found.patch.source.digest


def test_files_that_git_does_not_know_stay_behind_until_it_is_told_of_them(work: Path) -> None:
    # Given
    (work / "notes.txt").write_text("x\n")
    assert checkouts.untracked(work) == ["notes.txt"]
    assert checkouts.read(work, MIB).patch is None
    # When
    git(work, "add", "--intent-to-add", "notes.txt")
    # Then
    assert checkouts.untracked(work) == []
    assert checkouts.read(work, MIB).patch is not None


def test_a_commit_that_was_not_pushed_is_refused_with_the_cure(work: Path) -> None:
    commit(work, {"train.py": "print('mine')\n"})
    with pytest.raises(InvalidRequest, match="push it"):
        checkouts.read(work, MIB)


def test_the_remote_that_has_the_commit_is_taken(work: Path) -> None:
    # Given
    commit(work, {"train.py": "print('mine')\n"})
    git(work, "remote", "add", "fork", "git@git.example.com:me/train.git")
    git(work, "update-ref", "refs/remotes/fork/main", "HEAD")
    # When / Then
    assert checkouts.read(work, MIB).source.repository == "git@git.example.com:me/train.git"


def test_a_remote_with_a_password_in_its_url_is_refused(work: Path) -> None:
    git(work, "remote", "set-url", "origin", "https://me:hunter2@git.example.com/train.git")
    with pytest.raises(InvalidRequest, match="holds a password") as refused:
        checkouts.read(work, MIB)
    assert "hunter2" not in str(refused.value)


def test_a_folder_inside_a_checkout_is_refused_with_the_cure(work: Path) -> None:
    (work / "part").mkdir()
    with pytest.raises(InvalidRequest, match="as build context"):
        checkouts.read(work / "part", MIB)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not a git repository"):
        checkouts.read(tmp_path, MIB)


def test_changes_that_are_too_large_are_refused(work: Path) -> None:
    (work / "train.py").write_text("print('two')\n")
    with pytest.raises(InvalidRequest, match=r"uncommitted changes .* 10 are allowed"):
        checkouts.read(work, 10)


def test_a_submodule_at_another_commit_is_refused(work: Path, tmp_path: Path) -> None:
    # Given
    new_repository(tmp_path / "library", {"library.py": ""})
    git(work, "submodule", "--quiet", "add", str(tmp_path / "library"), "library")
    commit(work, {})
    git(work, "update-ref", "refs/remotes/origin/main", "HEAD")
    # When
    commit(work / "library", {"library.py": "x"})
    # Then
    with pytest.raises(InvalidRequest, match="the submodule 'library' is at another commit"):
        checkouts.read(work, MIB)
