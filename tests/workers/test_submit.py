"""Submitting: only for a run that is still this session's, however long the way there took."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.errors import ConfigError, StaleWrite, TemporaryError
from broker_config.queues import QueueRecord
from broker_config.runs import Run
from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from tests.integration.conftest import Runs
from workers import submit
from workers.builders.protocol import Artifact, ArtifactKind
from workers.failures import RunCancelled, RunFailed
from workers.macros import Macros
from workers.prepare import Prepared
from workers.record import Recorder
from workers.submit import Submitter
from workers.targets.protocol import Request
from workers.targets.stub import StubTarget
from workers.wandb import Wandb


class Recovering(StubTarget):
    """Does not answer once, and answers when another session has adopted the run."""

    def __init__(self, home: Path, store: Store) -> None:
        super().__init__(home)
        self._store = store
        self.asked = 0

    def submit(self, request: Request) -> None:
        self.asked += 1
        (run,) = self._store.runs.newest()
        Recorder(self._store.runs, "other@host", self._store.agents.new_fence()).adopt(run)
        raise TemporaryError("the target does not answer")


class Refusing(StubTarget):
    """Takes nothing."""

    reason = Reason.TARGET_REFUSED

    def submit(self, request: Request) -> None:
        raise RunFailed(FailureClass.CONFIG, self.reason, f"{request.name} is not taken")


class Foreign(Refusing):
    """Has another object of that name."""

    reason = Reason.NAME_TAKEN


class Unreachable(StubTarget):
    """Is nowhere that this machine knows of."""

    def submit(self, request: Request) -> None:
        raise ConfigError("the kubeconfig has no context 'prod'; known: lab")

    def release(self, name: str) -> None:
        raise ConfigError("the kubeconfig has no context 'prod'; known: lab")


def claimed(store: Store, queue: QueueRecord) -> tuple[Recorder, Run]:
    """A run in the hands of a session."""
    (run_id,) = Runs(store).enqueue(queue)
    store.agents.take("agent@host", "session", 60)
    recorder = Recorder(store.runs, "agent@host", fence := store.agents.new_fence())
    _, run = store.runs.claim(store.runs.get(run_id).spec, "agent@host", fence, "session")
    assert run is not None
    return recorder, run


def prepared(run: Run) -> Prepared:
    return Prepared(run, Artifact(ArtifactKind.IMAGE, "stub"), None)


def test_a_run_that_was_adopted_while_its_target_did_not_answer_is_not_submitted_again(
    store: Store, queue: QueueRecord, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(submit, "CONFIRMED", timedelta(0))
    recorder, run = claimed(store, queue)
    target = Recovering(home, store)

    # When
    with pytest.raises(StaleWrite):
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), target, lambda: False)

    # Then
    assert target.asked == 1


def test_the_name_of_a_run_that_was_cancelled_before_its_submit_stays_taken(
    store: Store, queue: QueueRecord, home: Path
) -> None:
    # Given
    recorder, run = claimed(store, queue)
    stub = StubTarget(home)

    # When
    with pytest.raises(RunCancelled):
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), stub, lambda: True)
    stub.submit(Request(run.object_name, {"seconds": 0.0, "lines": []}))

    # Then
    assert stub.inventory() == []


def test_the_name_of_a_run_that_its_target_refused_stays_taken(store: Store, queue: QueueRecord, home: Path) -> None:
    # Given
    recorder, run = claimed(store, queue)

    # When
    with pytest.raises(RunFailed):
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), Refusing(home), lambda: False)
    StubTarget(home).submit(Request(run.object_name, {"seconds": 0.0, "lines": []}))

    # Then
    assert StubTarget(home).inventory() == []


def test_a_target_that_this_machine_has_no_way_to_fails_the_run_for_its_config(
    store: Store, queue: QueueRecord, home: Path
) -> None:
    # Given
    recorder, run = claimed(store, queue)

    # When
    with pytest.raises(RunFailed, match="no context 'prod'; known: lab") as failed:
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), Unreachable(home), lambda: False)

    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.CONFIG_INVALID)


def test_the_object_of_another_program_that_has_the_runs_name_is_left_alone(
    store: Store, queue: QueueRecord, home: Path
) -> None:
    # Given
    recorder, run = claimed(store, queue)
    StubTarget(home).submit(Request(run.object_name, {"seconds": 0.0, "lines": []}))

    # When
    with pytest.raises(RunFailed):
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), Foreign(home), lambda: False)

    # Then
    assert StubTarget(home).inventory() == [run.object_name]


def test_a_target_that_keeps_no_name_either_is_quoted_with_what_it_said_first(
    store: Store, queue: QueueRecord, home: Path
) -> None:
    # Given
    class Closed(Refusing):
        def release(self, name: str) -> None:
            raise RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, "the place is closed")

    recorder, run = claimed(store, queue)

    # Then
    with pytest.raises(RunFailed, match="is not taken"):
        Submitter(recorder, lambda _: False, Wandb(), Macros()).submit(prepared(run), Closed(home), lambda: False)
