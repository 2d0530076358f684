"""Runs of agents that are gone: taken over by another agent that can follow them.

An agent is gone when its lease has ended, by itself or because the agent gave it back. What it had not submitted goes
back to its queue. What it had submitted is adopted, by an agent that serves the queue, has a place for it, and reaches
the object: one on the machine, where the target is local to it. What no agent may adopt is shown as out of contact; a
silent agent is no proof of a dead job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from broker_config.runs import Run
from broker_config.states import Reason
from broker_config.store.agents import AgentInfo, AgentStore
from broker_config.store.runs import RunStore
from workers.record import Recorder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """What this agent may follow."""

    agent: str  # its own name: what it holds itself is no orphan, even when its lease ran out with the broker away
    queues: frozenset[str]
    site: str  # names the machine and the home folder
    is_local: Callable[[str], bool]  # whether a resource's objects live on the agent's machine


class Takeover:
    """Looks for runs that nobody follows."""

    def __init__(self, runs: RunStore, agents: AgentStore, recorder: Recorder, reach: Reach) -> None:
        self._runs = runs
        self._agents = agents
        self._recorder = recorder
        self._reach = reach

    def orphans(self, run_ids: Iterable[str] | None = None) -> list[Run]:
        """Runs of gone agents that this agent may adopt; of all, or of those given.

        On the way, runs that were not submitted are given back, and those out of reach are marked.
        """
        listed = self._agents.list()
        gone = {info.name: info for info, is_alive in listed if not is_alive and info.name != self._reach.agent}
        if run_ids is None:
            found = [run for name in gone for run in self._runs.held_by(name)]
        else:
            found = [run for run in self._runs.get_many(list(run_ids)) if run.agent in gone]
        mine = [run for run in found if run.state.is_live and run.spec.queue.full_name in self._reach.queues]
        return [run for run in mine if self._is_to_be_adopted(run, gone[run.agent])]

    def _is_to_be_adopted(self, run: Run, holder: AgentInfo) -> bool:
        if not run.submission:
            logger.info("run-given-back run=%s holder=%s", run.id, holder.name)
            self._recorder.reclaim(run, f"Agent {holder.name} is gone, and had not submitted the run.")
            return False
        if holder.site == self._reach.site or not self._reach.is_local(run.spec.queue.resource):
            return True
        self._recorder.mark(
            run,
            Reason.CONTACT_LOST,
            f"Agent {holder.name} on {holder.host} is silent since {holder.seen_at:%Y-%m-%d %H:%M:%S} UTC, and the job "
            "is on its machine; start an agent there that serves the queue.",
        )
        return False
