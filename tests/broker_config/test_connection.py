"""Connections to brokers of all kinds, and what is said when one cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from broker_config.celery_app import create_app
from broker_config.connection import connect, tls_options, translated
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import BrokerFull, BrokerUnavailable
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from tests.agents import AgentProcess
from tests.broker_config.conftest import Hand
from tests.certificates import Certificates, make_certificates
from tests.code import get, put
from tests.ports import free_port
from tests.redis_server import redis_server

PASSWORD = "correct-horse"


@pytest.fixture
def tcp(home: Path) -> Iterator[Settings]:
    """A Redis with a password."""
    with redis_server(home, requirepass=PASSWORD) as port:
        yield Settings(home=home, broker_url=f"redis://:{PASSWORD}@127.0.0.1:{port}/2")


@pytest.fixture
def certificates(home: Path) -> Certificates:
    return make_certificates(home / "certificates")


@pytest.fixture
def tls(home: Path, certificates: Certificates) -> Iterator[Settings]:
    """A Redis with TLS and a password."""
    options = {
        "tls_cert_file": str(certificates.server),
        "tls_key_file": str(certificates.server_key),
        "tls_ca_cert_file": str(certificates.authority),
        "tls_auth_clients": "no",
        "requirepass": PASSWORD,
    }
    with redis_server(home, **options) as port:
        url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
        yield Settings(home=home, broker_url=url, broker_ca=certificates.authority)


def carry_out_a_run(settings: Settings) -> None:
    """A run from its queue to its end, and its Celery result."""
    store = Store(settings)
    hand = Hand(store, store.queues.create(Queue(name="gpu-queue", resource="stub")))
    run = hand.move(hand.run_in(State.RUNNING), State.SUCCEEDED, exit_code=0)
    assert create_app(settings).AsyncResult(run.id).get(timeout=10)["exit_code"] == 0
    assert get(store.code, put(store.code, b"\x00\xff").digest) == b"\x00\xff"
    store.close()


def test_a_run_goes_through_a_redis_with_a_password_on_another_database(tcp: Settings) -> None:
    carry_out_a_run(tcp)


def test_a_run_goes_through_tls(tls: Settings) -> None:
    carry_out_a_run(tls)


def test_a_celery_worker_takes_its_orders_through_tls(tls: Settings) -> None:
    # Given
    store = Store(tls)
    hand = Hand(store, store.queues.create(Queue(name="gpu-queue", resource="stub")))
    (run,) = hand.enqueue()
    agent = AgentProcess(tls, "gpu-queue")

    # When
    try:
        agent.start()
        result = create_app(tls).AsyncResult(run.id).get(timeout=30)
    finally:
        agent.kill()
        store.close()

    # Then
    assert result == {"run": run.id, "state": "succeeded", "exit_code": 0}


def test_a_certificate_of_an_unknown_authority_is_refused(tls: Settings, home: Path) -> None:
    # Given another authority
    settings = tls.model_copy(update={"broker_ca": make_certificates(home / "other").authority})

    # Then
    with pytest.raises(BrokerUnavailable, match="certificate verify failed") as caught, translated():
        connect(settings).ping()
    assert PASSWORD not in str(caught.value)


def test_a_certificate_of_another_host_is_refused(tls: Settings) -> None:
    # Given
    settings = tls.model_copy(update={"broker_url": str(tls.broker_url).replace("127.0.0.1", "localhost")})

    # Then
    with pytest.raises(BrokerUnavailable, match=r"certificate verify failed|does not answer"), translated():
        connect(settings).ping()


def test_without_tls_in_the_url_there_are_no_tls_options(settings: Settings) -> None:
    assert tls_options(settings) == {}
    assert tls_options(Settings(broker_url="redis://localhost", broker_ca=Path("/ca.pem"))) == {}


def test_with_tls_the_brokers_certificate_is_always_checked() -> None:
    assert tls_options(Settings(broker_url="rediss://localhost"))["ssl_cert_reqs"] == "required"


@pytest.mark.parametrize("credentials", [":wrong-pony", "somebody:wrong-pony", ""])
def test_a_wrong_password_is_named_as_such_and_not_repeated(tcp: Settings, credentials: str) -> None:
    # Given
    url = str(tcp.broker_url).replace(f":{PASSWORD}", credentials)
    store = Store(tcp.model_copy(update={"broker_url": url}))

    # Then
    with pytest.raises(BrokerUnavailable, match="the broker refused the user or password") as caught:
        store.queues.list()
    assert "pony" not in str(caught.value)


def test_a_broker_that_is_not_there_is_named_without_its_password() -> None:
    # Given
    settings = Settings(broker_url=f"redis://alice:{PASSWORD}@127.0.0.1:{free_port()}/0")

    # Then
    with pytest.raises(BrokerUnavailable, match=r"does not answer: .*; is it running and the URL right") as caught:
        Store(settings).queues.list()
    assert PASSWORD not in str(caught.value)
    assert caught.value.delay_seconds > 0


def test_a_broker_that_is_full_takes_nothing_and_says_so(home: Path) -> None:
    # Given
    with redis_server(home, maxmemory="1", maxmemory_policy="noeviction") as port:
        store = Store(Settings(home=home, broker_url=f"redis://127.0.0.1:{port}"))

        # Then
        with pytest.raises(BrokerFull, match="out of memory"):
            store.queues.create(Queue(name="gpu-queue", resource="stub"))
        with pytest.raises(BrokerFull, match=r"out of memory \(.* of .* used\) .* maxmemory"):
            put(store.code, b"code")
        # And agents go on: a lease costs nothing compared with what its loss would
        assert store.agents.take("agent@host", "session", 60) == "session"
        store.close()


def test_a_connection_that_was_cut_is_made_anew(settings: Settings, store: Store) -> None:
    # Given
    store.queues.list()
    admin = connect(settings)
    for client in admin.client_list():
        if client["id"] != str(admin.client_id()):
            admin.client_kill_filter(_id=client["id"])

    # Then
    assert store.queues.list() == []
    admin.close()


def test_a_broker_that_restarts_is_found_again(home: Path) -> None:
    # Given
    broker = EmbeddedBroker(home)
    broker.ensure_running()
    store = Store(Settings(home=home))
    created = store.queues.create(Queue(name="gpu-queue", resource="stub"))

    # When
    broker.stop()
    broker.ensure_running()

    # Then
    assert store.queues.get("gpu-queue") == created
    store.close()
    broker.stop()


def test_text_or_bytes_is_for_the_caller_to_choose(settings: Settings) -> None:
    # Given
    text, binary = connect(settings), connect(settings, text=False)
    text.set("key", "ü")

    # Then
    assert (text.get("key"), binary.get("key")) == ("ü", "ü".encode())
    text.close()
    binary.close()


def test_an_error_that_is_no_fault_of_the_broker_stays_what_it_is(store: Store, settings: Settings) -> None:
    # Given
    client = connect(settings)
    client.set("key", "text")

    # Then
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"), translated():
        client.lpush("key", "x")
    client.close()
