"""Builds for runs that wait: for which, in which order, and when they give way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.priorities import Priority
from broker_config.queues import QueueRecord
from broker_config.runs import Launch, Run, RunSpec, new_run_id, now
from broker_config.states import State
from broker_config.store import Store
from tests.agents import eventually
from tests.broker_config.conftest import JOB
from tests.contract.builders import order_of
from tests.workers.building.test_builds import Gated
from workers.admission import Admission
from workers.builders.protocol import ArtifactKind
from workers.building.ahead import Ahead, Workshop
from workers.building.builds import Builds
from workers.building.wanted import Wanted
from workers.config import AgentConfig
from workers.macros import from_environment
from workers.members import Members
from workers.prepare import Preparer
from workers.record import Recorder
from workers.seals import Seals
from workers.sources.protocol import Fetched
from workers.sources.stub import StubSource
from workers.trust import Trust


class Digests(StubSource):
    """Brings code whose content is what its digest says."""

    def fetch(self, source: Any, folder: Path, part: str | None = None) -> Fetched:
        return Fetched(digest=source.digest, folder=folder)


@dataclass
class Yard:
    """An agent that has nothing to do but to build ahead."""

    store: Store
    queue: QueueRecord
    builds: Builds
    builder: Gated
    home: Path
    queues: tuple[str, ...] = ("gpu-queue",)

    def ahead(self, most: int) -> Ahead:
        recorder = Recorder(self.store.runs, "builder@test", 7)
        preparer = Preparer(
            recorder,
            self.store.logs,
            self.home / "workspaces",
            lambda _: Digests(self.store.code, self.home, AgentConfig()),
            lambda _: self.builder,
            builds=self.builds,
        )
        target = SimpleNamespace(artifact=ArtifactKind.IMAGE)
        members = cast(Members, SimpleNamespace(target=lambda _: target))
        trust = Trust(self.store.runs, Seals(), AgentConfig(), "builder@test")
        shop = Workshop(self.store.runs, members, trust, Admission(from_environment(())), preparer, self.builds)
        return Ahead(shop, lambda: self.queues, self.home / "workspaces", most)

    def enqueue(self, content: str, priority: Priority = Priority.MEDIUM, job: Job | None = None) -> Run:
        job = job or Job(source=self.code(content), entry_point=("python", "train.py"))
        spec = RunSpec(
            id=new_run_id(),
            name="test",
            queue=self.queue.queue,
            queue_revision=self.queue.revision,
            job=job,
            priority=priority,
            author="tester",
            created_at=now(),
        )
        launch = Launch(queue="gpu-queue", job=job, priority=priority)
        return self.store.runs.get(self.store.runs.enqueue(self.queue, [(spec, launch)], 100_000)[0])

    def code(self, content: str) -> CodeSource:
        data = content.encode()
        source = CodeSource(digest=f"sha256:{sha256(data).hexdigest()}", size_bytes=len(data))
        self.store.code.put(BytesIO(data), source)
        return source

    @property
    def built(self) -> list[str]:
        """For which runs something was built, in this order."""
        return [image.run for image in reversed(self.store.images.all())]


@pytest.fixture
def yard(store: Store, queue: QueueRecord, builds: Builds, home: Path) -> Yard:
    return Yard(store, queue, builds, Gated(home), home)


@pytest.fixture
def looking(yard: Yard) -> Iterator[Callable[[int], Ahead]]:
    """Makes what looks for runs that wait."""
    made: list[Ahead] = []

    def make(most: int) -> Ahead:
        made.append(yard.ahead(most))
        return made[-1]

    yield make
    for one in made:
        one.stop()


Looking = Callable[[int], Ahead]


def looks_until(ahead: Ahead, condition: Callable[[], bool], what: str) -> None:
    def look() -> bool:
        ahead.look()
        return condition()

    eventually(look, what, 10)


def test_runs_are_built_for_as_they_leave_their_queue(yard: Yard, looking: Looking) -> None:
    # Given
    yard.builder.gate.set()
    low, medium = yard.enqueue("a", Priority.LOW), yard.enqueue("b")
    critical = yard.enqueue("c", Priority.CRITICAL)
    ahead = looking(1)

    # When
    looks_until(ahead, lambda: len(yard.built) == 3, "all are built")

    # Then nobody has taken them, and nothing is left behind
    assert yard.built == [critical.id, medium.id, low.id]
    assert {run.state for run in yard.store.runs.get_many([low.id, medium.id, critical.id])} == {State.QUEUED}
    assert list((yard.home / "workspaces").iterdir()) == []


def test_nothing_is_built_for_runs_that_need_nothing_or_are_refused(yard: Yard, looking: Looking) -> None:
    # Given a run of an image, a run on a base image, and a paused queue's
    yard.builder.gate.set()
    yard.enqueue("a", job=JOB)
    yard.enqueue("b", job=Job(source=yard.code("b"), base_image="x:1", entry_point=("python", "x.py")))
    last = yard.enqueue("e")
    ahead = looking(2)

    # When
    looks_until(ahead, lambda: yard.built == [last.id], "the last one is built")
    yard.queues = ()
    yard.enqueue("f")
    for _ in range(3):
        ahead.look()

    # Then
    assert yard.builder.began == 1


def test_a_build_ahead_gives_way_to_that_of_a_claimed_run_and_is_begun_again(yard: Yard, looking: Looking) -> None:
    # Given a build ahead
    ahead = looking(1)
    waits = yard.enqueue("a")
    looks_until(ahead, lambda: yard.builder.began == 1, "it is begun")

    # When a claimed run's begins
    claimed, other = yard.enqueue("b"), Gated(yard.home)
    wanted = Wanted(claimed, other, order_of(yard.home, "sha256:b"), "sha256:b", lambda: False)
    thread = threading.Thread(target=yard.builds.make, args=(wanted,))
    thread.start()
    eventually(lambda: other.began == 1, "the claimed run's build is begun")

    # Then it is ended, and no other is begun
    looks_until(ahead, lambda: not ahead._errands, "it has given way")
    for _ in range(3):
        ahead.look()
    assert yard.builder.began == 1

    # When there is room again
    other.gate.set()
    thread.join(10)
    yard.builder.gate.set()

    # Then
    looks_until(ahead, lambda: waits.id in yard.built, "it is built")


def test_a_build_for_a_run_that_is_cancelled_is_ended(yard: Yard, looking: Looking) -> None:
    # Given
    ahead = looking(1)
    run = yard.enqueue("a")
    looks_until(ahead, lambda: yard.builder.began == 1, "it is begun")

    # When
    yard.store.runs.request_cancel(run, "tester")

    # Then
    looks_until(ahead, lambda: not ahead._errands, "it is ended")
    assert yard.built == []


def test_a_claimed_run_waits_for_its_own_build_ahead_and_has_its_output_once(yard: Yard, looking: Looking) -> None:
    # Given a build ahead, and its run claimed meanwhile
    ahead = looking(1)
    run = yard.enqueue("a")
    looks_until(ahead, lambda: yard.builder.began == 1, "it is begun")
    digest = run.spec.job.source.digest  # type: ignore[union-attr]
    wanted = Wanted(run, yard.builder, order_of(yard.home, digest), digest, lambda: False)
    thread = threading.Thread(target=yard.builds.make, args=(wanted,))
    thread.start()

    def lines() -> list[str]:
        return [line for entry in yard.store.logs.read(run.id) for line in entry.lines]

    eventually(lambda: any("which builds it already" in line for line in lines()), "it waits")

    # When
    yard.builder.gate.set()
    thread.join(10)

    # Then
    assert not thread.is_alive()
    assert lines().count("step 1") == 1
    assert yard.builder.began == 1
