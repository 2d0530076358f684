"""Which Dockerfile a build has, and what is in a written one. Needs no engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.runs import FailureClass
from workers.failures import RunFailed
from workers.images.dockerfile import AGENT_PYTHON, Dockerfile, dockerfile, unused

GOLDEN = Path(__file__).parents[2] / "golden" / "docker" / "dockerfile"

CODE: Mapping[str, Mapping[str, str]] = {
    "requirements": {"requirements.txt": "numpy>=2\n", "main.py": ""},
    "nested_requirements": {
        "requirements.txt": "-r deps/base.txt\n-c constraints.txt\nrich\n",
        "deps/base.txt": "-r more.txt\n",
        "deps/more.txt": "six\n",
        "constraints.txt": "six<2\n",
    },
    "requirements_of_the_code_itself": {"requirements.txt": "-e .\nrich\n", "pyproject.toml": "[project]\nname='x'\n"},
    "pyproject": {
        "pyproject.toml": "[project]\nname = 'x'\ndependencies = [\"numpy>=2,<3; python_version > '3.9'\"]\n"
    },
    "frozen": {"requirements.frozen.txt": "six==1.16.0\n", "pyproject.toml": "[project]\nname = 'x'\n"},
    "no_dependencies": {"main.py": ""},
}


def _job(**fields: Any) -> Job:
    return Job(source=CodeSource(digest="sha256:" + "0" * 64, size_bytes=1), **fields)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _chosen(folder: Path, files: Mapping[str, str], **job: Any) -> Dockerfile:
    _write(folder, files)
    return dockerfile(_job(**job), folder, cache_mounts=True)


@pytest.mark.parametrize("name", CODE)
def test_code_gives_exactly_this_dockerfile(name: str, tmp_path: Path) -> None:
    written = _chosen(tmp_path, CODE[name], python_version="3.12")
    assert written.text == (GOLDEN / f"{name}.Dockerfile").read_text()


@pytest.mark.parametrize(
    ("entry_point", "fields", "path"),
    [
        (("python", "src/train.py"), {}, "src/Dockerfile.wandb"),
        (("python", "src/train.py"), {"dockerfile": "Dockerfile"}, None),
        (("python", "train.py"), {}, None),
        (("/usr/bin/python", "../src/train.py"), {}, None),
    ],
)
def test_a_dockerfile_beside_the_script_is_found_to_be_told_of(
    tmp_path: Path, entry_point: tuple[str, ...], fields: dict[str, str], path: str | None
) -> None:
    _write(tmp_path, {"src/Dockerfile.wandb": "FROM scratch", "src/train.py": ""})
    assert unused(_job(entry_point=entry_point, **fields), tmp_path) == path


def test_without_a_version_the_agents_python_is_taken(tmp_path: Path) -> None:
    assert f"FROM python:{AGENT_PYTHON}-slim\n" in _chosen(tmp_path, {}).text


def test_without_buildkit_there_is_no_mount(tmp_path: Path) -> None:
    # Given
    _write(tmp_path, CODE["requirements"])
    # When
    written = dockerfile(_job(), tmp_path, cache_mounts=False)
    # Then
    assert "--mount" not in written.text
    assert "--no-cache-dir" in written.text


def test_the_code_comes_after_the_dependencies(tmp_path: Path) -> None:
    text = _chosen(tmp_path, CODE["requirements"]).text
    assert text.index("pip") < text.index("COPY --chown")


def test_the_jobs_own_dockerfile_comes_before_every_other(tmp_path: Path) -> None:
    names = ["docker/train.Dockerfile", "Dockerfile.launchyard", "Dockerfile.wandb", "Dockerfile"]
    _write(tmp_path, {name: f"FROM {number}" for number, name in enumerate(names)})
    assert dockerfile(_job(dockerfile=names[0]), tmp_path, cache_mounts=True).text == "FROM 0"
    for number, name in enumerate(names[1:], start=1):
        assert dockerfile(_job(), tmp_path, cache_mounts=True).text == f"FROM {number}"
        (tmp_path / name).unlink()


def _refusal(folder: Path, files: Mapping[str, str], **job: Any) -> str:
    with pytest.raises(RunFailed) as failed:
        _chosen(folder, files, **job)
    assert failed.value.failure is FailureClass.CONFIG
    return str(failed.value)


def test_a_dockerfile_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "'train.Dockerfile' is not in the source" in _refusal(tmp_path, {}, dockerfile="train.Dockerfile")


def test_a_dockerfile_is_not_read_from_outside_of_the_source(tmp_path: Path) -> None:
    # Given
    _write(tmp_path, {"secret": "of the agent's machine", "code/main.py": ""})
    (tmp_path / "code" / "Dockerfile").symlink_to(tmp_path / "secret")
    # Then
    assert "leaves the source" in _refusal(tmp_path / "code", {})


def test_requirements_outside_of_the_source_are_left_to_pip(tmp_path: Path) -> None:
    # Given
    _write(tmp_path, {"outside.txt": "six"})
    # When
    text = _chosen(tmp_path / "code", {"requirements.txt": "-r ../outside.txt\n"}).text
    # Then
    assert "outside" not in text
    assert text.index("COPY --chown") < text.index("pip")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[project", "cannot be read"),
        ("[project]\ndependencies = 'numpy'", "must be a list"),
        ("[project]\ndependencies = ['--index-url=http://elsewhere']", "must be a list"),
    ],
)
def test_a_pyproject_that_cannot_be_read_is_the_jobs_fault(tmp_path: Path, text: str, why: str) -> None:
    assert why in _refusal(tmp_path, {"pyproject.toml": text})
