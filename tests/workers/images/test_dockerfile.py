"""Which Dockerfile a build has. Needs no engine; what is in a written one, tests/golden shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.states import FailureClass
from workers.config.builder import DockerBuilderConfig
from workers.failures import RunFailed
from workers.images.dockerfile import Dockerfile, dockerfile
from workers.images.python_version import AGENT_PYTHON
from workers.images.written import Means

MEANS = Means(DockerBuilderConfig())


def _job(**fields: Any) -> Job:
    return Job(source=CodeSource(digest="sha256:" + "0" * 64, size_bytes=1), **fields)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _chosen(folder: Path, files: Mapping[str, str], means: Means = MEANS, **job: Any) -> Dockerfile:
    _write(folder, files)
    return dockerfile(_job(**job), folder, means)


# --- the job's own ----------------------------------------------------------------------------------------------------


def test_the_jobs_own_dockerfile_comes_before_every_other(tmp_path: Path) -> None:
    # Given one at every place
    named = "docker/train.Dockerfile"
    places = ["Dockerfile.launchyard", "src/Dockerfile.wandb", "Dockerfile.wandb", "Dockerfile"]
    _write(tmp_path, {name: f"FROM {name}" for name in [named, *places]})
    assert _chosen(tmp_path, {}, dockerfile=named).text == f"FROM {named}"
    # When the first is gone, then the next is taken
    for name in places:
        assert _chosen(tmp_path, {}, entry_point=("python", "src/train.py")).text == f"FROM {name}"
        (tmp_path / name).unlink()
    assert "written without dependencies" in _chosen(tmp_path, {}).origin


@pytest.mark.parametrize(
    ("entry_point", "fields", "context"),
    [
        (("python", "src/train.py"), {}, "src"),
        (("python", "./src/train.py", "--data", "/data/x"), {}, "src"),
        (("python", "src/train.py"), {"dockerfile": "other"}, "."),
        (("python", "train.py"), {}, "."),
        (("/usr/bin/python", "../src/train.py"), {}, "."),
    ],
)
def test_a_dockerfile_beside_the_script_has_the_scripts_folder_as_its_context(
    tmp_path: Path, entry_point: tuple[str, ...], fields: dict[str, str], context: str
) -> None:
    files = {"src/Dockerfile.wandb": "FROM scratch", "src/train.py": "", "other": "FROM scratch"}
    chosen = _chosen(tmp_path, files, entry_point=entry_point, **fields)
    assert chosen.context == tmp_path / context


def _refusal(folder: Path, files: Mapping[str, str], means: Means = MEANS, **job: Any) -> str:
    with pytest.raises(RunFailed) as failed:
        _chosen(folder, files, means, **job)
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


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_the_code_comes_after_the_dependencies(tmp_path: Path) -> None:
    text = _chosen(tmp_path, {"requirements.txt": "six"}).text
    assert text.index('"pip", "install"') < text.index("COPY --chown")


def test_requirements_outside_of_the_source_are_left_to_uv(tmp_path: Path) -> None:
    # Given
    _write(tmp_path, {"outside.txt": "six"})
    # When
    text = _chosen(tmp_path / "code", {"requirements.txt": "-r ../outside.txt\n"}).text
    # Then
    assert "outside" not in text
    assert text.index("COPY --chown") < text.index('"pip", "install"')


def test_a_requirement_cannot_write_into_the_dockerfile(tmp_path: Path) -> None:
    text = _chosen(tmp_path, {"pyproject.toml": '[project]\ndependencies = ["six\\nRUN evil", "a\\" \\\\"]\n'}).text
    assert not [line for line in text.splitlines() if line.startswith("RUN evil")]
    assert '"six\\nRUN evil", "a\\" \\\\"]' in text


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (("uv.lock", "pyproject.toml", "requirements.txt", "pylock.toml"), "uv.lock"),
        (("uv.lock", "requirements.txt"), "requirements.txt"),
        (("requirements.txt", "pylock.toml", "environment.yml"), "pylock.toml"),
        (("requirements.txt", "environment.yml", "requirements.frozen.txt"), "requirements.txt"),
        (("environment.yml", "requirements.frozen.txt", "pyproject.toml"), "environment.yml"),
        (("requirements.frozen.txt", "pyproject.toml"), "requirements.frozen.txt"),
    ],
)
def test_the_file_that_says_it_best_decides_what_is_installed(
    tmp_path: Path, files: tuple[str, ...], kind: str
) -> None:
    assert _chosen(tmp_path, dict.fromkeys(files, "")).origin == f"a Dockerfile written from {kind}"


@pytest.mark.parametrize("name", ["poetry.lock", "pdm.lock", "Pipfile.lock"])
def test_a_lock_that_cannot_be_read_is_not_passed_over_in_silence(tmp_path: Path, name: str) -> None:
    # Given a lock alone, then a project that says itself what it depends on
    assert "write one that it can read beside it, with: p" in _refusal(tmp_path, {name: ""})
    project = {"pyproject.toml": "[project]\ndependencies = ['six']\n"}
    assert f"pyproject.toml ({name} is not read" in _chosen(tmp_path, project).origin


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


def test_without_buildkit_a_private_index_is_refused_rather_than_its_secret_put_into_a_layer(tmp_path: Path) -> None:
    config = DockerBuilderConfig.model_validate({"secrets": {"netrc": {"env": "NETRC_TEXT"}}})
    assert "needs BuildKit" in _refusal(tmp_path, {"requirements.txt": "six"}, Means(config, mounts=False))


# --- python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "job", "version"),
    [
        ({}, {}, AGENT_PYTHON),
        ({".python-version": "3.9"}, {"python_version": "3.13"}, "3.13"),
        ({".python-version": "3.12.4\n"}, {}, "3.12"),
        ({".python-version": "cpython-3.10\n3.9"}, {}, "3.10"),
        ({".python-version": "pypy3.9"}, {}, AGENT_PYTHON),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.8,<3.10'"}, {}, "3.9"),
        ({"pyproject.toml": "[project]\nrequires-python = '==3.10.*'"}, {}, "3.10"),
        ({"pyproject.toml": "[project]\nrequires-python = '>=3.8.1'"}, {}, AGENT_PYTHON),
        ({"pyproject.toml": "[project]\nrequires-python = 'three'"}, {}, AGENT_PYTHON),
        ({".python-version": "3.10", "pyproject.toml": "[project]\nrequires-python = '>=3.12'"}, {}, "3.10"),
    ],
)
def test_the_python_is_that_of_the_job_or_of_its_code_or_of_the_agent(
    tmp_path: Path, files: Mapping[str, str], job: dict[str, str], version: str
) -> None:
    assert f"FROM python:{version}-slim\n" in _chosen(tmp_path, files, **job).text
