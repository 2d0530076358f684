"""ACL rules: each role can do its work, and not another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import NoPermissionError

from broker_config import acl
from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.celery_app import create_app
from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import NotFound, NotPermitted
from broker_config.jobs import ImageSource, Job
from broker_config.named_jobs import JobDefinition, JobReference
from broker_config.platforms import Hint
from broker_config.priorities import Priority
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import Mode, Wish
from broker_config.store.audit import Asker
from broker_config.store.feed import Place
from broker_config.store.sessions import Session
from producer.on_broker import OnBroker
from tests.agents import AgentProcess, eventually
from tests.broker_config.conftest import MAX_BYTES, Hand, agent_info, launch_of, spec_of
from tests.code import get, put
from tests.flower import FlowerProcess
from tests.redis_server import redis_server
from tests.services import require

QUEUES = ["gpu-queue"]
ROLES: dict[str, Callable[[str, list[str]], str]] = {
    "producer": acl.producer,
    "owner": acl.owner,
    "agent": acl.agent,
    "server": lambda prefix, _: acl.server(prefix),
    "flower": lambda prefix, _: acl.flower(prefix),
}


@dataclass(frozen=True)
class Guarded:
    """A broker with one user for each role, each with its name as its password."""

    home: Path
    url: str  # with {} where user and password go

    def settings(self, user: str) -> Settings:
        return Settings(home=self.home, broker_url=self.url.format(f"{user}:{user}@"), author=user)

    def client(self, user: str) -> redis.Redis:
        return connect(self.settings(user))

    def set_up(self) -> Guarded:
        everything = ["~*", "&*", "+@all"]
        with connect(Settings(home=self.home, broker_url=self.url.format(""))) as default:
            default.execute_command("ACL", "SETUSER", "admin", "on", ">admin", *everything)
            for role, rules in ROLES.items():
                words = rules("launchyard:", QUEUES).split()
                default.execute_command("ACL", "SETUSER", role, "on", f">{role}", *words)
        return self


@pytest.fixture
def redis_with_users(home: Path) -> Iterator[Guarded]:
    with redis_server(home) as port:
        yield Guarded(home, f"redis://{{}}127.0.0.1:{port}/0").set_up()


@pytest.fixture
def valkey_with_users(home: Path) -> Iterator[Guarded]:
    broker = EmbeddedBroker(home)
    broker.ensure_running()
    yield Guarded(home, f"redis+socket://{{}}{broker.socket}").set_up()
    broker.stop()


@pytest.fixture(params=["redis", "valkey"])
def guarded(request: pytest.FixtureRequest) -> Guarded:
    """The same on either server."""
    found: Guarded = request.getfixturevalue(f"{request.param}_with_users")
    return found


@pytest.fixture
def stores(guarded: Guarded) -> Iterator[Callable[[str], Store]]:
    """Stores as a role sees them."""
    made: list[Store] = []

    def make(user: str) -> Store:
        made.append(Store(guarded.settings(user)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def record(stores: Callable[[str], Store]) -> QueueRecord:
    """A queue that its owner made."""
    return stores("owner").queues.create(Queue(name="gpu-queue", resource="stub", prioritization=True))


def enqueue(store: Store, record: QueueRecord, key: str | None = None) -> Run:
    launch = launch_of(record, Priority.HIGH, key)
    (run_id,) = store.runs.enqueue(record, [(spec_of(record, launch), launch)], MAX_BYTES)
    return store.runs.get(run_id)


Stores = Callable[[str], Store]

OTHERS_KEYS = ["launchyard:run:abc", "celery-task-meta-abc", "unacked_index", "_kombu.binding.celeryev", "celeryev.abc"]


def test_a_producer_gives_runs_another_priority(stores: Stores, record: QueueRecord) -> None:
    store = stores("producer")
    first, second = enqueue(store, record), enqueue(store, record)
    for run in (second, first):
        assert store.runs.set_priority(run, Priority.LOW, "alice").priority is Priority.LOW
    assert store.runs.waiting("gpu-queue", 10) == [first.id, second.id]


def test_a_producer_enqueues_reads_and_cancels(guarded: Guarded, stores: Stores, record: QueueRecord) -> None:
    # Given runs of a producer, one of them taken by an agent
    store, hand = stores("producer"), Hand(stores("agent"), record)
    source = put(store.code, b"code")
    live, queued = enqueue(store, record, "nightly"), enqueue(store, record)
    hand.move(hand.claim(live), State.RUNNING)
    hand.store.logs.append(live.id, "job", ["epoch 1"])
    hand.store.agents.announce(agent_info(hand.name))

    # When
    wished = store.runs.request_cancel(store.runs.get(live.id), "alice")
    cancelled = store.runs.request_cancel(queued, "alice")

    # Then
    assert (wished.state, wished.cancel_requested_by, cancelled.state) == (State.RUNNING, "alice", State.CANCELLED)
    assert [run.id for run in store.runs.newest()] == [queued.id, live.id]
    assert store.runs.find(live.id[:8]) == wished
    assert [entry.lines for entry in store.logs.read(live.id)] == [["epoch 1"]]
    assert len(store.feed.read(live.id, Place()).items) == 5
    assert len(store.runs.events(live.id, block_seconds=1)) == 4
    assert store.queues.counts("gpu-queue")[State.RUNNING] == 1
    assert store.queues.list() == [record]
    assert [(info.name, is_alive) for info, is_alive in store.agents.list()] == [(hand.name, True)]
    assert get(stores("agent").code, source.digest) == b"code"


def test_a_producer_has_runs_queues_and_agents_explained(stores: Stores, guarded: Guarded, record: QueueRecord) -> None:
    store, hand = stores("producer"), Hand(stores("agent"), record)
    hand.store.agents.announce(agent_info(hand.name))
    run = enqueue(store, record)

    explanations = OnBroker(store, guarded.settings("producer")).explanations
    assert explanations.run(run.id).code == "run-queued"
    assert explanations.queue("gpu-queue").code == "queue-moves"
    assert explanations.agent(hand.name).code == "agent-serves"


def test_an_agent_and_an_owner_drop_code_that_nothing_needs(stores: Stores, guarded: Guarded) -> None:
    # Given two archives whose time is over
    store = stores("producer")
    digests = [put(store.code, data).digest for data in (b"one", b"two")]
    with guarded.client("admin") as admin:
        # When
        admin.zadd("launchyard:archives", {digests[0]: 1})
        stores("agent").code.sweep()
        left = store.code.list()
        dropped = stores("owner").code.prune(also_finished=True)

        # Then
        assert [record.digest for record in left] == [record.digest for record in dropped] == [digests[1]]
        assert list(admin.scan_iter("launchyard:code:*")) == []


def test_a_producer_creates_and_reads_named_jobs(stores: Stores) -> None:
    # Given
    store = stores("producer")
    job = Job(source=ImageSource(image="a:1"))

    # When
    version = store.jobs.create(JobDefinition(entity="team", name="train", job=job), "alice", ["production"])

    # Then
    assert store.jobs.get("team", JobReference("train", "production")) == version
    assert (store.jobs.list(), store.jobs.versions("team", "train")) == ([version], [version])
    with pytest.raises(NotPermitted, match="lacks a permission"):
        stores("agent").jobs.list()


def test_a_producer_waits_for_celery_results(redis_with_users: Guarded) -> None:
    # Given
    owner, producer = Store(redis_with_users.settings("owner")), Store(redis_with_users.settings("producer"))
    record = owner.queues.create(Queue(name="gpu-queue", resource="stub"))
    run = enqueue(producer, record)
    producer.runs.request_cancel(run, "alice")

    # When
    result = create_app(redis_with_users.settings("producer")).AsyncResult(run.id)
    result.get(timeout=10, propagate=False)

    # Then
    assert result.state == "REVOKED"
    owner.close()
    producer.close()


def test_a_producer_can_claim_nothing(guarded: Guarded, stores: Stores, record: QueueRecord) -> None:
    # Given a session that is alive
    store, hand = stores("producer"), Hand(stores("agent"), record)
    run = enqueue(store, record)

    # Then
    with pytest.raises(NotPermitted, match="lacks a permission"):
        store.agents.take("agent@evil", "session", 60)
    with pytest.raises(NotPermitted, match="lacks a permission"):
        store.agents.new_fence()
    with pytest.raises(NotPermitted, match="lacks a permission"):
        store.runs.claim(run.spec, hand.name, hand.fence, hand.session)
    assert stores("agent").runs.get(run.id) == run


def test_a_producer_makes_no_queue_and_tells_no_agent_what_to_do(stores: Stores, record: QueueRecord) -> None:
    # Given
    store = stores("producer")

    # Then
    for action in (
        lambda: store.queues.create(Queue(name="gpu-queue", resource="stub")),
        lambda: store.queues.edit(record.queue),
        lambda: store.queues.set_paused("gpu-queue", True),
        lambda: store.queues.delete("gpu-queue"),
        lambda: store.agents.set_wish("agent@hand", Wish(mode=Mode.PAUSED)),
        lambda: store.orphans.request_removal("launchyard-aaaaaaaaaaaa-1", "alice"),
    ):
        with pytest.raises(NotPermitted, match="lacks a permission"):
            action()
    assert stores("owner").queues.get("gpu-queue") == record


def test_a_queue_of_others_is_closed_to_a_producer(guarded: Guarded, stores: Stores, record: QueueRecord) -> None:
    # Given
    other = stores("admin").queues.create(Queue(name="other", resource="stub"))

    # Then
    with pytest.raises(NotPermitted, match="lacks a permission"):
        enqueue(stores("producer"), other)
    with pytest.raises(NoPermissionError):
        guarded.client("producer").lpush("other", "forged")
    assert stores("admin").queues.counts("other")[State.QUEUED] == 0


def test_an_agent_whose_queue_is_not_there_yet_is_told_so(stores: Stores) -> None:
    stores("admin").queues.create(Queue(name="gpu-queue", entity="team-a", resource="stub"))
    with pytest.raises(NotFound, match="queue 'gpu-queue' does not exist; there is 'team-a/gpu-queue'"):
        stores("agent").queues.get("gpu-queue")


@pytest.mark.parametrize("named", ["team-a/gpu", "team-a/*"])
def test_rules_for_a_teams_queues_reach_no_queue_of_the_same_name_elsewhere(guarded: Guarded, named: str) -> None:
    # Given a user for the queues of one team, and the same queue in three entities
    with connect(guarded.settings("admin")) as admin:
        words = acl.producer("launchyard:", [named]).split()
        admin.execute_command("ACL", "SETUSER", "team", "on", ">team", *words)
    everything, team = Store(guarded.settings("admin")), Store(guarded.settings("team"))
    own, *others = [
        everything.queues.create(Queue(name="gpu", entity=entity, resource="stub"))
        for entity in ("team-a", "team-ab", "default")
    ]

    # When
    run = enqueue(team, own, "nightly")

    # Then
    assert everything.runs.get(run.id).spec.queue.full_name == "team-a/gpu"
    for other in others:
        with pytest.raises(NotPermitted, match="lacks a permission"):
            enqueue(team, other)
    team.close()
    everything.close()


def test_the_server_keeps_accounts_sessions_and_the_trail(guarded: Guarded, stores: Stores) -> None:
    # Given
    server = stores("server")

    # When
    server.accounts.add_user("bob")
    server.accounts.link("bob", "https://id.example.com 1001")
    server.accounts.add_team("vision")
    server.accounts.set_member("vision", "bob", Role.OWNER)
    _, secret = server.accounts.add_key(NewApiKey(principal="bob"), "root")
    session = server.sessions.begin(Session(principal="bob"))
    server.audit.add(Asker(name="root"), "user.create", "bob")

    # Then
    assert [key.principal for key, _ in server.accounts.api_keys()] == ["bob"]
    for principal in (server.accounts.identify(secret), server.accounts.in_session(server.sessions.get(session))):
        assert principal.role_in("vision") is Role.OWNER
    assert server.sessions.use_link(server.sessions.new_link("bob"))
    server.sessions.end(session)
    assert len(server.audit.newest()) == 1


@pytest.mark.parametrize("role", list(ROLES))
def test_no_role_reaches_keys_of_somebody_else_or_commands_of_an_admin(guarded: Guarded, role: str) -> None:
    # Given
    client = guarded.client(role)
    guarded.client("admin").set("elsewhere:secret", "hunter2")

    # Then
    elsewhere = (["GET", "elsewhere:secret"], ["SET", "elsewhere:secret", "x"], ["HGETALL", "otheryard:run:abc"])
    for words in (
        # Lists of messages have no prefix, so any queue's may be any key of a database.
        *(elsewhere if role not in {"server", "flower"} else ()),
        ["PUBLISH", "elsewhere", "x"],
        ["SUBSCRIBE", "elsewhere"],
        ["EVAL", "return redis.call('get', 'elsewhere:secret')", "0"],
        ["CONFIG", "GET", "requirepass"],
        ["ACL", "LIST"],
        ["KEYS", "*"],
        ["SCAN", "0"],
        ["FLUSHALL"],
        ["CLIENT", "LIST"],
        ["MONITOR"],
        ["SHUTDOWN"],
    ):
        with pytest.raises(NoPermissionError):
            client.execute_command(*words)


def test_an_owner_keeps_a_queue(stores: Stores, record: QueueRecord) -> None:
    # Given
    store = stores("owner")

    # When
    edited = store.queues.edit(record.queue.model_copy(update={"config": {"seconds": 1}}))
    paused = store.queues.set_paused("gpu-queue", True, "maintenance")
    store.agents.set_wish("agent@hand", Wish(mode=Mode.DRAINING))
    store.orphans.request_removal("launchyard-aaaaaaaaaaaa-1", "alice")
    store.queues.delete("gpu-queue")

    # Then
    assert (edited.queue.config, paused.paused, store.queues.list()) == ({"seconds": 1}, True, [])


def test_an_agent_repairs_what_was_lost(guarded: Guarded, stores: Stores, record: QueueRecord) -> None:
    # Given
    hand = Hand(stores("agent"), record)
    lost = enqueue(stores("producer"), record)
    guarded.client("admin").delete("gpu-queue:1")

    # When
    (order,) = hand.store.runs.overtaken("gpu-queue")
    hand.store.runs.send_again(order)
    requeued = hand.requeue(hand.claim(lost))
    hand.store.runs.request_cancel(requeued, "revoke")

    # Then
    assert hand.store.finished.forget_due() == 0
    assert hand.store.queues.closed(QUEUES) == {}
    assert hand.store.logs.position(lost.id) == ""
    assert hand.store.agents.wish("agent@hand") == Wish()
    hand.store.agents.release(hand.name, hand.session)


def test_finished_runs_stay_for_a_history_whoever_ends_them(
    guarded: Guarded, stores: Stores, record: QueueRecord
) -> None:
    # Given
    agent, producer = stores("agent").finished, stores("producer")
    ended = enqueue(producer, record)
    producer.runs.request_cancel(ended, "alice")
    agent.begin_keeping("sqlite:///srv/history.db", "agent@hand")
    run = enqueue(producer, record)

    # When
    producer.runs.request_cancel(run, "alice")

    # Then
    assert guarded.client("admin").ttl(f"launchyard:run:{run.id}") == -1
    assert guarded.client("admin").ttl(f"launchyard:run:{ended.id}") == -1
    assert agent.take_keeping("agent@hand")
    agent.has_not_kept("agent@hand", "disk full")
    agent.has_kept("agent@hand")
    agent.release_keeping("agent@hand")
    assert agent.forget({run.id: None}) == 1
    assert producer.finished.keeping() is not None


def test_agents_share_what_they_may_ask_of_a_platform_and_producers_have_no_part_in_it(stores: Stores) -> None:
    # When
    platforms = stores("agent").platforms
    platforms.tell("place", [Hint("job", "Completed")])
    platforms.pause("place", 5)

    # Then
    assert platforms.hear("place", "0").hints == [Hint("job", "Completed")]
    assert not platforms.turn("place", 1, 1, alone=True).is_mine
    with pytest.raises(NotPermitted):
        stores("producer").platforms.pause("place", 5)


def test_an_agent_process_carries_out_a_run(redis_with_users: Guarded) -> None:
    # Given
    owner, producer = Store(redis_with_users.settings("owner")), Store(redis_with_users.settings("producer"))
    record = owner.queues.create(
        Queue(name="gpu-queue", resource="stub", prioritization=True, config={"seconds": 0.2, "lines": ["epoch 1"]})
    )
    run = enqueue(producer, record)
    settings = redis_with_users.settings("agent")
    agent = AgentProcess(settings, "gpu-queue").start()

    # When
    try:
        result = create_app(redis_with_users.settings("producer")).AsyncResult(run.id).get(timeout=30)
        pong = create_app(redis_with_users.settings("admin")).control.inspect(timeout=5).ping()
        code = agent.stop()
    finally:
        agent.kill()

    # Then nothing was denied on the way, not even what an agent could do without
    assert result == {"run": run.id, "state": "succeeded", "exit_code": 0}
    assert [entry.lines for entry in producer.logs.read(run.id)] == [["epoch 1"]]
    assert (code, pong) == (0, {"agent@test": {"ok": "pong"}})
    denied = [entry for entry in redis_with_users.client("admin").acl_log() if entry["username"] == "agent"]
    assert [entry["object"] for entry in denied if not str(entry["object"]).startswith("client|")] == []
    owner.close()
    producer.close()


def denied(guarded: Guarded, user: str) -> list[str]:
    """What the server refused to a user, but for what redis-py does without."""
    entries = [entry for entry in guarded.client("admin").acl_log() if entry["username"] == user]
    return [str(entry["object"]) for entry in entries if not str(entry["object"]).startswith("client|")]


def one_waits(flower: FlowerProcess) -> bool:
    """Whether Flower has the agent's queues from the agent, and counts one message in them."""
    return flower.ask("/api/workers?refresh=true")[0] == 200 and '"messages": 1' in flower.page("/api/queues/length")


def test_flower_shows_runs_and_ends_them_and_is_denied_nothing_on_the_way(redis_with_users: Guarded) -> None:
    # Given
    require(find_spec("flower") is not None, "flower is not installed; install the extra of that name")
    server = Store(redis_with_users.settings("server"))
    record = server.queues.create(Queue(name="gpu-queue", resource="stub", config={"seconds": 60}))
    agent = AgentProcess(redis_with_users.settings("agent"), "gpu-queue", max_jobs=1).start()
    flower = FlowerProcess(redis_with_users.settings("flower"), redis_with_users.settings("admin")).start()

    # When
    try:
        run, _waiting = enqueue(server, record), enqueue(server, record)
        flower.wait_for(run.id, "STARTED")
        eventually(lambda: one_waits(flower), "Flower counts the run that waits")
        flower.ask(f"/api/task/revoke/{run.id}?terminate=true", "POST", body=b"")
        flower.wait_for(run.id, "REVOKED")
    finally:
        flower.stop()
        agent.kill()

    # Then
    assert server.runs.get(run.id).state is State.CANCELLED
    assert denied(redis_with_users, "flower") == []
    server.close()


def test_flower_can_neither_read_a_run_nor_write_an_order(
    guarded: Guarded, stores: Stores, record: QueueRecord
) -> None:
    # Given
    run = enqueue(stores("producer"), record)
    client = guarded.client("flower")

    # Then
    for words in (
        ["GET", f"launchyard:run:{run.id}:spec"],
        ["HGETALL", f"launchyard:run:{run.id}"],
        ["BRPOP", "gpu-queue", "1"],
        ["LPUSH", "gpu-queue", "forged"],
        ["DEL", "gpu-queue"],
        ["SET", f"celery-task-meta-{run.id}", "forged"],
    ):
        with pytest.raises(NoPermissionError):
            client.execute_command(*words)


def test_the_server_may_launch_on_any_queue_and_hold_no_run(guarded: Guarded, stores: Stores) -> None:
    # Given
    server = stores("server")
    queues = [
        server.queues.create(Queue(name=name, entity=entity, resource="stub"))
        for name, entity in (("l", "default"), ("launchyard", "default"), ("celery-task", "default"), ("9", "team-a"))
    ]

    # When
    runs = [enqueue(server, queue, "nightly") for queue in queues]

    # Then
    assert [run.state for run in runs] == [State.QUEUED] * 4
    for words in (
        ["SET", "launchyard:agent:agent@evil:lease", "session"],
        ["INCRBY", "launchyard:fences", "1"],
        ["HSET", "launchyard:images", "id", "forged"],
        ["LPUSH", "_kombu.binding.celeryev", "forged"],
        ["LPUSH", "unacked", "forged"],
    ):
        with pytest.raises(NoPermissionError):
            guarded.client("server").execute_command(*words)


@pytest.mark.parametrize("prefix", ["launchyard:", "u.1-x:", "celery:"])
@given(key=st.text("acdeilnruy9L:-_./", min_size=1, max_size=24) | st.sampled_from(OTHERS_KEYS))
def test_the_messages_of_any_queue_are_in_all_keys_but_those_of_others(prefix: str, key: str) -> None:
    # Given
    words = acl.producer(prefix, ["*"]).split()
    lists = [word[1:] for word in words if word.startswith("~") and word != "~celery-task-meta-*"]
    lists = [word for word in lists if not word.startswith(prefix)]

    # Then
    is_others = key.startswith((prefix, "celery-task-meta-", "_", "unacked", "celeryev"))
    assert any(matches(pattern, key) for pattern in lists) == (not is_others)


def matches(pattern: str, key: str) -> bool:
    """As Redis matches these patterns; Python's turns a class round with another mark."""
    return fnmatchcase(key, pattern.replace("[^", "[!"))


def test_the_rules_of_a_role_are_one_line_that_names_the_queues() -> None:
    # When
    rules = acl.producer("launchyard:", ["a", "b"])

    # Then
    assert rules.startswith("resetkeys resetchannels -@all ~a ~a:1 ~a:2 ~a:3 ~launchyard:queue:a ")
    assert "~b:3" in rules.split()
    assert "\n" not in rules
    assert not {"~*", "+@all", "allkeys", "allcommands", "+eval", "+keys", "+config"} & set(rules.split())
