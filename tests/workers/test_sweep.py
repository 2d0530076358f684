"""What is left at targets: ended runs' objects are released, unknown ones told of, and removed when that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.queues import QueueRecord
from broker_config.runs import now
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.orphans import Orphan
from tests.agents import eventually
from tests.integration.conftest import Runs
from workers import sweep
from workers.sweep import Sweeper
from workers.targets.protocol import Phase, Request, Unlisted
from workers.targets.stub import StubTarget

ORPHAN, OTHER = "launchyard-aaaaaaaaaaaa-1", "launchyard-bbbbbbbbbbbb-1"
BODY = {"seconds": 0.0, "exit_code": 0, "lines": [], "ignores_cancel": False}


class Silent(StubTarget):
    """A target whose platform does not answer."""

    def inventory(self) -> Sequence[str]:
        raise TemporaryError("the platform does not answer")


class Partial(StubTarget):
    """A target with a place that may be silent."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.silent: set[str] = set()

    def inventory(self) -> Sequence[str]:
        found = super().inventory()
        if self.silent:
            raise Unlisted([name for name in found if name not in self.silent], ["the place does not answer"])
        return found


class Stuck(StubTarget):
    """A target that cannot let go of one object, nor of its name."""

    def __init__(self, home: Path, stuck: str) -> None:
        super().__init__(home)
        self._stuck = stuck

    def release(self, name: str) -> None:
        self._check(name)
        super().release(name)

    def forget(self, name: str) -> None:
        self._check(name)
        super().forget(name)

    def _check(self, name: str) -> None:
        if name == self._stuck:
            raise TemporaryError(f"{name} is in use")


@pytest.fixture
def stub(home: Path) -> StubTarget:
    return StubTarget(home)


def sweeper_of(store: Store, stub: StubTarget) -> Sweeper:
    return Sweeper(store, "agent@test", lambda: {"stub": stub}, grace_seconds=5.0)


def test_the_object_of_a_run_that_has_ended_is_released(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that ended, whose agent died before the release
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    run = store.runs.request_cancel(store.runs.get(run_id), "tester")
    assert run.state is State.CANCELLED
    stub.submit(Request(run.object_name, BODY))

    # When
    sweeper_of(store, stub).sweep()

    # Then
    assert stub.inventory() == []


def test_a_job_that_runs_although_its_run_has_ended_is_ended_and_released(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run that ended, and its job did not
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    run = store.runs.request_cancel(store.runs.get(run_id), "tester")
    stub.submit(Request(run.object_name, {**BODY, "seconds": 600.0}))

    # When
    sweeper_of(store, stub).sweep()

    # Then
    eventually(lambda: stub.observe([run.object_name])[run.object_name].phase is Phase.CANCELLED, "it was ended")
    sweeper_of(store, stub).sweep()
    assert stub.inventory() == []


def test_the_object_of_a_run_that_waits_or_runs_is_left_alone(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    name = store.runs.get(run_id).object_name
    stub.submit(Request(name, BODY))

    # When
    sweeper_of(store, stub).sweep()

    # Then
    assert stub.inventory() == [name]


def test_the_object_of_a_later_attempt_than_the_record_knows_is_left_alone(
    store: Store, queue: QueueRecord, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run whose retry was lost with a primary that failed
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    (run_id,) = Runs(store).enqueue(queue)
    later = store.runs.get(run_id).model_copy(update={"attempt": 2}).object_name
    stub.submit(Request(later, {**BODY, "seconds": 600.0}))

    # When
    sweeper_of(store, stub).sweep()

    # Then
    assert stub.inventory() == [later]
    assert stub.observe([later])[later].phase is Phase.RUNNING


def test_what_cannot_be_removed_keeps_nothing_else_from_being_removed(
    store: Store, queue: QueueRecord, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the objects of two runs that have ended, of which the target cannot let go of the first
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    runs = [store.runs.get(run_id) for _ in range(2) for run_id in Runs(store).enqueue(queue)]
    stuck = min(run.object_name for run in runs)
    target = Stuck(home, stuck)
    for run in runs:
        store.runs.request_cancel(run, "tester")
        target.submit(Request(run.object_name, BODY))

    # When
    sweeper_of(store, target).sweep()

    # Then
    assert target.inventory() == [stuck]

    # And when both names have been taken for long
    StubTarget(home).release(stuck)
    monkeypatch.setattr(sweep, "RELEASED_SECONDS", 0.0)
    sweeper_of(store, target).sweep()

    # Then the other one is free
    assert target.released(0.0) == [stuck]


def test_what_an_agent_saw_that_is_gone_for_long_is_told_no_more(store: Store, stub: StubTarget) -> None:
    # Given
    old = now() - sweep.TOLD - timedelta(seconds=1)
    for agent, seen_at in (("gone@test", old), ("other@test", now())):
        store.orphans.report(agent, [Orphan(name=OTHER, resource="docker", agent=agent, since=old, seen_at=seen_at)])

    # When
    sweeper_of(store, stub).sweep()

    # Then
    assert [orphan.agent for orphan in store.orphans.list()] == ["other@test"]


def test_an_object_of_no_known_run_is_told_of_once_and_left_alone(
    store: Store, stub: StubTarget, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    stub.submit(Request("launchyard-aaaaaaaaaaaa-1", BODY))
    sweeper = sweeper_of(store, stub)

    # When
    with caplog.at_level(logging.WARNING):
        sweeper.sweep()
        sweeper.sweep()

    # Then
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "object-orphaned name=launchyard-aaaaaaaaaaaa-1"
    ]
    assert stub.inventory() == ["launchyard-aaaaaaaaaaaa-1"]


def test_an_orphan_is_told_of_in_the_store_since_it_was_first_seen_and_until_it_is_gone(
    store: Store, stub: StubTarget
) -> None:
    # Given an object of no run, seen by an agent
    stub.submit(Request(ORPHAN, BODY))
    sweeper_of(store, stub).sweep()
    (first,) = store.orphans.list()

    # When a later session of the agent sees it again
    sweeper_of(store, stub).sweep()

    # Then it says where the object is, and since when it is there
    (second,) = store.orphans.list()
    assert (second.name, second.resource, second.agent) == (ORPHAN, "stub", "agent@test")
    assert (second.since, second.seen_at > first.seen_at) == (first.since, True)

    # And when it is gone, then nothing is told of it
    stub.release(ORPHAN)
    sweeper_of(store, stub).sweep()
    assert store.orphans.list() == []


def test_an_orphan_stays_told_of_while_its_target_does_not_answer(store: Store, stub: StubTarget, home: Path) -> None:
    # Given an orphan that was seen
    stub.submit(Request(ORPHAN, BODY))
    sweeper_of(store, stub).sweep()

    # When the target does not answer
    Sweeper(store, "agent@test", lambda: {"stub": Silent(home)}, grace_seconds=5.0).sweep()

    # Then it is not taken for gone
    assert [orphan.name for orphan in store.orphans.list()] == [ORPHAN]


def test_what_some_places_of_a_target_have_is_seen_to_while_others_are_silent(
    store: Store, queue: QueueRecord, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two orphans that are known
    monkeypatch.setattr(sweep, "SETTLED", timedelta(0))
    target = Partial(home)
    for name in (ORPHAN, OTHER):
        target.submit(Request(name, BODY))
    sweeper = sweeper_of(store, target)
    sweeper.sweep()

    # When the place of one of them is silent, and a run has ended elsewhere
    (run_id,) = Runs(store).enqueue(queue)
    run = store.runs.request_cancel(store.runs.get(run_id), "tester")
    target.submit(Request(run.object_name, BODY))
    target.silent = {OTHER}
    sweeper.sweep()

    # Then
    assert run.object_name not in StubTarget(home).inventory()
    assert {orphan.name for orphan in store.orphans.seen_by("agent@test")} == {ORPHAN, OTHER}


def test_an_orphan_that_runs_is_ended_and_removed_when_an_operator_wants_it(store: Store, stub: StubTarget) -> None:
    # Given two orphans that run, one of which has to go
    for name in (ORPHAN, OTHER):
        stub.submit(Request(name, {**BODY, "seconds": 600.0}))
    sweeper = sweeper_of(store, stub)
    sweeper.sweep()
    store.orphans.request_removal(ORPHAN, "alice")

    # When the agent carries out what is wanted
    def is_removed() -> bool:
        sweeper.carry_out_removals()
        return bool(store.orphans.removals()[ORPHAN].outcome)

    eventually(is_removed, "the orphan has ended and was removed")

    # Then that one is gone, the other one is there, and the store says who did it
    removal = store.orphans.removals()[ORPHAN]
    assert (removal.by, removal.agent, removal.outcome) == ("alice", "agent@test", "removed")
    assert stub.inventory() == [OTHER]
    assert [orphan.name for orphan in store.orphans.list()] == [OTHER]


def test_an_object_whose_run_is_known_by_now_is_kept_whatever_was_wanted(
    store: Store, queue: QueueRecord, stub: StubTarget
) -> None:
    # Given an object that was told of as an orphan, and whose run has a record
    (run_id,) = Runs(store).enqueue(queue)
    name, at = store.runs.get(run_id).object_name, now()
    stub.submit(Request(name, {**BODY, "seconds": 600.0}))
    store.orphans.report("agent@test", [Orphan(name=name, resource="stub", agent="agent@test", since=at, seen_at=at)])

    # When its removal is wanted
    store.orphans.request_removal(name, "alice")
    sweeper_of(store, stub).carry_out_removals()

    # Then it runs on
    assert store.orphans.removals()[name].outcome == "kept: its run is known by now"
    assert stub.observe([name])[name].phase is Phase.RUNNING


def test_the_outcome_of_a_removal_is_forgotten_after_a_while(
    store: Store, stub: StubTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a removal that was carried out
    store.orphans.request_removal(ORPHAN, "alice")
    store.orphans.conclude_removal(ORPHAN, store.orphans.removals()[ORPHAN], "agent@test", "removed")
    sweeper_of(store, stub).carry_out_removals()
    assert ORPHAN in store.orphans.removals()

    # When the time for telling of it is over
    monkeypatch.setattr(sweep, "TOLD", timedelta(0))
    sweeper_of(store, stub).carry_out_removals()

    # Then
    assert store.orphans.removals() == {}
