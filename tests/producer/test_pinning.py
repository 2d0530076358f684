"""Images that are pinned as a run is enqueued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.errors import Conflict, InvalidRequest, TemporaryError
from broker_config.jobs import ImageSource
from broker_config.oci import answers
from broker_config.queues import PinImages, Queue
from broker_config.settings import Settings
from producer import Client
from tests.oci_registry import Registry, registry


@pytest.fixture(autouse=True)
def without_login(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    monkeypatch.setattr(answers, "PAUSES_SECONDS", ())


@pytest.fixture
def server() -> Iterator[Registry]:
    with registry() as server:
        yield server


@pytest.fixture
def client(settings: Settings) -> Client:
    client = Client(settings)
    client.queues.create(Queue(name="pinning", resource="stub", pin_images=PinImages.ENQUEUE))
    client.queues.create(Queue(name="as-named", resource="stub"))
    return client


def test_what_waits_in_the_queue_does_not_change_when_the_tag_moves(client: Client, server: Registry) -> None:
    # Given
    image = f"{server.address}/team/train:v1"
    digest = server.put("team/train", "v1")
    # When
    handle = client.launch(queue="pinning", source=image)
    as_named = client.launch(queue="as-named", source=image)
    server.put("team/train", "v2")
    # Then
    pinned = ImageSource(image=f"{server.address}/team/train@{digest}", tag="v1")
    assert client.run(handle.id).run.spec.job.source == pinned
    assert client.run(as_named.id).run.spec.job.source == ImageSource(image=image)
    assert client.launch(queue="pinning", source=pinned.image).run.spec.job.source == ImageSource(image=pinned.image)


def test_many_runs_of_one_image_ask_for_it_once_and_have_the_same(
    client: Client, server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    digest = server.put("team/train", "latest")
    # When
    handles = client.enqueue_many([{"queue": "pinning", "source": f"{server.address}/team/train"}] * 20)
    # Then
    assert {handle.run.spec.job.source for handle in handles} == {
        ImageSource(image=f"{server.address}/team/train@{digest}", tag="latest")
    }
    assert server.asked == ["HEAD /v2/team/train/manifests/latest"]


def test_a_base_image_is_pinned_too(client: Client, server: Registry, home: Path) -> None:
    # Given
    digest = server.put("team/base", "v1")
    (home / "code").mkdir()
    (home / "code" / "train.py").write_text("print()\n")
    # When
    handle = client.launch(queue="pinning", source=str(home / "code"), base_image=f"{server.address}/team/base:v1")
    # Then
    assert handle.run.spec.job.base_image == f"{server.address}/team/base@{digest}"


def test_a_launch_with_a_known_key_is_the_earlier_run_although_the_tag_has_moved(
    client: Client, server: Registry
) -> None:
    # Given
    fields = {"queue": "pinning", "source": f"{server.address}/team/train:v1", "idempotency_key": "one"}
    server.put("team/train", "v1")
    first = client.launch(**fields)
    # When
    server.put("team/train", "v1", "other content")
    # Then
    assert client.launch(**fields).id == first.id


def test_a_plan_is_for_one_digest(client: Client, server: Registry) -> None:
    # Given
    server.put("team/train", "v1")
    plan = client.plan(queue="pinning", source=f"{server.address}/team/train:v1")
    again = client.plan(queue="pinning", source=f"{server.address}/team/train:v1")
    # When the tag stays, and when it moves
    assert client.launch_plan(plan).run.spec.planned == plan.preview.digest
    server.put("team/train", "v1", "other content")
    # Then
    with pytest.raises(Conflict):
        client.launch_plan(again)


def test_an_image_that_no_registry_shows_refuses_the_launch_and_says_what_to_do(
    client: Client, server: Registry
) -> None:
    # When
    with pytest.raises(InvalidRequest) as refused:
        client.launch(queue="pinning", source=f"{server.address}/only/here:v1")
    # Then
    assert f"registry {server.address} shows no image" in str(refused.value)
    assert "only on a Docker engine" in str(refused.value)
    assert "launchyard queue edit pinning --pin-images claim" in str(refused.value)
    assert not list(client.runs())


def test_a_registry_that_does_not_answer_is_worth_another_try(client: Client) -> None:
    with pytest.raises(TemporaryError, match=r"registry 127\.0\.0\.1:1 does not answer"):
        client.launch(queue="pinning", source="127.0.0.1:1/team/train:v1")
    assert not list(client.runs())
