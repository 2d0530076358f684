"""Images that are pinned as their runs are claimed, by a real agent."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.jobs import ImageSource
from broker_config.queues import PinImages, Queue
from broker_config.retries import RetryPolicy
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from producer import Client
from tests.agents import AgentProcess, eventually
from tests.oci_registry import registry

QUEUE = "pinning"


def test_a_tag_that_moves_between_two_attempts_changes_nothing(
    settings: Settings, agent: Callable[..., AgentProcess]
) -> None:
    # Given a job whose first attempt fails, and a queue that tries again a moment later
    client = Client(settings)
    policy = RetryPolicy(user=1, retry_on=(3,), backoff_seconds=1)
    config = {"exit_code": 3}
    client.queues.create(Queue(name=QUEUE, resource="stub", pin_images=PinImages.CLAIM, retries=policy, config=config))
    agent(QUEUE).start()
    with registry() as server:
        digest = server.put("team/train", "v1")
        # When
        handle = client.launch(queue=QUEUE, source=f"{server.address}/team/train:v1")
        eventually(lambda: client.run(handle.id).run.attempt == 2, "the second attempt waits")
        server.put("team/train", "v1", "other content")
        handle.wait(60)
    ended = client.run(handle.id).run
    # Then both attempts ran the first one's, and the record says which
    pinned = ImageSource(image=f"{server.address}/team/train@{digest}", tag="v1")
    assert (ended.state, ended.attempt) == (State.FAILED, 2)
    assert (ended.pinned_source, ended.image) == (pinned, pinned.image)
    assert ended.spec.job.source == ImageSource(image=f"{server.address}/team/train:v1")
    reasons = [event.reason for event in handle.events()]
    assert reasons.count(Reason.SOURCE_PINNED) == 1


def test_an_image_that_no_registry_shows_ends_the_run(settings: Settings, agent: Callable[..., AgentProcess]) -> None:
    # Given
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="stub", pin_images=PinImages.CLAIM))
    agent(QUEUE).start()
    with registry() as server:
        # When
        handle = client.launch(queue=QUEUE, source=f"{server.address}/only/here:v1")
        handle.wait(60)
    ended = client.run(handle.id).run
    # Then
    assert (ended.failure, ended.reason) == (FailureClass.CONFIG, Reason.IMAGE_UNAVAILABLE)
    assert f"registry {server.address} shows no image" in ended.text
