"""Every way to write dependencies down, and exactly the Dockerfile that code with it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker_config.jobs import CodeSource, Job
from workers.config.builder import DockerBuilderConfig
from workers.images.dockerfile import dockerfile
from workers.images.written import Means

FOLDER = Path(__file__).parent / "docker" / "dockerfile"

REQUIREMENTS = {"requirements.txt": "numpy>=2\n"}
PROJECT = "[project]\nname = 'x'\nversion = '1'\n"
PRIVATE = {
    "index-url": "https://pypi.example.com/simple",
    "extra-index-urls": ["https://one.example.com/simple", "https://two.example.com/simple"],
    "secrets": {"netrc": {"file": "/run/netrc"}, "uv.toml": {"env": "UV_SETTINGS"}, "other": {"env": "OTHER"}},
    "build-args": {"HTTP_PROXY": "http://proxy"},
    "python-image": "registry.example.com/python:{python}",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Code, and the builder that is given it."""

    files: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    mounts: bool = True
    accelerator: str | None = None


CASES: Mapping[str, Case] = {
    "requirements": Case(REQUIREMENTS),
    "requirements_without_mounts": Case(REQUIREMENTS, mounts=False),
    "nested_requirements": Case(
        {
            "requirements.txt": "-r deps/base.txt\n-c constraints.txt\nrich\n",
            "deps/base.txt": "-r more.txt\n",
            "deps/more.txt": "six\n",
            "constraints.txt": "six<2\n",
        }
    ),
    "requirements_of_the_code_itself": Case({"requirements.txt": "-e .\nrich\n", "pyproject.toml": PROJECT}),
    "pyproject": Case({"pyproject.toml": PROJECT + "dependencies = [\"numpy>=2,<3; python_version > '3.9'\"]\n"}),
    "pyproject_with_sources": Case(
        {"pyproject.toml": PROJECT + "dependencies = ['torch']\n[tool.uv.sources]\ntorch = {index = 'pytorch'}\n"}
    ),
    "uv_lock": Case({"pyproject.toml": PROJECT, "uv.lock": "", **REQUIREMENTS}),
    "uv_lock_of_a_package": Case(
        {"pyproject.toml": PROJECT + "[build-system]\nrequires = ['hatchling']\n", "uv.lock": ""}
    ),
    "pylock": Case({"pylock.toml": "lock-version = '1.0'\n", **REQUIREMENTS}),
    "conda": Case({"environment.yml": "dependencies: [python=3.12, numpy]\n"}),
    "conda_without_mounts": Case({"environment.yaml": "dependencies: [python=3.12, numpy]\n"}, mounts=False),
    "conda_on_an_accelerator": Case(
        {"environment.yml": "dependencies:\n  - pip:\n      - -r requirements.txt\n", "main.py": ""},
        accelerator="nvidia/cuda:12.9.1-runtime-ubuntu24.04",
    ),
    "frozen": Case({"requirements.frozen.txt": "six==1.16.0\n", "pyproject.toml": PROJECT}),
    "frozen_torch": Case({"requirements.frozen.txt": "numpy==2.0.0\ntorch==2.6.0+cu124\n"}),
    "no_dependencies": Case({"main.py": ""}),
    "accelerator": Case(REQUIREMENTS, accelerator="nvidia/cuda:12.9.1-runtime-ubuntu24.04"),
    "private_index": Case(REQUIREMENTS, PRIVATE),
    "uv_image": Case(REQUIREMENTS, {"uv-image": "ghcr.io/astral-sh/uv:0.13"}),
}


@pytest.mark.parametrize("name", CASES)
def test_code_gives_exactly_this_dockerfile(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    # Given
    case = CASES[name]
    for path, text in case.files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    job = Job(source=CodeSource(digest="sha256:" + "0" * 64, size_bytes=1), python_version="3.12")
    means = Means(DockerBuilderConfig.model_validate(case.config), case.mounts, case.accelerator)
    # When
    text = dockerfile(job, tmp_path, means).text
    # Then
    golden = FOLDER / f"{name}.Dockerfile"
    if pytestconfig.getoption("rewrite_golden"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_no_golden_dockerfile_is_without_its_code() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == CASES.keys()
