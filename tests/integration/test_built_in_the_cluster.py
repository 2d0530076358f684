"""A folder of code, from the launch to its image in the cluster's registry and to its end there, built by kaniko."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from broker_config.images import ImageOrigin
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client
from tests.agents import AgentProcess
from tests.cluster import namespace, registry, until
from tests.moto_server import aws
from tests.workers.builders.kaniko_lab import kaniko_config

QUEUE = "cluster-queue"
TRAIN = """
import six, socket
print("trained with", six.__version__, flush=True)
socket.create_connection({address}).recv(1)
print("{edition} is done")
"""


@pytest.fixture(name="space")
def namespace_of_the_test() -> Iterator[str]:
    with namespace() as name:
        yield name


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """A bucket for contexts; the variables with which pods reach it."""
    with aws(registry().partition(":")[0]) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        boto3.resource("s3", region_name="us-east-1").create_bucket(Bucket="contexts")
        own = {"AWS_REGION": "us-east-1", "S3_ENDPOINT": variables["AWS_ENDPOINT_URL"], "S3_FORCE_PATH_STYLE": "true"}
        pod = {**own, **{name: variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}}
        yield [{"name": name, "value": value} for name, value in pod.items()]


def test_a_folder_is_built_in_the_cluster_once_and_its_log_is_there_while_it_runs(
    settings: Settings, home: Path, space: str, store: list[dict[str, str]], agent: Callable[..., AgentProcess]
) -> None:
    # Given
    builder = kaniko_config(space, build_context_store="s3://contexts/builds")
    builder.kaniko_config["spec"]["template"]["spec"]["containers"][0]["env"] = store
    block = builder.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"type": "kaniko"}
    config = {"builder": block, "registry": {"uri": f"{registry()}/jobs/{space}", "plain_http": True}}
    (settings.home / "launch-config.yaml").write_text(json.dumps(config))
    (home / "code").mkdir()
    (home / "code" / "requirements.txt").write_text("six==1.17.0\n")
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="kubernetes", config={"namespace": space}))
    agent(QUEUE).start()
    held = socket.create_server((registry().partition(":")[0], 0))
    held.settimeout(90)

    def launched(edition: str) -> tuple[Run, list[str]]:
        (home / "code" / "train.py").write_text(TRAIN.format(address=held.getsockname(), edition=edition))
        handle = client.launch(queue=QUEUE, source=str(home / "code"), entry_point=["python", "train.py"])
        waiting, _ = held.accept()
        until(lambda: "trained with 1.17.0" in [*handle.logs()])
        waiting.close()
        handle.wait(60)
        return client.run(handle.id).run, [*handle.logs()]

    # When
    with held:
        (first, lines), (again, _), (edited, later) = [launched(edition) for edition in ("one", "one", "two")]
    # Then
    assert [run.state for run in (first, again, edited)] == [State.SUCCEEDED] * 3, lines + later
    assert "one is done" in lines
    assert "two is done" in later
    assert first.image.startswith(f"{registry()}/jobs/{space}@sha256:")
    assert (again.image, again.image_origin) == (first.image, ImageOrigin.REUSED)
    assert edited.image != first.image
    assert any(line.strip().startswith("cached") and "requirements.txt" in line for line in later)
