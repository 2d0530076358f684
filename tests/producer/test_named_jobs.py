"""Named jobs from Python: created once, launched by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import InvalidRequest, NotFound
from broker_config.jobs import CodeSource, ImageSource
from broker_config.queues import Queue, QueueRecord
from broker_config.store import Store
from producer import Client


def test_a_launch_by_name_runs_the_version_that_was_newest_then(client: Client, queue: QueueRecord, code: Path) -> None:
    # Given a job of the queue's entity
    made: dict[str, Any] = {"name": "train", "source": code, "entry_point": ["python", "train.py"]}
    first = client.jobs.create(**made, project="digits")

    # When it is launched, then changed
    run = client.launch(queue="gpu-queue", job="train")
    (code / "train.py").write_text("print('better')\n")
    second = client.jobs.create(**made, project="digits")

    # Then the run keeps what it was launched with
    assert (run.run.spec.job, run.run.spec.job_version) == (first.job, "default/train:v0")
    assert (run.run.spec.project, run.name.startswith("train-")) == ("digits", True)
    assert isinstance(first.job.source, CodeSource)
    assert first.job.source != second.job.source
    names = ("train", "train:v0", "default/train")
    later = client.enqueue_many([{"queue": "gpu-queue", "job": name} for name in names])
    assert [run.run.spec.job_version[-2:] for run in later] == ["v1", "v0", "v1"]


def test_a_launch_changes_fields_of_the_job_for_its_run(client: Client, queue: QueueRecord) -> None:
    # Given
    client.jobs.create(
        source="python:3.12",
        name="train",
        entry_point=["python", "train.py"],
        args=["--fast"],
        env={"A": "1", "B": "2"},
        run_config={"lr": 0.1, "model": {"depth": 2, "width": 8}},
    )

    # When
    run = client.launch(
        queue="gpu-queue", job="train", args=["--epochs", 3], env={"B": "3"}, run_config={"model": {"depth": 3}}
    ).run

    # Then env and run config are changed key by key, and the version is as it was
    job = run.spec.job
    assert (job.entry_point, job.args) == (("python", "train.py"), ("--epochs", "3"))
    assert (job.env, job.run_config) == ({"A": "1", "B": "3"}, {"lr": 0.1, "model": {"depth": 3, "width": 8}})
    assert client.jobs.get("default/train").job.args == ("--fast",)


def test_a_job_without_an_entity_is_everybodys_and_is_launched_with_it(client: Client) -> None:
    client.queues.create(Queue(name="gpu", entity="team", resource="stub"))
    version = client.jobs.create(source="registry.example/team/my_train:1.2")
    assert version.reference == "default/my_train:v0"
    assert client.launch(queue="team/gpu", job="default/my_train").run.spec.job == version.job
    with pytest.raises(NotFound, match=r"job 'team/my_train' does not exist.*default/my_train"):
        client.launch(queue="gpu", entity="team", job="my_train")


def test_the_schema_of_a_job_fills_in_and_checks_the_run_config(
    client: Client, store: Store, queue: QueueRecord
) -> None:
    # Given
    schema = {
        "required": ["epochs"],
        "properties": {"epochs": {"type": "integer", "exclusiveMinimum": 0}, "lr": {"type": "number", "default": 0.1}},
    }
    client.jobs.create(source="a:1", name="train", run_config={"seed": 1}, inputs=schema)

    # When
    run = client.launch(queue="gpu-queue", job="train", run_config={"epochs": 3}).run

    # Then
    assert run.spec.job.run_config == {"seed": 1, "epochs": 3, "lr": 0.1}
    with pytest.raises(InvalidRequest, match="job 'default/train:v0': run config: epochs is missing"):
        client.launch(queue="gpu-queue", job="train")
    assert len(list(store.runs.newest())) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"job": "default/train", "source": "a:1"}, "has its source; leave source out, or job"),
        ({"job": "a b"}, "job 'a b': name"),
        ({"job": 7}, "job 7 is no name of a job"),
        ({"job": "default/train", "entry_point": "python x"}, "give a list of its words"),
        ({"job": "default/train", "dockerfile": "x"}, "the source is an image, so nothing is built"),
    ],
)
def test_a_wrong_launch_by_name_writes_nothing(
    client: Client, store: Store, queue: QueueRecord, fields: dict[str, Any], message: str
) -> None:
    client.jobs.create(source=ImageSource(image="a:1"), name="train")
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="gpu-queue", **fields)
    assert not list(store.runs.newest())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a"}, "job: field 'source' is missing"),
        ({"source": "a:1", "nmae": "b"}, "job: unknown field 'nmae'"),
        ({"source": "a:1", "queue": "q"}, "job: unknown field 'queue'"),
        ({"source": "a:1", "name": "a/b"}, "cannot be a name"),
        ({"source": "a:1", "aliases": ["latest"]}, "is given by Launchyard itself"),
        ({"source": "./missing"}, "there is no folder"),
        ({"source": "a:1", "name": "a", "inputs": {"type": "tuple"}}, "inputs.type"),
    ],
)
def test_a_wrong_job_is_not_created(client: Client, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        client.jobs.create(**fields)
    assert client.jobs.list() == []
