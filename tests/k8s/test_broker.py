"""The chart's broker, as a server that is told what the chart tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from broker_config import acl
from broker_config.errors import NotPermitted
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client, ImageSource
from tests.agents import AgentProcess
from tests.k8s.chart import one, rendered
from tests.redis_server import redis_server

# What KEDA's scaler does with a key, in other words: "Redis Lists" of KEDA's documentation tells that it takes the
# length of lists, sets, sorted sets and hashes.
LENGTH = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'zset' then return redis.call('ZCARD', KEYS[1]) end
return redis.call('LLEN', KEYS[1])
"""


@dataclass(frozen=True)
class Broker:
    """A server of a test's own."""

    port: int
    password: str
    keda_password: str
    passwords: dict[str, str]  # of all of them, by their users

    def login(self, user: str | None, password: str | None) -> redis.Redis:
        return redis.Redis(port=self.port, username=user, password=password)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """With the arguments and the users of the chart, and one user of an installation's own."""
    password = hashlib.sha256(b"of-the-pipeline").hexdigest()
    objects = rendered({"valkey": {"users": [f"pipeline on #{password} {acl.producer('launchyard:', ['gpu'])}"]}})
    secret = one(objects, "Secret", "yard-launchyard-broker")["stringData"]
    (container,) = one(objects, "StatefulSet", "yard-launchyard-valkey")["spec"]["template"]["spec"]["containers"]
    words = container["args"]
    options = {
        name.removeprefix("--").replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)
    }
    (tmp_path / "users.acl").write_text(secret["users.acl"])
    with redis_server(tmp_path, **{**options, "dir": str(tmp_path), "aclfile": str(tmp_path / "users.acl")}) as port:
        passwords = {user: secret[f"{user}-password"] for user in ("agent", "flower", "producer", "server")}
        yield Broker(port, secret["password"], secret["keda-password"], passwords)


def test_a_producer_launches_and_keda_sees_how_many_runs_wait(broker: Broker, home: Path) -> None:
    # Given
    url = f"redis://launchyard:{broker.password}@127.0.0.1:{broker.port}/0"
    with Client(Settings(home=home, broker_url=url, author="tester")) as client:
        client.queues.create(Queue(name="gpu", resource="stub"))

        # When
        for _ in range(3):
            client.launch(source=ImageSource(image="image:1"), queue="gpu")

    # Then
    keda = broker.login("keda", broker.keda_password)
    assert keda.eval(LENGTH, 1, "launchyard:queue:gpu:waiting") == 3
    assert keda.eval(LENGTH, 1, "launchyard:queue:other:waiting") == 0


def test_a_user_that_the_values_name_may_launch_where_its_rules_say_so(broker: Broker, home: Path) -> None:
    # Given
    for_all = Settings(home=home, broker_url=f"redis://launchyard:{broker.password}@127.0.0.1:{broker.port}/0")
    with Client(for_all) as client:
        for name in ("gpu", "other"):
            client.queues.create(Queue(name=name, resource="stub"))

    # When
    own = Settings(home=home, broker_url=f"redis://pipeline:of-the-pipeline@127.0.0.1:{broker.port}/0")
    with Client(own) as client:
        run = client.launch(source=ImageSource(image="image:1"), queue="gpu")

        # Then
        assert run.state is State.QUEUED
        with pytest.raises(NotPermitted):
            client.launch(source=ImageSource(image="image:1"), queue="other")


def test_a_producer_launches_on_any_queue_and_an_agent_carries_it_out(broker: Broker, home: Path) -> None:
    # Given
    def settings(user: str, password: str) -> Settings:
        return Settings(home=home, broker_url=f"redis://{user}:{password}@127.0.0.1:{broker.port}/0", author="tester")

    with Client(settings("launchyard", broker.password)) as operator:
        operator.queues.create(Queue(name="gpu", entity="team-a", resource="stub"))
    agent = AgentProcess(settings("agent", broker.passwords["agent"]), "team-a/gpu").start()

    # When
    try:
        with Client(settings("producer", broker.passwords["producer"])) as producer:
            run = producer.launch(source=ImageSource(image="image:1"), queue="team-a/gpu").wait(30)
            with pytest.raises(NotPermitted):
                producer.queues.set_paused("team-a/gpu", True)
    finally:
        agent.kill()

    # Then
    assert run.state is State.SUCCEEDED


@pytest.mark.parametrize("user", ["agent", "flower", "producer", "server"])
@pytest.mark.parametrize(
    "command", ["CONFIG GET requirepass", "ACL LIST", "KEYS *", "FLUSHALL", "CLIENT LIST", "EVAL x 0"]
)
def test_none_of_them_may_administer_the_server(broker: Broker, user: str, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        broker.login(user, broker.passwords[user]).execute_command(*command.split())


@pytest.mark.parametrize(
    "command",
    ["GET launchyard:queue:gpu:waiting", "ZRANGE launchyard:queue:gpu:waiting 0 -1", "KEYS *", "FLUSHALL"],
)
def test_keda_may_do_nothing_else(broker: Broker, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        broker.login("keda", broker.keda_password).execute_command(*command.split())


@pytest.mark.parametrize(
    "script", ["return redis.call('DEL', KEYS[1])", "return redis.call('ZCARD', 'launchyard:runs')"]
)
def test_keda_s_scripts_change_nothing_and_see_no_other_key(broker: Broker, script: str) -> None:
    with pytest.raises(redis.exceptions.ResponseError, match="user executing the script can't"):
        broker.login("keda", broker.keda_password).eval(script, 1, "launchyard:queue:gpu:waiting")


def test_nobody_gets_in_without_a_password_and_no_user_administers_the_server(broker: Broker) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        broker.login(None, None).ping()
    with pytest.raises(redis.exceptions.NoPermissionError):
        broker.login("launchyard", broker.password).config_set("maxmemory", "0")


def test_it_forgets_nothing_when_it_is_full_and_has_its_data_on_disk(broker: Broker) -> None:
    client = broker.login("launchyard", broker.password)

    assert client.info("memory")["maxmemory_policy"] == "noeviction"
    assert client.info("persistence")["aof_enabled"] == 1
