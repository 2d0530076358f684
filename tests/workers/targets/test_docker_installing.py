"""Code on a base image: what it needs is installed in the container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from broker_config.states import FailureClass, Reason
from tests.workers.builders.wheels import write_wheel
from tests.workers.targets.docker_lab import DockerLab
from workers.failures import RunFailed
from workers.targets.protocol import Observation, Phase

OFFLINE = "--no-index\n--find-links /job/wheels\n"
SCRIPT = "import os, probe; print(probe.VALUE, os.getcwd(), sorted(os.listdir()))"


@pytest.fixture
def lab(home: Path) -> Iterator[DockerLab]:
    lab = DockerLab(home)
    yield lab
    lab.close()


def code(home: Path, files: Mapping[str, str]) -> Path:
    """Code with a package that it needs beside it."""
    folder = home / "code"
    folder.mkdir()
    write_wheel(folder / "wheels", "probe", "1.0", "installed")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def run(lab: DockerLab, folder: Path, script: str = SCRIPT) -> tuple[Observation, list[str]]:
    name = lab.submit_with(script, folder=folder, installs=True)
    ended = lab.end_of(name)
    return ended, lab.lines(name)


def test_what_the_code_needs_is_installed_before_the_job_begins(lab: DockerLab, home: Path) -> None:
    # When
    ended, lines = run(lab, code(home, {"requirements.txt": f"{OFFLINE}probe\n"}))
    # Then nothing of it is left beside the code
    assert ended.phase is Phase.SUCCEEDED, lines
    assert lines[0] == "launchyard: installing what requirements.txt names"
    assert lines[-1] == "installed /job ['requirements.txt', 'wheels']"


def test_the_projects_dependencies_are_installed_where_there_are_no_requirements(lab: DockerLab, home: Path) -> None:
    # Given
    project = '[project]\nname = "train"\nversion = "1"\ndependencies = ["probe @ file:///job/wheels/WHEEL"]\n'
    folder = code(home, {})
    (wheel,) = (folder / "wheels").iterdir()
    (folder / "pyproject.toml").write_text(project.replace("WHEEL", wheel.name))
    # When
    ended, lines = run(lab, folder)
    # Then
    assert ended.phase is Phase.SUCCEEDED, lines
    assert lines[0] == "launchyard: installing what pyproject.toml names"


def test_a_package_of_a_frozen_list_that_cannot_be_had_is_left_out_and_told(lab: DockerLab, home: Path) -> None:
    # Given
    wheels = {"requirements.frozen.txt": "# by wandb\nnever-heard-of==1\nprobe==1.0\n"}
    folder = code(home, wheels)
    (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /job/wheels\n")
    # When
    name = lab.submit_with(SCRIPT, folder=folder, installs=True, env={"PIP_CONFIG_FILE": "/job/pip.conf"})
    # Then
    assert lab.end_of(name).phase is Phase.SUCCEEDED
    assert "launchyard: never-heard-of==1 is not installed; the job goes on without it" in lab.lines(name)


def test_code_that_needs_nothing_begins_at_once(lab: DockerLab, home: Path) -> None:
    ended, lines = run(lab, code(home, {}), "print('ran')")
    assert (ended.phase, lines) == (Phase.SUCCEEDED, ["ran"])


def test_an_install_that_fails_is_a_failed_build_with_its_last_lines(lab: DockerLab, home: Path) -> None:
    # When
    ended, lines = run(lab, code(home, {"requirements.txt": f"{OFFLINE}never-heard-of\n"}))
    # Then
    assert (ended.phase, ended.reason, ended.failure) == (Phase.FAILED, Reason.BUILD_FAILED, FailureClass.BUILD)
    assert "could not be installed; the last lines:" in ended.text
    assert "No matching distribution found for never-heard-of" in ended.text
    assert "No matching distribution found for never-heard-of" in "\n".join(lines)


def test_a_job_that_fails_after_its_install_is_its_own_fault(lab: DockerLab, home: Path) -> None:
    ended, _ = run(lab, code(home, {"requirements.txt": f"{OFFLINE}probe\n"}), "raise SystemExit(3)")
    assert (ended.reason, ended.exit_code, ended.failure) == (Reason.EXITED, 3, FailureClass.USER)


def test_code_on_a_base_image_needs_a_command(lab: DockerLab, home: Path) -> None:
    with pytest.raises(RunFailed, match="needs a command; launch the job with an entry point"):
        lab.submit_with("", folder=code(home, {}), installs=True, entry_point=(), args=())
