"""One build of the same content at a time: who builds, who waits, and what becomes of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import TemporaryError
from broker_config.queues import QueueRecord
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import FailureClass, State
from broker_config.store import Store
from tests.agents import eventually
from tests.broker_config.conftest import Hand
from tests.contract.builders import order_of
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder, BuildStep
from workers.builders.stub import StubBuilder
from workers.building.builds import Builds
from workers.building.log import summary
from workers.building.wanted import Made, Wanted
from workers.config.builder import OtherBuilderConfig
from workers.failures import RunCancelled, RunFailed
from workers.session import Session

WAITERS = 8
ARTIFACT = "stub@sha256:abc"


class Gated(StubBuilder):
    """Goes on with a build when the test lets it."""

    def __init__(self, home: Path, **options: Any) -> None:
        super().__init__(home, OtherBuilderConfig(type="stub", options=options))
        self.gate = threading.Event()
        self.began = 0

    def build(self, order: BuildOrder, key: str, log: Callable[[str], None], cancelled: Callable[[], bool]) -> Artifact:
        self.began += 1
        log(f"step {self.began}")
        while not self.gate.wait(0.02):
            if cancelled():
                raise RunCancelled("the build was cancelled")
        return super().build(order, key, log, cancelled)


class Yard:
    """Runs that want the same, each with the agent that it is given."""

    def __init__(self, store: Store, queue: QueueRecord, home: Path) -> None:
        self.store = store
        self._hand = Hand(store, queue)
        self._order = order_of(home, "sha256:abc")
        self._pool = ThreadPoolExecutor(2 * WAITERS)

    def agent(self, name: str, lease_seconds: float = 30) -> Builds:
        session = Session(self.store.agents, name, lease_seconds)
        session.open()
        return Builds(self.store, session, lease_seconds)

    def run(self) -> Run:
        return self._hand.run_in(State.BUILDING)

    def want(
        self, builds: Builds, builder: StubBuilder, run: Run, cancelled: Callable[[], bool] = lambda: False
    ) -> Future[Made]:
        return self._pool.submit(builds.make, self.wanted(builder, run, cancelled))

    def wanted(self, builder: StubBuilder, run: Run, cancelled: Callable[[], bool] = lambda: False) -> Wanted:
        return Wanted(run, builder, self._order, "sha256:abc", cancelled)

    def lines(self, run: Run) -> list[str]:
        return [line for entry in self.store.logs.read(run.id) for line in entry.lines]

    def waits(self, run: Run) -> bool:
        return any(line.startswith("waiting for agent") for line in self.lines(run))


@pytest.fixture
def yard(settings: Settings, store: Store, queue: QueueRecord, home: Path) -> Iterator[Yard]:
    made = Yard(store, queue, home)
    yield made
    made._pool.shutdown()


def test_what_many_want_is_built_once_and_each_has_the_builds_output(yard: Yard, home: Path) -> None:
    # Given a build
    one, others = yard.agent("one@test"), yard.agent("others@test")
    builder, first = Gated(home), yard.run()
    building = yard.want(one, builder, first)
    eventually(lambda: builder.began == 1, "the build began")

    # When others want the same
    runs = [yard.run() for _ in range(WAITERS)]
    waiting = [yard.want(others, builder, run) for run in runs]
    eventually(lambda: all(yard.waits(run) for run in runs), "they wait")
    builder.gate.set()

    # Then
    assert {future.result(30).artifact.reference for future in [building, *waiting]} == {ARTIFACT}
    assert [future.result().origin for future in [building, *waiting]] == ["built", *["awaited"] * WAITERS]
    assert builder.began == 1
    assert yard.lines(first)[:2] == ["step 1", "nothing to do for code"]
    for run in runs:
        assert yard.lines(run)[1:] == yard.lines(first)
        assert yard.lines(run)[0] == (f"waiting for agent one@test, which builds the same for run {first.id}; it says:")


def test_a_failure_of_the_jobs_own_is_that_of_all_who_waited_or_were_in_the_queue(yard: Yard, home: Path) -> None:
    # Given
    agent, builder = yard.agent("one@test"), Gated(home, error="no such package: torhc")
    queued, first, second = yard.run(), yard.run(), yard.run()
    building = yard.want(agent, builder, first)
    eventually(lambda: builder.began == 1, "the build began")
    waiting = yard.want(agent, builder, second)
    eventually(lambda: yard.waits(second), "the second one waits")

    # When
    builder.gate.set()
    failures = [future.exception(30) for future in (building, waiting)]
    failures.append(yard.want(agent, builder, queued).exception(30))

    # Then
    assert builder.began == 1
    for failure in failures:
        assert isinstance(failure, RunFailed)
        assert failure.failure is FailureClass.BUILD
        assert str(failure).startswith("no such package: torhc")
    assert str(failures[1]).endswith(f"(It was built for run {first.id}, and this run wanted the same.)")


def test_a_run_that_is_tried_again_or_launched_later_has_it_built_again(yard: Yard, home: Path) -> None:
    # Given
    agent, builder = yard.agent("one@test"), Gated(home, error="the index was not reachable")
    builder.gate.set()
    failed = yard.run()
    assert isinstance(yard.want(agent, builder, failed).exception(30), RunFailed)

    # When
    assert isinstance(yard.want(agent, builder, failed.model_copy(update={"attempt": 2})).exception(30), RunFailed)
    assert isinstance(yard.want(agent, builder, yard.run()).exception(30), RunFailed)

    # Then
    assert builder.began == 3


def test_a_passing_trouble_lets_the_next_one_try(yard: Yard, home: Path) -> None:
    # Given
    agent, troubled, works = yard.agent("one@test"), Gated(home, trouble="no space left"), Gated(home)
    works.gate.set()
    second = yard.run()
    building = yard.want(agent, troubled, yard.run())
    eventually(lambda: troubled.began == 1, "the build began")
    waiting = yard.want(agent, works, second)
    eventually(lambda: yard.waits(second), "the second one waits")

    # When
    troubled.gate.set()

    # Then
    assert isinstance(building.exception(30), TemporaryError)
    assert waiting.result(30).artifact.reference == ARTIFACT
    assert (troubled.began, works.began) == (1, 1)


def test_a_cancelled_run_leaves_its_build_to_one_who_waits(yard: Yard, home: Path) -> None:
    # Given
    agent, builder, wish = yard.agent("one@test"), Gated(home), threading.Event()
    second = yard.run()
    building = yard.want(agent, builder, yard.run(), wish.is_set)
    eventually(lambda: builder.began == 1, "the build began")
    waiting = yard.want(agent, builder, second)
    eventually(lambda: yard.waits(second), "the second one waits")

    # When
    wish.set()
    eventually(lambda: builder.began == 2, "the second one builds", 5)
    builder.gate.set()

    # Then
    assert isinstance(building.exception(30), RunCancelled)
    assert waiting.result(30).artifact.reference == ARTIFACT


def test_one_who_waits_leaves_when_it_is_cancelled(yard: Yard, home: Path) -> None:
    # Given
    agent, builder, wish = yard.agent("one@test"), Gated(home), threading.Event()
    second = yard.run()
    building = yard.want(agent, builder, yard.run())
    eventually(lambda: builder.began == 1, "the build began")
    waiting = yard.want(agent, builder, second, wish.is_set)
    eventually(lambda: yard.waits(second), "the second one waits")

    # When
    wish.set()

    # Then
    assert isinstance(waiting.exception(5), RunCancelled)
    builder.gate.set()
    assert building.result(30).artifact.reference == ARTIFACT


def test_a_builder_that_was_frozen_finds_another_one_building_and_waits_for_it(yard: Yard, home: Path) -> None:
    # Given a build of an agent whose heartbeat stands still until its lease has ended
    frozen, other = yard.agent("frozen@test", lease_seconds=0.5), yard.agent("other@test")
    first, second, builder = yard.run(), yard.run(), Gated(home)
    building = yard.want(frozen, builder, first)
    eventually(lambda: builder.began == 1, "the build began")
    waiting = yard.want(other, builder, second)
    eventually(lambda: builder.began == 2, "the other one builds")

    # When it goes on
    frozen.keep_leases()
    eventually(lambda: yard.waits(first), "it ended its own build, and waits")
    builder.gate.set()

    # Then
    assert {future.result(30).artifact.reference for future in (building, waiting)} == {ARTIFACT}
    assert builder.began == 2


def test_a_lease_is_kept_while_its_build_lasts(yard: Yard, home: Path) -> None:
    # Given
    one, other = yard.agent("one@test", lease_seconds=0.6), yard.agent("other@test")
    builder, second = Gated(home), yard.run()
    yard.store.agents.renew("one@test", yard.store.agents.holder("one@test"), 600)
    building = yard.want(one, builder, yard.run())
    eventually(lambda: builder.began == 1, "the build began")
    waiting = yard.want(other, builder, second)

    # When
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        one.keep_leases()
        time.sleep(0.1)

    # Then
    assert (builder.began, waiting.done()) == (1, False)
    builder.gate.set()
    assert {future.result(30).artifact.reference for future in (building, waiting)} == {ARTIFACT}


def test_what_was_built_is_on_record_and_so_is_its_last_use(yard: Yard, home: Path) -> None:
    # Given
    agent, builder, first = yard.agent("one@test"), Gated(home), yard.run()
    builder.gate.set()
    yard.want(agent, builder, first).result(30)

    # When it is used again
    (built,) = yard.store.images.all()
    reused = agent.reuse(yard.wanted(builder, yard.run()))

    # Then
    (used,) = yard.store.images.all()
    assert (built.key, built.reference, built.run, built.agent) == ("sha256:abc", ARTIFACT, first.id, "one@test")
    assert reused is not None
    assert reused.origin == "reused"
    assert used.last_used > built.last_used
    assert used.built_at == built.built_at


def test_the_log_of_a_build_ends_with_what_it_took_step_by_step() -> None:
    # Given
    steps = (BuildStep("FROM python:3.11-slim", 0, is_cached=True), BuildStep("RUN pip install torch", 12.34))
    artifact = Artifact(ArtifactKind.IMAGE, "x:1", size_bytes=120_400_000, steps=steps)
    # When / Then
    assert list(summary(artifact, 13.5)) == [
        "built in 13.5 s: 2 steps, 1 of them cached; 120.4 MB",
        "    cached  FROM python:3.11-slim",
        "    12.3 s  RUN pip install torch",
    ]
    assert list(summary(Artifact(ArtifactKind.IMAGE, "x:1"), 2)) == ["built in 2.0 s"]
