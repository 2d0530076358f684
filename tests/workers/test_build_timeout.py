"""A build that takes too long is ended, and its run fails with class timeout."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.jobs import ImageSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Launch, Run, RunSpec, new_run_id, now
from broker_config.states import FailureClass, Reason, State
from broker_config.store import Store
from broker_config.timeouts import Timeouts
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.builders.stub import StubBuilder
from workers.building.builds import Builds
from workers.config import AgentConfig
from workers.config.builder import OtherBuilderConfig
from workers.failures import RunCancelled, RunFailed
from workers.prepare import Preparer
from workers.record import Recorder
from workers.sources.stub import StubSource

NEVER_SECONDS = 30.0


class EndlessBuilder(StubBuilder):
    """Builds until it is told to stop."""

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        deadline = time.monotonic() + NEVER_SECONDS
        while not cancelled():
            assert time.monotonic() < deadline, "the build was not ended"
            time.sleep(0.05)
        raise RunCancelled("the build was cancelled")


@pytest.fixture
def run(store: Store) -> Run:
    """A claimed run whose build may take one second."""
    record = store.queues.create(Queue(name="q", resource="stub", timeouts=Timeouts(build=1)))
    job = Job(source=ImageSource(image="x"))
    spec = RunSpec(
        id=new_run_id(),
        name="test",
        queue=record.queue,
        queue_revision=record.revision,
        job=job,
        priority=Priority.MEDIUM,
        author="tester",
        created_at=now(),
    )
    store.runs.enqueue(record, [(spec, Launch(queue="q", job=job))], 100_000)
    store.agents.take("agent@test", "session", 60)
    _, claimed = store.runs.claim(spec, "agent@test", 7, "session")
    assert claimed is not None
    return claimed


@pytest.fixture
def preparer(store: Store, home: Path, builds: Builds) -> Preparer:
    recorder = Recorder(store.runs, "agent@test", 7)
    builder = EndlessBuilder(home, OtherBuilderConfig(type="stub"))
    return Preparer(
        recorder,
        store.logs,
        home / "workspaces",
        lambda _: StubSource(store.code, home, AgentConfig()),
        lambda _: builder,
        builds=builds,
    )


def test_a_build_that_takes_too_long_fails_with_class_timeout(run: Run, preparer: Preparer) -> None:
    with pytest.raises(RunFailed, match="longer than its build timeout of 1 s") as caught:
        preparer.prepare(run, ArtifactKind.IMAGE, lambda: False)

    assert (caught.value.failure, caught.value.reason) == (FailureClass.TIMEOUT, Reason.BUILD_TIMEOUT)


def test_a_build_that_begins_anew_has_no_more_time_than_it_had(store: Store, run: Run, preparer: Preparer) -> None:
    # Given a run whose agent died in the middle of its build, longer ago than the limit
    building = Recorder(store.runs, "agent@test", 7).reach(run, State.BUILDING, Reason.BUILDING, "Building.")
    begun_before = building.model_copy(update={"since": building.since - timedelta(seconds=30)})
    looks: list[bool] = []

    def cancelled() -> bool:
        looks.append(False)
        return False

    # When
    with pytest.raises(RunFailed, match="build timeout"):
        preparer.prepare(begun_before, ArtifactKind.IMAGE, cancelled)

    # Then its builder was told at its first question, and nobody was asked before
    assert looks == [False]


def test_a_build_that_a_person_cancels_is_cancelled_and_has_not_timed_out(run: Run, preparer: Preparer) -> None:
    with pytest.raises(RunCancelled):
        preparer.prepare(run, ArtifactKind.IMAGE, lambda: True)
