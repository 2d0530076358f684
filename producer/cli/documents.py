"""The JSON documents of `--json`. Stable: a key may be added, none is renamed or removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from broker_config.findings import Finding
from broker_config.named_jobs import JobVersion
from broker_config.queues import QueueRecord
from broker_config.revisions import Changed, QueueRevision
from broker_config.runs import Event, Run
from broker_config.states import FailureClass, State
from broker_config.store.agents import AgentInfo

_INTERNAL = {
    *(
        "spec",
        "version",
        "fence",
        "place",
        "new_priority",
        "request_digest",
        "submission",
        "crash_evidence",
        "end_reason",
    ),
    *(name for name in Run.model_fields if name.startswith("retries_")),
}


def queue(record: QueueRecord, counts: dict[State, int] | None = None) -> dict[str, Any]:
    """A queue; with the number of its runs in each state where asked for."""
    document = {
        **record.queue.model_dump(mode="json"),
        "full_name": record.name,
        "revision": record.revision,
        "paused": record.paused,
        "pause_reason": record.pause_reason,
        "paused_by": record.paused_by,
        "paused_at": record.paused_at.isoformat() if record.paused_at else None,
        "draining": record.draining,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "updated_by": record.updated_by,
    }
    if counts is not None:
        document["runs"] = {state.value: count for state, count in counts.items()}
    return document


def revision(one: QueueRevision) -> dict[str, Any]:
    """A revision of a queue."""
    return one.model_dump(mode="json")


def change(one: Changed) -> dict[str, Any]:
    """A field that is different; it has no `old` when it was added, and no `new` when it was removed."""
    absent = {"added": {"old"}, "removed": {"new"}}.get(one.kind, set())
    return one.model_dump(mode="json", exclude=absent)


def findings(found: Iterable[Finding]) -> list[dict[str, str]]:
    """What a check found, each with its place."""
    return [one._asdict() for one in found]


def run(record: Run) -> dict[str, Any]:
    """A run in short: what a list shows."""
    state = record.model_dump(mode="json", exclude=_INTERNAL)
    spec = record.spec
    return {
        "id": spec.id,
        "name": spec.name,
        "queue": spec.queue.full_name,
        "resource": spec.queue.resource,
        "priority": record.priority.label,
        "project": spec.project,
        "job_version": spec.job_version,
        "author": spec.author,
        "labels": spec.labels,
        "created_at": spec.created_at.isoformat(),
        **state,
        "retries": {failure.value: count for failure in FailureClass if (count := record.retries(failure))},
        "after": list(spec.after),
    }


def run_with_all(record: Run, events: list[Event]) -> dict[str, Any]:
    """A run with its job, its config and its events."""
    spec = record.spec
    return {
        **run(record),
        "entity": spec.queue.entity,
        "queue_revision": spec.queue_revision,
        "job": spec.job.model_dump(mode="json"),
        "template_values": spec.template_values,
        "overrides": spec.overrides,
        "resource_config": spec.resource_config,
        "submission": record.submission,
        "events": [event(one) for one in events],
    }


def job_version(version: JobVersion) -> dict[str, Any]:
    """A version of a named job."""
    definition = version.definition.model_dump(mode="json")
    return {"reference": version.reference, **definition, **version.model_dump(mode="json", exclude={"definition"})}


def event(one: Event) -> dict[str, Any]:
    """One change of a run."""
    return one.model_dump(mode="json")


def agent(info: AgentInfo, alive: bool) -> dict[str, Any]:
    """An agent, and whether its lease is alive."""
    return {**info.model_dump(mode="json"), "alive": alive}
