from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.errors import InvalidRequest
from broker_config.jobs import GitSource, ImageSource
from producer.sources import LocalCode, hint, meant


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "repository", "ref"),
    [
        ("https://github.com/org/repo", "https://github.com/org/repo", None),
        ("https://github.com/org/repo.git@v1.2", "https://github.com/org/repo.git", "v1.2"),
        ("https://user@host/org/repo@feature/x", "https://user@host/org/repo", "feature/x"),
        ("ssh://git@host:2222/org/repo.git", "ssh://git@host:2222/org/repo.git", None),
        ("git@github.com:org/repo.git", "git@github.com:org/repo.git", None),
        ("git@github.com:org/repo.git@main", "git@github.com:org/repo.git", "main"),
        ("file:///srv/repo.git", "file:///srv/repo.git", None),
    ],
)
def test_a_git_url_means_its_repository_and_the_ref_behind_the_at(text: str, repository: str, ref: str | None) -> None:
    # Given a text that is a git URL, when it is read, then repository and ref are told apart
    assert meant(text) == GitSource(repository=repository, ref=ref)


@pytest.mark.parametrize(
    "text",
    [
        "python:3.11-slim",
        "ghcr.io/org/image",
        "localhost:5000/team/image:1.0",
        "registry:5000/image",
        "library/python@sha256:" + "a" * 64,
    ],
)
def test_a_full_image_reference_means_an_image(text: str) -> None:
    # Given a reference with a tag, a digest or a registry, when it is read, then it is an image
    assert meant(text) == ImageSource(image=text)


@pytest.mark.parametrize("text", ["pyhton", "exmples/digits", "no such thing", "Upper:case", ""])
def test_a_text_that_is_none_of_them_is_refused_with_the_three_ways_to_write_one(text: str) -> None:
    # Given a mistyped folder or a word, when it is read, then nobody guesses
    with pytest.raises(InvalidRequest, match="no folder here, no git URL, and no full image reference"):
        meant(text)


def test_an_existing_folder_means_its_code(in_empty_folder: Path) -> None:
    # Given a folder
    (in_empty_folder / "project").mkdir()

    # When it is named, with or without `./`, then its code is meant
    assert meant("project") == LocalCode("project")
    assert meant("./project") == LocalCode("./project")
    assert meant(Path("project")) == LocalCode(Path("project"))


def test_a_folder_named_like_an_image_is_refused(in_empty_folder: Path) -> None:
    # Given a folder whose name is a full image reference
    (in_empty_folder / "python:3.11").mkdir()

    # When it is named, then the caller has to say which one is meant
    with pytest.raises(InvalidRequest, match=r"write './python:3.11' or ImageSource"):
        meant("python:3.11")


def test_a_password_in_a_git_url_is_refused_and_not_repeated() -> None:
    # Given a URL with a token, when it is read, then it is refused, and the error does not hold the token
    with pytest.raises(InvalidRequest, match="holds a password") as caught:
        meant("https://me:s3cret@host/repo.git")
    assert "s3cret" not in str(caught.value)

    # And so it is in a source that is made by hand
    with pytest.raises(ValueError, match="holds a password") as by_hand:
        GitSource(repository="https://me:s3cret@host/repo.git")
    assert "s3cret" not in str(by_hand.value)


def test_an_unknown_scheme_is_refused() -> None:
    # Given a URL that git does not take, when it is read, then the known schemes are named
    with pytest.raises(InvalidRequest, match="docker:// is no git URL; known: file, git, http, https, ssh"):
        meant("docker://python:3.11")


def test_a_hint_says_what_a_source_is(tmp_path: Path) -> None:
    # Given sources of each kind, when a word for each is asked, then it is the last part of its name
    assert hint(LocalCode(tmp_path / "digits")) == "digits"
    assert hint(GitSource(repository="git@host:org/repo.git")) == "repo"
    assert hint(ImageSource(image="localhost:5000/team/trainer:1.0")) == "trainer"
