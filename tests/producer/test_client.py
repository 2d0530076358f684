from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import BrokerUnavailable, Conflict, InvalidRequest, NotFound
from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Launch
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from producer import Client
from tests.code import get

IMAGE = "python:3.11"


def nothing_was_written(store: Store) -> bool:
    return not list(store.runs.newest())


def test_a_launched_job_waits_on_its_queue_with_everything_that_was_asked(client: Client, queue: QueueRecord) -> None:
    # Given a queue, when a job is launched with every field
    run = client.launch(
        queue="gpu-queue",
        source=IMAGE,
        entry_point=["python", "train.py"],
        args=["--lr", 0.1],
        env={"SEED": 1},
        run_config={"layers": [1, 2]},
        overrides={"seconds": 5},
        priority="high",
        name="first-try",
        labels={"team": "vision"},
        python_version="3.12",
    )

    # Then the record holds all of it
    spec = run.run.spec
    assert run.state is State.QUEUED
    assert (spec.name, spec.priority, spec.author, spec.labels) == (
        "first-try",
        Priority.HIGH,
        "tester",
        {"team": "vision"},
    )
    assert (spec.job.args, spec.job.env) == (("--lr", "0.1"), {"SEED": "1"})
    assert spec.resource_config == {"seconds": 5}


def test_a_folder_is_packed_and_stored_under_the_digest_that_the_job_names(
    client: Client, store: Store, queue: QueueRecord, code: Path
) -> None:
    # Given a folder of code, when it is launched twice
    runs = [client.launch(queue="gpu-queue", source=code, entry_point=["python", "train.py"]) for _ in range(2)]

    # Then both name the same archive, and it is in the store
    sources = [run.run.spec.job.source for run in runs]
    assert sources[0] == sources[1]
    assert len(get(store.code, sources[0].digest)) == sources[0].size_bytes  # type: ignore[union-attr]


def test_a_run_without_a_name_gets_one_that_says_what_runs(client: Client, queue: QueueRecord, code: Path) -> None:
    # Given two launches without a name
    runs = [client.launch(queue="gpu-queue", source=code) for _ in range(2)]

    # When their names are read, then both begin with the folder's name and are different
    assert all(run.name == f"project-{run.id[:6]}" for run in runs)
    assert runs[0].name != runs[1].name


def test_an_unknown_queue_is_refused_with_a_near_miss(client: Client, store: Store, queue: QueueRecord) -> None:
    # Given a mistyped queue, when a job is launched, then the right one is named and nothing is written
    with pytest.raises(NotFound, match="queue 'gpu-quue' does not exist; did you mean 'gpu-queue'"):
        client.launch(queue="gpu-quue", source=IMAGE)
    assert nothing_was_written(store)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"entry_pont": ["x"]}, "unknown field 'entry_pont'; did you mean 'entry_point'"),
        ({"entry_point": "python train.py"}, r"give a list of its words: \['python', 'train.py'\]"),
        ({"env": {"BAD-NAME": "1"}}, "'BAD-NAME' cannot be an environment variable"),
        ({"priority": "urgent"}, "priority 'urgent' does not exist"),
        ({"name": "no spaces please"}, "cannot be a name"),
        ({"dockerfile": "../Dockerfile"}, "must be a path inside the source"),
        ({"python_version": "2.7"}, "python_version"),
        ({"args": [True]}, "args.0"),
        ({"run_config": {"x": "y" * 2_000_000}}, "the run is 2,000,"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(
    client: Client, store: Store, queue: QueueRecord, fields: dict[str, object], message: str
) -> None:
    # Given a launch with one mistake, when it is made, then the error says what and the cure
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="gpu-queue", source=IMAGE, **fields)  # type: ignore[typeddict-item]
    assert nothing_was_written(store)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"build_context": "src"}, "build_context 'src' is no folder in"),
        ({"dockerfile": "docker/Dockerfile"}, "dockerfile 'docker/Dockerfile' is no file in"),
    ],
)
def test_what_is_not_in_local_code_is_told_at_the_launch(
    client: Client, queue: QueueRecord, code: Path, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        client.launch(queue="gpu-queue", source=code, **fields)  # type: ignore[typeddict-item]


def test_a_launch_without_a_source_says_so(client: Client, queue: QueueRecord) -> None:
    # Given no source, when a job is launched, then the missing field is named
    with pytest.raises(InvalidRequest, match="launch: field 'source' is missing"):
        client.launch(queue="gpu-queue")  # type: ignore[call-arg]


def test_a_priority_on_a_queue_without_prioritization_is_refused_with_the_command_that_turns_it_on(
    client: Client, store: Store
) -> None:
    # Given a plain queue
    plain = store.queues.create(Queue(name="plain", resource="stub")).queue

    # When a high run is launched, then the error tells the cure
    with pytest.raises(InvalidRequest, match="launchyard queue edit plain --prioritization"):
        client.launch(queue="plain", source=IMAGE, priority="high")

    # And when somebody applies the cure, the same client takes the run
    store.queues.edit(plain.model_copy(update={"prioritization": True}))
    assert client.launch(queue="plain", source=IMAGE, priority="high").state is State.QUEUED


def test_a_queue_that_was_edited_since_the_last_launch_is_used_as_it_is_now(client: Client, store: Store) -> None:
    # Given a client that knows the queue, and an edit by somebody else
    queue = store.queues.create(Queue(name="q", resource="stub", config={"seconds": 1})).queue
    client.launch(queue="q", source=IMAGE)
    store.queues.edit(queue.model_copy(update={"config": {"seconds": 2}}))

    # When it launches again
    run = client.launch(queue="q", source=IMAGE)

    # Then the run has the new config and revision
    assert (run.run.spec.queue.config, run.run.spec.queue_revision) == ({"seconds": 2}, 2)


def test_a_queue_that_was_deleted_since_the_last_launch_is_not_found(client: Client, store: Store) -> None:
    # Given a client that knows a queue, which is then deleted
    store.queues.create(Queue(name="short-lived", resource="stub"))
    client.launch(queue="short-lived", source=IMAGE).cancel()
    store.queues.delete("short-lived")

    # When it launches again, then it is told so
    with pytest.raises(NotFound, match="queue 'short-lived' does not exist"):
        client.launch(queue="short-lived", source=IMAGE)


def test_a_known_queue_costs_a_launch_one_command(client: Client, queue: QueueRecord, broker_client: Any) -> None:
    # Given a client that has launched on the queue before
    client.launch(queue="gpu-queue", source=IMAGE)
    before = broker_client.info("commandstats")

    # When it launches again
    client.launch(queue="gpu-queue", source=IMAGE)

    # Then one script ran for it, and the queue was not read
    after = broker_client.info("commandstats")
    assert after["cmdstat_evalsha"]["calls"] - before["cmdstat_evalsha"]["calls"] == 1
    assert after["cmdstat_hgetall"]["calls"] == before["cmdstat_hgetall"]["calls"]


def test_the_same_idempotency_key_gives_the_same_run(client: Client, store: Store, queue: QueueRecord) -> None:
    # Given a launch with a key, when it is made again
    runs = [client.launch(queue="gpu-queue", source=IMAGE, idempotency_key="nightly-1") for _ in range(2)]

    # Then there is one run, and both handles are of it
    assert runs[0].id == runs[1].id
    assert runs[1].name == runs[0].name
    assert len(list(store.runs.newest())) == 1


def test_an_idempotency_key_of_another_launch_is_a_conflict(client: Client, queue: QueueRecord) -> None:
    # Given a launch with a key
    client.launch(queue="gpu-queue", source=IMAGE, idempotency_key="nightly-1")

    # When another job is launched with it, then it is refused
    with pytest.raises(Conflict, match="stands for another launch"):
        client.launch(queue="gpu-queue", source=IMAGE, args=["other"], idempotency_key="nightly-1")


def test_thousands_are_enqueued_in_the_order_given_over_several_queues(client: Client, store: Store) -> None:
    # Given two queues and launches that alternate between them, as models and as plain fields
    store.queues.create(Queue(name="a", resource="stub"))
    store.queues.create(Queue(name="b", resource="stub"))
    launches = [
        Launch(queue="a", job=Job(source=ImageSource(image=IMAGE), args=(str(number),)))
        if number % 2
        else {"queue": "b", "source": IMAGE, "args": [number]}
        for number in range(1200)
    ]

    # When all are enqueued
    runs = client.enqueue_many(launches)  # type: ignore[arg-type]

    # Then the handles are in the order given, and so are the queues
    assert [run.run.spec.job.args for run in runs[:6]] == [(str(number),) for number in range(6)]
    assert store.runs.waiting("a", 1000) == [run.id for run in runs[1::2]]
    assert store.runs.waiting("b", 1000) == [run.id for run in runs[::2]]


def test_one_wrong_launch_among_many_keeps_all_from_being_written(
    client: Client, store: Store, queue: QueueRecord
) -> None:
    # Given three launches, the last of them wrong: its queue, its size, its field
    good = {"queue": "gpu-queue", "source": IMAGE}
    store.queues.create(Queue(name="other", resource="stub"))
    for bad in (
        {**good, "queue": "nowhere"},
        {**good, "queue": "other", "run_config": {"x": "y" * 2_000_000}},
        {**good, "oops": 1},
    ):
        # When they are enqueued together, then none is
        with pytest.raises((NotFound, InvalidRequest)):
            client.enqueue_many([good, good, bad])  # type: ignore[list-item]
        assert nothing_was_written(store)


def test_a_run_is_found_by_the_beginning_of_its_id(client: Client, queue: QueueRecord) -> None:
    # Given a run, when it is looked for by part of its id, then it is found
    run = client.launch(queue="gpu-queue", source=IMAGE)
    assert client.run(run.id[:8]).id == run.id
    assert [found.id for found in client.runs()] == [run.id]


def test_a_broker_that_is_not_there_is_told_in_one_sentence(home: Path) -> None:
    # Given settings that name a port where nobody listens
    client = Client(Settings(home=home, author="tester"), broker_url="redis://127.0.0.1:1/0")

    # When a job is launched, then the error says what to look at
    with pytest.raises(BrokerUnavailable, match="is it running and the URL right"):
        client.launch(queue="q", source=IMAGE)
