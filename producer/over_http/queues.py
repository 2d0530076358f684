"""Queues, launches and named jobs, asked for over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from broker_config.frozen import parse
from broker_config.named_jobs import JobDefinition, JobReference, JobVersion
from broker_config.plans import Plan
from broker_config.queues import Queue, QueueRecord
from broker_config.revisions import QueueRevision
from broker_config.runs import RunId, RunSpec
from broker_config.states import State
from producer.launches import NewRun
from producer.over_http.connection import Connection
from producer.wire import (
    API,
    Edit,
    Launched,
    NewVersion,
    Ordered,
    Page,
    PlanWanted,
    QueueSeen,
    RollBack,
    Standing,
    queue_path,
)

RUNS_OF_A_REQUEST = 500


class QueuesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def create(self, queue: Queue) -> QueueRecord:
        return self._ask(QueueRecord, "POST", f"{API}/queues", queue)

    def edit(self, queue: Queue, expected: int | None = None, note: str = "") -> QueueRecord:
        edit = parse(Edit, {"queue": queue, "expected": expected, "note": note}, "edit")
        return self._ask(QueueRecord, "PUT", queue_path(queue.full_name), edit)

    def delete(self, name: str) -> None:
        self._ask(type(None), "DELETE", queue_path(name))

    def get(self, name: str) -> QueueRecord:
        return self._seen(name).record

    def counts(self, name: str) -> dict[State, int]:
        return self._seen(name).counts

    def oldest_wait(self, name: str) -> datetime | None:
        return self._seen(name).oldest_wait

    def history(self, name: str) -> list[QueueRevision]:
        return self._ask(list[QueueRevision], "GET", f"{queue_path(name)}/revisions")

    def revision(self, name: str, number: int) -> QueueRevision:
        return self._ask(QueueRevision, "GET", f"{queue_path(name)}/revisions/{number}")

    def roll_back(self, name: str, number: int, expected: int | None = None) -> QueueRecord:
        back = RollBack(revision=number, expected=expected)
        return self._ask(QueueRecord, "POST", f"{queue_path(name)}/roll-back", back)

    def set_paused(self, name: str, paused: bool, reason: str = "") -> QueueRecord:
        return self._stand(name, Standing(paused=paused, reason=reason))

    def set_draining(self, name: str, draining: bool, reason: str = "") -> QueueRecord:
        return self._stand(name, Standing(draining=draining, reason=reason))

    def check_author(self, queue: Queue) -> None:
        self._ask(type(None), "POST", f"{API}/queues/check-author", queue)

    def list(self) -> list[QueueRecord]:
        return [seen.record for seen in self._all(Page[QueueSeen], f"{API}/queues")]

    def _seen(self, name: str) -> QueueSeen:
        return self._ask(QueueSeen, "GET", queue_path(name))

    def _stand(self, name: str, standing: Standing) -> QueueRecord:
        return self._ask(QueueRecord, "PATCH", f"{queue_path(name)}/standing", standing)


class LaunchesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def check(self, runs: Sequence[NewRun]) -> None:
        for part in _parts(runs):
            self._ask(type(None), "POST", f"{API}/launches/check", part)

    def enqueue(self, runs: Sequence[NewRun]) -> list[RunId]:
        parts = _parts(runs)
        if len(parts) > 1:
            # All are checked before the first is written.
            self.check(runs)
        return [run_id for part in parts for run_id in self._ask(Launched, "POST", f"{API}/launches", part).ids]

    def enqueue_plan(self, plan: Plan) -> RunId:
        return self._ask(Launched, "POST", f"{API}/plans/launch", plan).ids[0]

    def plan(self, run: NewRun, earlier: RunSpec | None = None) -> Plan:
        wanted = PlanWanted(run=_ordered(run), diff=earlier.id if earlier else None)
        return self._ask(Plan, "POST", f"{API}/plans", wanted)

    def spec(self, run: NewRun) -> RunSpec:
        return self._ask(RunSpec, "POST", f"{API}/launches/spec", _ordered(run))


class JobsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def create(self, definition: JobDefinition, aliases: Sequence[str] = ()) -> JobVersion:
        version = NewVersion(definition=definition, aliases=tuple(aliases))
        return self._ask(JobVersion, "POST", f"{API}/jobs", version)

    def get(self, entity: str, reference: JobReference) -> JobVersion:
        path = f"{API}/jobs/{reference.entity or entity}/{reference.name}/{reference.alias}"
        return self._ask(JobVersion, "GET", path, project=reference.project)

    def versions(self, entity: str, name: str) -> list[JobVersion]:
        return [*self._all(Page[JobVersion], f"{API}/jobs/{entity}/{name}")]

    def list(self) -> list[JobVersion]:
        return [*self._all(Page[JobVersion], f"{API}/jobs")]


def _ordered(run: NewRun) -> Ordered:
    return Ordered(id=run.id, name=run.name, launch=run.launch)


def _parts(runs: Sequence[NewRun]) -> list[list[Ordered]]:
    size = RUNS_OF_A_REQUEST
    return [[_ordered(run) for run in runs[start : start + size]] for start in range(0, len(runs), size)]
