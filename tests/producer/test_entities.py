"""Queues belong to entities: which one a name means, and who sees a private one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from broker_config.errors import Conflict, InvalidRequest, NotFound, NotPermitted
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client

IMAGE = "python:3.11"
MINE = Queue(name="mine", entity="alice", private=True, resource="stub")


@pytest.fixture
def client_of(settings: Settings) -> Iterator[Callable[[str], Client]]:
    """Makes clients of other authors."""
    with ExitStack() as stack:
        yield lambda author: stack.enter_context(Client(settings, author=author))


@pytest.fixture
def teams(store: Store) -> list[Queue]:
    """Three queues of one name."""
    return [
        store.queues.create(Queue(name="gpu", entity=entity, resource="stub")).queue
        for entity in ("default", "team-a", "team-b")
    ]


@pytest.mark.parametrize(
    ("queue", "entity", "meant"),
    [
        ("gpu", None, "gpu"),
        ("default/gpu", None, "gpu"),
        ("gpu", "default", "gpu"),
        ("gpu", "team-a", "team-a/gpu"),
        ("team-b/gpu", None, "team-b/gpu"),
        ("team-b/gpu", "team-b", "team-b/gpu"),
    ],
)
@pytest.mark.usefixtures("teams")
def test_a_launch_goes_to_the_queue_of_the_entity_that_is_named(
    client: Client, queue: str, entity: str | None, meant: str
) -> None:
    run = client.launch(queue=queue, entity=entity, source=IMAGE).run
    assert run.spec.queue.full_name == meant
    assert {record.name: sum(client.queues.counts(record.name).values()) for record in client.queues.list()} == {
        name: int(name == meant) for name in ("gpu", "team-a/gpu", "team-b/gpu")
    }


@pytest.mark.usefixtures("teams")
def test_a_launch_that_names_two_entities_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="queue 'team-b/gpu' belongs to entity 'team-b', and the launch names"):
        client.launch(queue="team-b/gpu", entity="team-a", source=IMAGE)


def test_a_name_that_is_only_elsewhere_is_answered_with_its_full_name(client: Client) -> None:
    # Given
    client.queues.create(Queue(name="gpu", entity="team-a", resource="stub"))
    client.queues.create(Queue(name="cpu", resource="stub"))

    # Then
    for name, entity, found in (
        ("gpu", None, "queue 'gpu' does not exist; there is 'team-a/gpu', of another entity"),
        ("gpu", "team-b", "queue 'team-b/gpu' does not exist; there is 'team-a/gpu', of another entity"),
        ("cpu", "team-a", "queue 'team-a/cpu' does not exist; there is 'cpu', of another entity"),
    ):
        with pytest.raises(NotFound, match=found):
            client.launch(queue=name, entity=entity, source=IMAGE)


def test_a_name_is_taken_in_its_entity_alone(client: Client, teams: list[Queue]) -> None:
    for queue in teams:
        with pytest.raises(Conflict, match=f"queue '{queue.full_name}' exists"):
            client.queues.create(queue)


def test_a_private_queue_is_its_authors_alone(client_of: Callable[[str], Client]) -> None:
    # Given a queue of alice's own, and a run on it
    alice, bob = client_of("alice"), client_of("bob")
    alice.queues.create(MINE)
    run = alice.launch(queue="alice/mine", source=IMAGE)

    # Then she sees both
    assert [record.name for record in alice.queues.list()] == ["alice/mine"]
    assert [handle.id for handle in alice.runs()] == [run.id]

    # And bob neither sees them, nor launches there, nor changes anything
    assert (bob.queues.list(), list(bob.runs())) == ([], [])
    for action in (
        lambda: bob.launch(queue="alice/mine", source=IMAGE),
        lambda: bob.plan(queue="mine", entity="alice", source=IMAGE),
        lambda: bob.queue("alice/mine"),
        lambda: bob.queues.edit(MINE.model_copy(update={"private": False})),
        lambda: bob.queues.set_paused("alice/mine", True),
        lambda: bob.queues.history("alice/mine"),
        lambda: bob.queues.delete("alice/mine"),
    ):
        with pytest.raises(NotPermitted, match="is private to 'alice', and the author here is 'bob'"):
            action()
    with pytest.raises(NotFound, match="is on a private queue of 'alice'"):
        bob.run(run.id)
    assert alice.queue("alice/mine").record.queue == MINE


def test_nobody_makes_a_private_queue_for_somebody_else(client_of: Callable[[str], Client]) -> None:
    # Given a queue that bob shares
    bob = client_of("bob")
    shared = bob.queues.create(Queue(name="gpu", entity="alice", resource="stub")).queue

    # When he creates one, or makes that one, private to alice
    with pytest.raises(NotPermitted):
        bob.queues.create(MINE)
    with pytest.raises(NotPermitted):
        bob.queues.edit(shared.model_copy(update={"private": True}))

    # Then nothing was written
    assert [record.queue for record in client_of("alice").queues.list()] == [shared]
