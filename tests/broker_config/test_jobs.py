"""Jobs and their sources."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.errors import InvalidRequest
from broker_config.frozen import parse
from broker_config.jobs import CodeSource, GitSource, ImageSource, Job

DIGEST = "sha256:" + "0" * 64


def error_of(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(Job, {"source": {"type": "image", "image": "x"}, **fields}, "job")
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"type": "image", "image": "registry.example/team/train@sha256:00"}, ImageSource),
        ({"type": "git", "repository": "git@host.example:team/train.git", "ref": "main"}, GitSource),
        ({"type": "git", "repository": "https://user@host.example/train.git"}, GitSource),
        ({"type": "code", "digest": DIGEST, "size_bytes": 1}, CodeSource),
    ],
)
def test_a_source_is_an_image_a_repository_or_stored_code(data: dict[str, Any], kind: type) -> None:
    assert type(parse(Job, {"source": data}, "job").source) is kind


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "ftp"},
        {"type": "image", "image": ""},
        {"type": "image", "image": "--privileged"},
        {"type": "image", "image": "a b"},
        {"type": "git", "repository": "--upload-pack=evil"},
        {"type": "git", "repository": "https://host.example/x", "ref": "--evil"},
        {"type": "code", "digest": "sha256:0", "size_bytes": 1},
        {"type": "code", "digest": DIGEST, "size_bytes": -1},
        {"type": "image", "image": "x", "tags": "1"},
    ],
)
def test_what_is_no_source_is_refused(data: dict[str, Any]) -> None:
    assert "source" in error_of(source=data)


def test_a_password_in_a_git_url_is_refused_and_not_repeated() -> None:
    # When
    text = error_of(source={"type": "git", "repository": "https://user:hunter2@host.example/train.git"})

    # Then
    assert "the git URL holds a password; leave it out" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("prefix", ["ghp_", "github_pat_", "glpat-", "glcbt-", "ATBB", "ATCTT", "hf_", "gh%70_"])
def test_an_access_token_as_the_user_of_a_git_url_is_refused_and_not_repeated(prefix: str) -> None:
    # Given
    token = f"{prefix}{'0aZ_' * 5}"
    # When
    text = error_of(source={"type": "git", "repository": f"https://{token}@host.example/train.git"})
    # Then
    assert "the git URL holds an access token; leave it out" in text
    assert token not in text


@pytest.mark.parametrize("user", ["org", "ghp_", "hf_team", "glen-the-user", "ATBBott", "git"])
def test_the_user_of_a_git_url_may_be_a_name(user: str) -> None:
    repository = f"https://{user}@host.example/train.git"
    assert GitSource(repository=repository).repository == repository


@pytest.mark.parametrize("field", ["build_context", "dockerfile", "base_image"])
def test_an_image_that_exists_is_not_built(field: str) -> None:
    assert "the source is an image, so nothing is built" in error_of(**{field: "x"})


def test_a_job_is_built_or_runs_on_a_base_image() -> None:
    git = {"type": "git", "repository": "https://host.example/train.git"}
    assert "choose one" in error_of(source=git, base_image="team/torch:2", dockerfile="Dockerfile")


@pytest.mark.parametrize("path", ["", "/etc/Dockerfile", "../Dockerfile", "a/../../Dockerfile"])
def test_a_dockerfile_outside_the_source_is_refused(path: str) -> None:
    assert "must be a path inside the source" in error_of(dockerfile=path)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "A B", "Ä"])
def test_a_name_that_is_no_environment_variable_is_refused(name: str) -> None:
    assert "cannot be an environment variable" in error_of(env={name: "x"})


@pytest.mark.parametrize("field", [{"args": ["hunter2\0"]}, {"entry_point": ["\udc80"]}, {"env": {"A": "hunter2\0"}}])
def test_text_that_no_process_can_be_given_is_refused_and_not_repeated(field: dict[str, Any]) -> None:
    # When
    text = error_of(**field)

    # Then
    assert "the text cannot be given to a process" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("version", ["3", "2.7", "3.11.1", "python3"])
def test_a_python_version_is_3_and_a_minor_number(version: str) -> None:
    assert "python_version" in error_of(python_version=version)
