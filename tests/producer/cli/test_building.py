"""`launchyard build` as a user sees it, with the program behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.store import Store
from tests.docker_engine import BASE_IMAGE, engine
from tests.producer.cli.conftest import Call
from workers.targets.contract.waiting import eventually

CUDA = "nvidia/cuda:12.9.1-runtime-ubuntu24.04"


@pytest.fixture
def queue(store: Store) -> str:
    store.queues.create(Queue(name="lab", resource="docker"))
    return "lab"


def test_the_dockerfile_is_shown_where_there_is_no_engine(
    launchyard: Call, queue: str, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    (code / "requirements.txt").write_text("six\n")
    # When
    answer = launchyard("build", "-q", queue, "--code", str(code), "--dockerfile-only", "--", "python", "train.py")
    # Then it can be written to a file as it is
    assert answer.code == 0, answer.err
    assert answer.out.startswith("FROM python:3")
    assert answer.out.endswith("\nUSER 1000:1000\n")
    assert "a Dockerfile written from requirements.txt" in answer.err


def test_the_base_image_of_the_queue_and_of_an_override_are_in_the_dockerfile(
    launchyard: Call, store: Store, code: Path
) -> None:
    # Given
    config = {"builder": {"accelerator": {"base_image": CUDA}}}
    store.queues.create(Queue(name="gpu", resource="docker", config=config))
    options = ("build", "-q", "gpu", "--code", str(code), "--dockerfile-only")
    # When
    of_queue = launchyard(*options, "--", "python", "train.py")
    of_job = launchyard(*options, "--override", "builder.accelerator.base_image=rocm/dev:7", "--", "python", "train.py")
    # Then
    assert f"\nFROM {CUDA}\n" in of_queue.out
    assert "\nFROM rocm/dev:7\n" in of_job.out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--image", "team/train:1"), "its source is the image team/train:1"),
        (("--code", ".", "--base-image", "team/base:1"), "it runs base image team/base:1"),
    ],
)
def test_a_launch_without_anything_to_build_says_so(
    launchyard: Call, queue: str, code: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(code)
    answer = launchyard("build", "-q", queue, *options, "--", "python", "train.py")
    assert answer.code == 1
    assert why in answer.err


def test_a_queue_whose_jobs_are_processes_has_no_image(launchyard: Call, store: Store, code: Path) -> None:
    store.queues.create(Queue(name="processes", resource="local-process"))
    answer = launchyard("build", "-q", "processes", "--code", str(code), "--", "python", "train.py")
    assert (answer.code, "'local-process' runs no images" in answer.err) == (1, True)


def test_an_image_is_built_once_and_then_found(launchyard: Call, queue: str, code: Path) -> None:
    # Given
    api = engine()
    (code / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nRUN echo {time.time_ns()}\n")
    command = ("build", "-q", queue, "--code", str(code), "--json", "--", "python", "train.py")
    # When
    first, second = launchyard(*command), launchyard(*command)
    # Then
    assert (first.code, second.code) == (0, 0), first.err
    try:
        assert (first.json["is_reused"], second.json["is_reused"]) == (False, True)
        assert first.json["reference"] == second.json["reference"]
        assert first.json["reference"].endswith(first.json["key"][:32])
        assert api.inspect_image(first.json["reference"])
    finally:
        api.remove_image(first.json["reference"], force=True)


def test_a_build_that_fails_ends_with_its_last_lines(launchyard: Call, queue: str, code: Path) -> None:
    # Given
    engine()
    (code / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nRUN echo this is wrong; exit 3\n")
    # When
    answer = launchyard("build", "-q", queue, "--code", str(code), "--", "python", "train.py")
    # Then
    assert answer.code == 1
    assert "this is wrong" in answer.err


def test_ctrl_c_ends_the_build_too(queue: str, code: Path, settings: Settings) -> None:
    # Given a build that goes on, with a command that no other one has
    engine()
    seconds = f"{1_000_000 + time.time_ns() % 1_000_000}"
    (code / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nRUN sleep {seconds}\n")
    arguments = [sys.executable, "-m", "producer.cli", "build", "-q", queue, "--code", str(code), "--", "true"]
    process = subprocess.Popen(arguments, env=environment_for(settings), start_new_session=True)
    eventually(lambda: _is_running(seconds), 60.0)
    # When the terminal tells its process group
    os.killpg(process.pid, signal.SIGINT)
    # Then
    assert process.wait(timeout=30) != 0
    eventually(lambda: not _is_running(seconds), 5.0)


def _is_running(argument: str) -> bool:
    return any(["sleep", argument] == process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
