"""Facts for explanations, as they are read of a store on which a test says what happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from broker_config.explaining.explanation import Explanation
from broker_config.explaining.facts import QueueFacts, RunFacts
from broker_config.queues import Queue, QueueRecord
from broker_config.runs import Run, now
from broker_config.states import Reason, State
from broker_config.store.agents import AgentInfo
from tests.broker_config.conftest import agent_info, launch_of, spec_of

AT = now()


def ago(seconds: float) -> Any:
    return AT - timedelta(seconds=seconds)


def record(*, paused: bool = False, **fields: Any) -> QueueRecord:
    """A queue; a paused one says who paused it."""
    queue = Queue.model_validate({"name": "gpu-queue", "resource": "stub", **fields})
    pause = {"paused": True, "paused_by": "olga", "paused_at": ago(90), "pause_reason": "new driver"} if paused else {}
    return QueueRecord(queue=queue, revision=1, created_at=AT, updated_at=AT, **pause)


def a_run(state: State = State.QUEUED, reason: Reason = Reason.ENQUEUED, **fields: Any) -> Run:
    """A run; what belongs to its spec is told apart from the rest."""
    queue = record(**fields.pop("queue", {}))
    spec = spec_of(queue, launch_of(queue)).model_copy(update=fields.pop("spec", {}))
    return Run(spec=spec, version=1, state=state, reason=reason, since=ago(120), **fields)


def an_agent(name: str = "one@host", *, is_alive: bool = True, **fields: Any) -> tuple[AgentInfo, bool]:
    return agent_info(name).model_copy(update={"seen_at": ago(2), **fields}), is_alive


def queue_facts(of: QueueRecord | None = None, *fleet: tuple[AgentInfo, bool], **fields: Any) -> QueueFacts:
    return QueueFacts(AT, "gpu-queue", fleet, of or record(), fields.pop("counts", {State.QUEUED: 1}), **fields)


def run_facts(run: Run, queue: QueueFacts | None = None, **fields: Any) -> RunFacts:
    return RunFacts(run, queue or queue_facts(None, an_agent()), **fields)


def codes(of: Explanation) -> list[str]:
    return [one.code for one in of.causes]


def find(of: Explanation, code: str) -> Explanation:
    """The first node of that code."""
    return next(one for _, one in of.walk() if one.code == code)
