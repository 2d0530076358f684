"""Agents with keys: what somebody with a key has launched is carried out, and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis

from broker_config import messages
from broker_config.accounts.people import NewApiKey
from broker_config.connection import connect
from broker_config.messages import Order
from broker_config.priorities import Priority, list_key
from broker_config.queues import Queue, QueueRecord
from broker_config.retries import RetryPolicy
from broker_config.runs import RunId, now
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.store.keys import Keys
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from workers.targets.stub import StubTarget

KEY, NEWER = (f"{name}:{b64encode(name.encode() * 16).decode()}" for name in ("k1", "k2"))
KEYS = Keys("launchyard:")

Maker = Callable[..., AgentProcess]


@pytest.fixture
def signing(settings: Settings) -> Settings:
    """The settings of whoever has the key."""
    return settings.model_copy(update={"signing_keys": KEY})


@pytest.fixture
def signer(signing: Settings) -> Iterator[Store]:
    store = Store(signing)
    yield store
    store.close()


@pytest.fixture
def signed(signer: Store) -> Runs:
    """Enqueues runs that are signed."""
    return Runs(signer)


@pytest.fixture
def agent(signing: Settings) -> Iterator[Maker]:
    """Makes agents with the key."""
    made: list[AgentProcess] = []

    def make(*, keys: str = KEY, **options: Any) -> AgentProcess:
        made.append(AgentProcess(signing.model_copy(update={"signing_keys": keys}), "gpu-queue", **options))
        return made[-1]

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def intruder(settings: Settings) -> Iterator[redis.Redis]:
    """The broker as somebody has it who may write what he likes."""
    client = connect(settings)
    yield client
    client.close()


def config_of(settings: Settings, text: str) -> list[str]:
    """The options of an agent with that config."""
    path = settings.home / "launch-config.yaml"
    path.write_text(text)
    return ["--launch-config", str(path)]


def refused(store: Store, run_id: RunId, why: str) -> None:
    """The run failed, and was never claimed."""
    eventually(lambda: store.runs.get(run_id).state is State.FAILED, "the run is refused")
    run = store.runs.get(run_id)
    assert (run.reason, run.failure, run.agent) == (Reason.UNSIGNED, FailureClass.CONFIG, "")
    assert why in run.text
    assert State.CLAIMED not in {event.new for _, event in store.runs.events(run_id)}


def alter(intruder: redis.Redis, run_id: RunId, **fields: Any) -> None:
    """Change a run's spec where it is stored."""
    spec = json.loads(str(intruder.get(KEYS.run_spec(run_id))))
    intruder.set(KEYS.run_spec(run_id), json.dumps({**spec, **fields}, separators=(",", ":")))


def test_a_signed_run_is_carried_out_and_one_without_a_signature_fails_unclaimed(
    store: Store, queue: QueueRecord, runs: Runs, signed: Runs, agent: Maker, stub: StubTarget
) -> None:
    # Given
    process = agent().start()

    # When
    good, bad = signed.enqueue(queue), runs.enqueue(queue)
    (ended,) = signed.wait_ended(good)

    # Then
    assert ended.state is State.SUCCEEDED
    refused(store, bad[0], "it has no signature; whoever launches needs the key")
    assert [name.split("-")[1] for name in stub.submissions()] == good
    assert f"run-refused run={bad[0]} queue=gpu-queue" in process.log.read_text()


def test_what_people_launch_through_a_server_with_the_key_is_carried_out_and_they_need_none(
    settings: Settings, signing: Settings, store: Store, queue: QueueRecord, agent: Maker
) -> None:
    # Given a server that has the key, and somebody who has a key of the API alone
    store.accounts.add_user("leo")
    _, secret = store.accounts.add_key(NewApiKey(principal="leo"), "test")

    # When one run is launched through the server, and another one on the broker
    with (
        serving(create_app(signing)) as url,
        Client(settings, server_url=url, api_key=str(secret)) as leo,
        Client(settings) as intruder,
    ):
        run = leo.launch(queue=queue.name, source="python:3.11").set_priority("high")
        other = intruder.launch(queue=queue.name, source="python:3.11")
        agent().start(*config_of(settings, "require_signature: true"))
        run.wait(30)

    # Then the first is carried out as its author's, also after its place in the queue was changed
    assert (run.run.spec.author, run.run.state) == ("leo", State.SUCCEEDED)
    assert store.runs.spec_text(run.id).signature.startswith("k1.")
    refused(store, other.id, "it has no signature; whoever launches needs the key")


def test_messages_that_somebody_wrote_by_hand_come_to_nothing_and_the_runs_go_on(
    store: Store, queue: QueueRecord, signed: Runs, agent: Maker, intruder: redis.Redis
) -> None:
    # Given signed runs, and in front of their messages some with another queue config, without a signature, of no run
    ids = signed.enqueue(queue, 2, lines=["as enqueued"])
    altered, unsigned = (store.runs.get(run_id) for run_id in ids)
    other = queue.queue.model_copy(update={"config": {"lines": ["forged"]}})
    forged = [
        Order(altered.spec.model_copy(update={"queue": other}), altered.signature),
        Order(unsigned.spec),
        Order(altered.spec.model_copy(update={"id": "aaaaaaaaaaaa"}), altered.signature),
    ]
    for order in forged:
        intruder.rpush(
            list_key("gpu-queue", Priority.MEDIUM),
            messages.encode(order.spec, order.spec.model_dump_json(), order.signature),
        )

    # When
    process = agent().start()
    ended = signed.wait_ended(ids)

    # Then
    assert {run.state for run in ended} == {State.SUCCEEDED}
    for run_id in ids:
        assert [line for entry in store.logs.read(run_id) for line in entry.lines] == ["as enqueued"]
    log = process.log.read_text()
    for order in forged:
        assert log.count(f"order-refused run={order.spec.id} queue=gpu-queue") == 1
    assert store.runs.get_many(["aaaaaaaaaaaa"]) == []


def test_a_record_that_somebody_altered_fails_and_says_so(
    store: Store, queue: QueueRecord, signed: Runs, agent: Maker, intruder: redis.Redis, stub: StubTarget
) -> None:
    # Given runs with another job, the spec of another run, the signature of another run, and with what is no text
    ids = signed.enqueue(queue, 5)
    intruder.set(KEYS.run_spec(ids[4]), b"\xff")
    alter(intruder, ids[0], overrides={"lines": ["forged"]})
    intruder.set(KEYS.run_spec(ids[1]), str(intruder.get(KEYS.run_spec(ids[3]))))
    intruder.hset(KEYS.run(ids[1]), "signature", store.runs.get(ids[3]).signature)
    intruder.hset(KEYS.run(ids[2]), "signature", store.runs.get(ids[3]).signature)

    # When
    process = agent().start()
    (genuine,) = signed.wait_ended([ids[3]])

    # Then
    refused(store, ids[0], "it is not what was signed: somebody altered it on the broker")
    refused(store, ids[2], "it is not what was signed")
    assert genuine.state is State.SUCCEEDED
    assert len(stub.submissions()) == 1
    log = process.log.read_text()
    assert f"order-refused run={ids[1]} queue=gpu-queue: it is signed as another run, {ids[3]}" in log
    assert f"order-refused run={ids[4]} queue=gpu-queue: what is stored of its run cannot be read" in log


def test_another_source_on_the_record_of_a_signed_run_is_not_taken_for_the_one_that_an_agent_found(
    store: Store, signed: Runs, agent: Maker, intruder: redis.Redis, stub: StubTarget
) -> None:
    # Given a run whose second attempt is due soon
    queue = store.queues.create(
        Queue(name="gpu-queue", resource="stub", retries=RetryPolicy(user=1, backoff_seconds=2))
    )
    agent().start()
    (run_id,) = signed.enqueue(queue, fail_attempts=1)
    eventually(lambda: store.runs.get(run_id).attempt == 2, "the run is tried again")

    # When
    intruder.hset(KEYS.run(run_id), "pinned_source", '{"type":"image","image":"forged"}')
    (run,) = signed.wait_ended([run_id])

    # Then
    assert (run.state, run.reason) == (State.FAILED, Reason.UNSIGNED)
    assert "what an agent made of the run's source or image, and it has no signature" in run.text
    assert len(stub.submissions()) == 1


def test_a_run_is_carried_out_by_agents_that_have_the_key_it_was_signed_with(
    settings: Settings, store: Store, queue: QueueRecord, signed: Runs, agent: Maker
) -> None:
    # Given runs that are signed with an older key and with a newer one
    newer = Store(settings.model_copy(update={"signing_keys": f"{NEWER},{KEY}"}))
    old, new = signed.enqueue(queue), Runs(newer).enqueue(queue)
    newer.close()

    # When
    both = agent(keys=f"{NEWER},{KEY}").start()
    ended = signed.wait_ended(old + new)
    both.stop()
    (late,) = signed.enqueue(queue)
    agent(keys=NEWER).start()

    # Then
    assert {run.state for run in ended} == {State.SUCCEEDED}
    refused(store, late, "it is signed with a key that is not known here, 'k1'; known: k2")


def test_an_old_signature_is_refused(
    store: Store, settings: Settings, queue: QueueRecord, signed: Runs, agent: Maker
) -> None:
    # Given
    (old,) = signed.enqueue(queue, fields={"created_at": now() - timedelta(hours=2)})
    (new,) = signed.enqueue(queue)

    # When
    agent().start(*config_of(settings, "signature_max_age: 3600"))

    # Then
    assert [run.state for run in signed.wait_ended([new])] == [State.SUCCEEDED]
    refused(store, old, "its signature is too old by 1:00:")


def test_a_signature_is_as_good_after_retries_holds_and_a_takeover(
    store: Store, settings: Settings, signed: Runs, agent: Maker
) -> None:
    # Given runs that wait for a time and for each other, one that fails first, and one whose agent dies
    queue = store.queues.create(
        Queue(name="gpu-queue", resource="stub", prioritization=True, retries=RetryPolicy(user=2, backoff_seconds=0.1))
    )
    (first,) = signed.enqueue(queue, fail_attempts=1)
    (after,) = signed.enqueue(queue, fields={"after": (first,)})
    (later,) = signed.enqueue(queue, fields={"not_before": now() + timedelta(seconds=2)})
    (long,) = signed.enqueue(queue, seconds=4)
    brief = config_of(settings, "lease_seconds: 3")
    dying = agent(name="agent@dying").start(*brief)
    signed.wait([long], State.RUNNING)

    # When
    dying.kill()
    agent(name="agent@heir").start(*brief)
    ended = signed.wait_ended([first, after, later, long], 90)

    # Then
    assert [run.state for run in ended] == [State.SUCCEEDED] * 4


def test_an_agent_may_have_keys_and_ask_for_none(
    store: Store, settings: Settings, queue: QueueRecord, runs: Runs, agent: Maker
) -> None:
    # Given
    ids = runs.enqueue(queue)

    # When
    agent().start(*config_of(settings, "require_signature: false"))

    # Then
    assert [run.state for run in runs.wait_ended(ids)] == [State.SUCCEEDED]


def test_an_agent_that_wants_signatures_and_has_no_key_does_not_start(settings: Settings, queue: QueueRecord) -> None:
    # Given
    process = AgentProcess(settings, "gpu-queue")

    # When
    code = process.spawn(*config_of(settings, "require_signature: true")).wait(60)

    # Then
    assert code == 78
    assert "agent-refused: require_signature is true, and the agent has no key" in process.log.read_text()
