"""What a job is told about itself, and about W&B where its agent is set up for it.

The names are those that wandb documents. Tried by hand with wandb 0.31.0 in offline mode too: `wandb.init()` has the
run's id, its name, project, entity and config from them.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from broker_config.jobs import CodeSource, ImageSource, Job, Source
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunId, RunSpec, now
from broker_config.states import Reason, State
from workers.job_environment import job_environment
from workers.wandb import CONFIG_CHUNK, Wandb, from_environment

CODE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
WITH_KEY = from_environment({"WANDB_API_KEY": "hunter2"})


def run_of(
    *, source: Source = CODE, entity: str = "vision", attempt: int = 1, project: str = "digits", **job: Any
) -> Run:
    spec = RunSpec(
        id=RunId("abcdefghijkm"),
        name="train-abcdef",
        queue=Queue(name="gpu-queue", entity=entity, resource="docker"),
        queue_revision=1,
        job=Job(source=source, **job),
        priority=Priority.HIGH,
        project=project,
        author="alice",
        created_at=now(),
    )
    return Run(spec=spec, version=1, state=State.CLAIMED, since=now(), reason=Reason.CLAIMED, attempt=attempt)


def test_a_job_is_told_who_it_is() -> None:
    assert job_environment(run_of(run_config={"lr": 0.1}, env={"SEED": "1"}), Wandb()) == {
        "SEED": "1",
        "LAUNCHYARD_RUN_ID": "abcdefghijkm",
        "LAUNCHYARD_RUN_NAME": "train-abcdef",
        "LAUNCHYARD_PROJECT": "digits",
        "LAUNCHYARD_ENTITY": "vision",
        "LAUNCHYARD_AUTHOR": "alice",
        "LAUNCHYARD_JOB": "",
        "LAUNCHYARD_QUEUE": "gpu-queue",
        "LAUNCHYARD_PRIORITY": "high",
        "LAUNCHYARD_ATTEMPT": "1",
        "LAUNCHYARD_CONFIG": '{"lr": 0.1}',
    }


def test_with_a_key_of_the_agent_a_job_has_what_wandb_reads_and_not_the_key() -> None:
    # When
    env = job_environment(run_of(run_config={"lr": 0.1}), WITH_KEY)

    # Then the key's name alone goes on, and the target has its value
    assert {name: value for name, value in env.items() if name.startswith("WANDB_")} == {
        "WANDB_PROJECT": "digits",
        "WANDB_ENTITY": "vision",
        "WANDB_RUN_ID": "abcdefghijkm",
        "WANDB_NAME": "train-abcdef",
        "WANDB_USERNAME": "alice",
        "WANDB_LAUNCH": "True",
        "WANDB_LAUNCH_QUEUE_NAME": "gpu-queue",
        "WANDB_LAUNCH_QUEUE_ENTITY": "vision",
        "WANDB_LAUNCH_TRACE_ID": "abcdefghijkm",
        "WANDB_CONFIG": '{"lr": 0.1}',
    }
    assert WITH_KEY.secrets == ("WANDB_API_KEY",)
    assert "hunter2" not in repr((env, WITH_KEY))


@pytest.mark.parametrize("environ", [{}, {"WANDB_API_KEY": ""}, {"WANDB_BASE_URL": "https://wandb.example"}])
def test_without_a_key_or_a_mode_a_job_has_nothing_of_wandb(environ: dict[str, str]) -> None:
    wandb = from_environment(environ)
    assert [name for name in job_environment(run_of(), wandb) if name.startswith("WANDB_")] == []
    assert wandb.secrets == ()


def test_a_mode_without_a_key_is_enough() -> None:
    # Given an agent without a way to the internet, whose runs are synced later
    wandb = from_environment({"WANDB_MODE": "offline", "WANDB_BASE_URL": "https://wandb.example", "HOME": "/root"})

    # When
    env = job_environment(run_of(), wandb)

    # Then
    assert (env["WANDB_MODE"], env["WANDB_BASE_URL"]) == ("offline", "https://wandb.example")
    assert ("HOME" in env, wandb.secrets) == (False, ())


def test_an_image_job_and_a_later_attempt_say_so_to_wandb() -> None:
    env = job_environment(run_of(source=ImageSource(image="team/train:1"), attempt=2), WITH_KEY)
    assert (env["WANDB_DOCKER"], env["WANDB_RESUME"]) == ("team/train:1", "allow")


def test_an_entity_or_project_that_nobody_named_is_left_to_wandb() -> None:
    env = job_environment(run_of(entity="default", project=""), WITH_KEY)
    assert not {"WANDB_ENTITY", "WANDB_LAUNCH_QUEUE_ENTITY", "WANDB_PROJECT"} & set(env)
    assert (env["LAUNCHYARD_ENTITY"], env["LAUNCHYARD_PROJECT"]) == ("default", "")


def test_a_jobs_own_variables_come_over_those_of_wandb_and_under_ours() -> None:
    env = job_environment(run_of(env={"WANDB_PROJECT": "mine", "LAUNCHYARD_QUEUE": "mine"}), WITH_KEY)
    assert (env["WANDB_PROJECT"], env["LAUNCHYARD_QUEUE"]) == ("mine", "gpu-queue")


def test_a_config_that_no_variable_can_hold_is_given_in_parts() -> None:
    # Given
    config = {"x": "é" * 50_000}

    # When
    env = job_environment(run_of(run_config=config), Wandb())

    # Then a process can be started with it
    parts = [env[name] for name in ("LAUNCHYARD_CONFIG_0", "LAUNCHYARD_CONFIG_1", "LAUNCHYARD_CONFIG_2")]
    assert json.loads("".join(parts)) == config
    assert subprocess.run(["true"], env=env, check=False).returncode == 0


@pytest.mark.parametrize(("length", "parts"), [(CONFIG_CHUNK, 0), (CONFIG_CHUNK + 1, 2), (2 * CONFIG_CHUNK + 1, 3)])
def test_a_large_config_is_given_to_wandb_in_parts(length: int, parts: int) -> None:
    # Given a config whose JSON has so many characters
    config = {"x": "y" * (length - len(json.dumps({"x": ""})))}

    # When
    env = job_environment(run_of(run_config=config), WITH_KEY)

    # Then wandb, which puts the parts together in the order of their numbers, reads the same
    names = [f"WANDB_CONFIG_{place}" for place in range(parts)] or ["WANDB_CONFIG"]
    assert sorted(name for name in env if name.startswith("WANDB_CONFIG")) == sorted(names)
    assert json.loads("".join(env[name] for name in names)) == config
