from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.queues import Queue, QueueRecord
from broker_config.store import Store
from tests.producer.cli.conftest import Call


def test_everything_on_the_command_line_reaches_the_run(
    launchyard: Call, store: Store, queue: QueueRecord, code: Path
) -> None:
    # Given a queue and a folder, when a job is launched with every option
    (code / "sub").mkdir()
    words = "--lr 0.1 --override not-ours"
    options = (
        "--name try-1 --priority high --env SEED=1 --env A=b=c --label team=vision --override exit_code=2 "
        "--override seconds=null --run-config layers=[1,2] --python-version 3.12 --idempotency-key k --project digits "
        "--entity default --build-context sub --base-image python:3.12"
    )
    answer = launchyard(
        *("launch", "-q", "gpu-queue", "--code", str(code), *options.split(), "--json"),
        *("--", "python", "train.py", *words.split()),
    )

    # Then the run has all of it, and what stands behind `--` belongs to the job
    run = store.runs.get(answer.json["id"])
    job = run.spec.job
    assert job.entry_point == ("python", "train.py", "--lr", "0.1", "--override", "not-ours")
    assert (job.env, job.run_config, job.python_version) == ({"SEED": "1", "A": "b=c"}, {"layers": [1, 2]}, "3.12")
    assert (run.spec.overrides, run.spec.labels) == ({"exit_code": 2, "seconds": None}, {"team": "vision"})
    assert (run.spec.name, run.spec.priority.label, run.spec.project) == ("try-1", "high", "digits")
    assert (job.build_context, job.base_image) == ("sub", "python:3.12")


def test_a_launch_prints_the_id_alone_and_the_rest_beside_it(launchyard: Call, queue: QueueRecord) -> None:
    # Given a queue, when an image is launched
    answer = launchyard("launch", "-q", "gpu-queue", "--image", "python:3.11")

    # Then stdout is what a script wants, and stderr what a person wants
    run_id = answer.out.strip()
    assert len(run_id) == 12
    assert f"next: launchyard logs -f {run_id}" in answer.err


def test_the_double_dash_may_be_left_out(launchyard: Call, queue: QueueRecord, store: Store) -> None:
    # Given no `--`, when a command with options is launched, then they are the job's
    launchyard("launch", "-q", "gpu-queue", "--image", "python:3.11", "python", "train.py", "--lr", "1")
    assert next(store.runs.newest()).spec.job.entry_point == ("python", "train.py", "--lr", "1")


def test_the_present_folder_is_the_source_when_none_is_named(
    launchyard: Call, queue: QueueRecord, store: Store, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a folder of code, when a command is launched in it
    monkeypatch.chdir(code)
    launchyard("launch", "-q", "gpu-queue", "--", "python", "train.py")

    # Then its code is what runs
    run = next(store.runs.newest())
    assert (run.spec.job.source.type, run.spec.name.startswith("project-")) == ("code", True)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-q", "gpu-queue"), 3, "say what to run"),
        (("-q", "gpu-queue", "--image", "a:b", "--git", "https://h/r"), 3, "choose one"),
        (("-q", "gpu-queue", "--image", "a:b", "--env", "X"), 3, "--env 'X' must be KEY=VALUE"),
        (("-q", "gpu-queue", "--image", "a:b", "--priority", "hgih"), 3, "did you mean 'high'"),
        (("-q", "gpu-quue", "--image", "a:b"), 4, "did you mean 'gpu-queue'"),
        (("--image", "a:b"), 2, "Missing option '--queue'"),
        (("-q", "gpu-queue", "--git", "https://me:s3cret@h/r"), 3, "holds a password"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_launched(
    launchyard: Call, store: Store, arguments: tuple[str, ...], code: int, message: str
) -> None:
    # Given a command line with one mistake, when it is called, then it is told in one line
    answer = launchyard("launch", *arguments)
    assert (answer.code, message in answer.err, "s3cret" in answer.err) == (code, True, False)
    assert not list(store.runs.newest())


def test_a_priority_on_a_plain_queue_names_the_command_that_helps(launchyard: Call, store: Store) -> None:
    # Given a queue without prioritization, when a high run is launched, then the cure can be copied
    store.queues.create(Queue(name="plain", resource="stub"))
    answer = launchyard("launch", "-q", "plain", "--image", "a:b", "-P", "high")
    assert "launchyard queue edit plain --prioritization" in answer.err
    assert launchyard("queue", "edit", "plain", "--prioritization").code == 0
    assert launchyard("launch", "-q", "plain", "--image", "a:b", "-P", "high").code == 0
