"""Code archives are dropped when nothing needs them, and never before: any order of puts, launches, ends and sweeps."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.errors import CodeNotStored
from broker_config.jobs import CodeSource, Job
from broker_config.named_jobs import JobDefinition
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Launch
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.archives import GRACE_SECONDS, Location
from broker_config.store.code_places import BrokerPlace
from broker_config.store.keys import Keys
from tests.broker_config.conftest import MAX_BYTES, Hand, spec_of
from tests.code import get, put

ARCHIVES = {f"sha256:{hashlib.sha256(data).hexdigest()}": data for data in (b"one", b"two")}
ONE, TWO = ARCHIVES
RETENTION_SECONDS = 3 * GRACE_SECONDS


def job_of(digest: str) -> Job:
    return Job(source=CodeSource(digest=digest, size_bytes=len(ARCHIVES[digest])))


def enqueue(store: Store, queue: QueueRecord, digest: str) -> str:
    launch = Launch(queue=queue.name, job=job_of(digest))
    (run_id,) = store.runs.enqueue(queue, [(spec_of(queue, launch), launch)], MAX_BYTES)
    return run_id


def let_pass(client: Any, seconds: float) -> None:
    """Bring every time in the index nearer, and let the next sweep be due."""
    client.delete("launchyard:archives:sweep")
    for key in ("launchyard:archives", "launchyard:archives:loose"):
        for member, score in client.zrange(key, 0, -1, withscores=True):
            if score > 0:
                client.zincrby(key, -seconds * 1000, member)


def objects(client: Any) -> list[str]:
    return sorted(key.rpartition("-")[0].removeprefix("launchyard:code:") for key in client.scan_iter("*:code:*"))


class Life(RuleBasedStateMachine):
    """Producers that are slow or die, runs that end, named jobs, and sweeps, in any order."""

    runs = Bundle("runs")
    uploads = Bundle("uploads")
    broker: EmbeddedBroker  # one server for all examples; set by the test below
    home: Path

    @initialize()
    def start_empty(self) -> None:
        configuration = Settings(
            home=self.home, broker_url=self.broker.url, author="tester", retention_seconds=RETENTION_SECONDS
        )
        self.client = connect(configuration)
        self.client.flushall()
        self.store = Store(configuration)
        self.place = BrokerPlace(connect(configuration, text=False), Keys(configuration.key_prefix))
        self.queue = self.store.queues.create(Queue(name="gpu-queue", resource="stub"))
        self.hand = Hand(self.store, self.queue)
        self.now = 0.0
        self.until: dict[str, float] = {}
        self.held: dict[str, set[str]] = {digest: set() for digest in ARCHIVES}

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.everything_unneeded_goes_at_last()
        finally:
            self.store.close()
            self.client.close()

    def keep(self, digest: str, seconds: float) -> None:
        self.until[digest] = max(self.until.get(digest, 0.0), self.now + seconds)

    @rule(digest=st.sampled_from([ONE, TWO]))
    def put(self, digest: str) -> None:
        assert put(self.store.code, ARCHIVES[digest]).digest == digest
        self.keep(digest, GRACE_SECONDS)

    @rule(target=uploads, digest=st.sampled_from([ONE, TWO]))
    def begin_an_upload(self, digest: str) -> tuple[str, Location]:
        """As a producer that is stopped after the last byte, and goes on later or never."""
        location = Location("broker", f"slow-{self.client.incr('made')}")
        self.store.archives.begin(location)
        self.place.put(location.name, io.BytesIO(ARCHIVES[digest]))
        return digest, location

    @rule(upload=consumes(uploads))
    def end_an_upload(self, upload: tuple[str, Location]) -> None:
        digest, location = upload
        if self.store.archives.enter(digest, location, len(ARCHIVES[digest])):
            self.keep(digest, GRACE_SECONDS)

    @rule(target=runs, digest=st.sampled_from([ONE, TWO]))
    def launch(self, digest: str) -> tuple[str, str]:
        stored = bool(self.store.archives.locations(digest))
        try:
            run_id = enqueue(self.store, self.queue, digest)
        except CodeNotStored:
            assert not stored
            return digest, ""
        assert stored
        self.held[digest].add(run_id)
        return digest, run_id

    @rule(run=consumes(runs), cancelled=st.booleans())
    def end(self, run: tuple[str, str], cancelled: bool) -> None:
        digest, run_id = run
        if not run_id:
            return
        record = self.store.runs.get(run_id)
        if cancelled:
            self.store.runs.request_cancel(record, "bob")
        else:
            self.hand.move(self.hand.claim(self.hand.requeue(self.hand.claim(record))), State.FAILED)
        self.held[digest].discard(run_id)
        self.keep(digest, RETENTION_SECONDS)

    @rule(digest=st.sampled_from([ONE, TWO]))
    def name_a_job(self, digest: str) -> None:
        if self.store.archives.locations(digest):
            definition = JobDefinition(entity="team", name="train", job=job_of(digest))
            self.held[digest].add(self.store.jobs.create(definition, "alice").reference)

    @rule(hours=st.sampled_from([1, 25, 80]))
    def let_pass(self, hours: int) -> None:
        let_pass(self.client, hours * 3600)
        self.now += hours * 3600

    @rule()
    def sweep(self) -> None:
        self.store.code.sweep()

    @rule()
    def prune(self) -> None:
        self.store.code.prune(also_finished=False)

    @invariant()
    def what_is_needed_is_there(self) -> None:
        for digest, until in self.until.items():
            if self.held[digest] or until > self.now + 60:
                assert get(self.store.code, digest) == ARCHIVES[digest]

    def everything_unneeded_goes_at_last(self) -> None:
        for key in self.client.scan_iter("launchyard:run:????????????"):
            self.store.runs.request_cancel(self.store.runs.get(key.removeprefix("launchyard:run:")), "bob")
        for _ in range(2):
            let_pass(self.client, 10 * RETENTION_SECONDS)
            self.store.code.sweep()
        named = {digest for digest, holders in self.held.items() if any(":v" in one for one in holders)}
        assert {record.digest for record in self.store.code.list()} == named
        assert len(objects(self.client)) == len(named)


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck))


class TestLife(Life.TestCase):  # type: ignore[misc, valid-type]
    """What is needed is never dropped, and everything else goes at last."""

    @classmethod
    def setUpClass(cls) -> None:
        Life.home = Path(tempfile.mkdtemp(prefix="ly-"))
        Life.broker = EmbeddedBroker(Life.home)
        Life.broker.ensure_running()

    @classmethod
    def tearDownClass(cls) -> None:
        Life.broker.stop()
        shutil.rmtree(Life.home)


@pytest.fixture
def stored(store: Store) -> str:
    """The digest of an archive that nothing has needed yet."""
    return put(store.code, ARCHIVES[ONE]).digest


def test_a_waiting_run_holds_its_archive_however_long_it_waits(
    store: Store, queue: QueueRecord, client: Any, stored: str
) -> None:
    # Given
    enqueue(store, queue, stored)

    # When
    let_pass(client, 365 * 24 * 3600)
    store.code.sweep()

    # Then
    assert get(store.code, stored) == ARCHIVES[stored]


def test_an_ended_run_can_be_launched_again_as_long_as_its_record_is_kept(
    store: Store, hand: Hand, client: Any, settings: Settings, stored: str
) -> None:
    # Given
    run_id = enqueue(store, hand.queue, stored)
    store.runs.request_cancel(store.runs.get(run_id), "bob")

    # When
    let_pass(client, settings.retention_seconds - 60)
    store.code.sweep()
    again = enqueue(store, hand.queue, stored)

    # Then
    assert store.runs.get(again).state is State.QUEUED
    assert get(store.code, stored) == ARCHIVES[stored]


def test_a_launch_of_an_archive_that_was_dropped_is_refused_and_nothing_is_written(
    store: Store, queue: QueueRecord, client: Any, stored: str
) -> None:
    # Given
    let_pass(client, GRACE_SECONDS + 60)
    store.code.sweep()

    # Then
    with pytest.raises(CodeNotStored, match="is not in the store; launch again from the code"):
        enqueue(store, queue, stored)
    assert list(store.runs.newest()) == []
    assert objects(client) == []


def test_a_job_of_an_archive_that_was_dropped_is_refused(store: Store) -> None:
    with pytest.raises(CodeNotStored):
        store.jobs.create(JobDefinition(entity="team", name="train", job=job_of(TWO)), "alice")
    assert store.jobs.list() == []


def test_an_archive_that_is_asked_for_again_has_its_grace_anew(store: Store, client: Any, stored: str) -> None:
    # Given
    let_pass(client, GRACE_SECONDS - 60)

    # When somebody launches the same code, and takes a minute to enqueue it
    put(store.code, ARCHIVES[stored])
    let_pass(client, 120)
    store.code.sweep()

    # Then
    assert get(store.code, stored) == ARCHIVES[stored]


def test_an_archive_that_is_asked_for_in_the_middle_of_a_sweep_is_not_dropped(
    store: Store, client: Any, stored: str
) -> None:
    # Given a sweep that has seen it
    let_pass(client, GRACE_SECONDS + 60)
    assert store.archives.due() == [stored]

    # When
    put(store.code, ARCHIVES[stored])

    # Then
    assert not store.archives.drop(stored, only_due=True)


def test_agents_sweep_once_a_minute_all_together(store: Store, client: Any, stored: str) -> None:
    # Given one that has swept
    store.code.sweep()
    client.zadd("launchyard:archives", {stored: 1})

    # When another one's turn comes
    store.code.sweep()

    # Then
    assert get(store.code, stored) == ARCHIVES[stored]


def test_bytes_that_somebody_removed_are_stored_anew(store: Store, client: Any, stored: str) -> None:
    # Given
    for key in client.scan_iter("launchyard:code:*"):
        client.delete(key)

    # When
    put(store.code, ARCHIVES[stored])

    # Then
    assert get(store.code, stored) == ARCHIVES[stored]


def test_prune_drops_on_demand_what_only_finished_runs_had(store: Store, queue: QueueRecord, stored: str) -> None:
    # Given an archive of an ended run, and one of a waiting run
    store.runs.request_cancel(store.runs.get(enqueue(store, queue, stored)), "bob")
    enqueue(store, queue, put(store.code, ARCHIVES[TWO]).digest)

    # When
    first = store.code.prune(also_finished=False)
    second = store.code.prune(also_finished=True)

    # Then
    assert first == []
    assert [record.digest for record in second] == [stored]
    assert [record.digest for record in store.code.list()] == [TWO]


def test_a_restored_run_holds_its_archive(store: Store, queue: QueueRecord, client: Any, stored: str) -> None:
    # Given a live run whose record is lost
    run = store.runs.get(enqueue(store, queue, stored))
    client.delete(f"launchyard:run:{run.id}", f"launchyard:archive:{stored}:holders")

    # When
    live = run.model_copy(update={"state": State.RUNNING, "agent": "agent@host"})
    assert store.lost.restore(live, live.spec.model_dump_json(), "bob", "Recovered.")
    let_pass(client, 365 * 24 * 3600)
    store.code.sweep()

    # Then
    assert get(store.code, stored) == ARCHIVES[stored]
