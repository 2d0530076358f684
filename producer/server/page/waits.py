"""What keeps a run from starting, the most decisive first."""

from __future__ import annotations

from collections.abc import Iterator

from broker_config.runs import Run
from broker_config.states import Hold, State
from broker_config.store.agents import AgentInfo, Mode
from producer.installation import Installation


def reasons(yard: Installation, run: Run) -> list[str]:
    """Why a queued run waits, each as one sentence; there is always one."""
    if run.state is not State.QUEUED:
        return []
    return [*_reasons(yard, run)] or ["An agent has room and takes it as soon as the runs before it are taken."]


def _reasons(yard: Installation, run: Run) -> Iterator[str]:
    record = yard.queues.get(run.spec.queue.full_name)
    if record.paused:
        why = f": {record.pause_reason}" if record.pause_reason else ""
        yield f"Queue {record.name} is paused{why}. It goes on when somebody resumes the queue."
    if run.hold is Hold.RUNS:
        yield f"It starts after {len(run.spec.after)} other runs have succeeded: {', '.join(run.spec.after)}."
    if run.hold is Hold.TIME and run.not_before:
        yield f"It does not start before {run.not_before:%Y-%m-%d %H:%M:%S} UTC."
    counts = yard.queues.counts(record.name)
    taken, most = sum(counts[state] for state in State if state.is_live), record.queue.max_running
    if most and taken >= most:
        yield f"All {most} slots of queue {record.name} are taken; the next one that ends makes room."
    if run.hold is Hold.SLOT:
        limit = record.queue.max_running_per_author
        yield f"{run.spec.author} has as many live runs on queue {record.name} as one author may have: {limit}."
    yield from _of_agents(yard, record.name)


def _of_agents(yard: Installation, queue: str) -> Iterator[str]:
    serving = [(info, is_alive) for info, is_alive in yard.agents.list() if queue in info.queues]
    alive = [info for info, is_alive in serving if is_alive]
    taking = [info for info in alive if info.wish.mode is Mode.SERVING]
    if not alive:
        gone = f" {serving[0][0].name} did, and is gone." if serving else ""
        yield f"No agent serves queue {queue}.{gone} Start one with: launchyard agent -q {queue}"
    elif not taking:
        yield f"{_all(alive)} of queue {queue} {'is' if len(alive) == 1 else 'are'} {alive[0].wish.mode}."
    elif all(0 <= info.max_jobs <= info.live for info in taking):
        room = sum(info.max_jobs for info in taking)
        yield f"{_all(taking)} of queue {queue} {'is' if len(taking) == 1 else 'are'} full: {room} of {room} jobs."


def _all(agents: list[AgentInfo]) -> str:
    return f"Agent {agents[0].name}" if len(agents) == 1 else f"All {len(agents)} agents"
