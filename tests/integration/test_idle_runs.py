"""Runs that live and do nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from broker_config.connection import connect
from broker_config.queues import QueueRecord
from broker_config.settings import Settings
from broker_config.states import State
from tests.agents import AgentProcess
from tests.integration.conftest import Runs
from workers.agent import RECONCILE_SECONDS

AgentMaker = Callable[..., AgentProcess]

IDLE = 100
READS = 50
"""In that time, of all that is not a run: what is wished of agents, and of queues."""


def test_the_records_of_idle_runs_are_not_read_again_and_again(
    settings: Settings, queue: QueueRecord, runs: Runs, agent: AgentMaker
) -> None:
    broker = connect(settings)

    def reads() -> int:
        return int(broker.info("commandstats")["cmdstat_hgetall"]["calls"])

    # Given
    agent("gpu-queue").start()
    runs.wait(runs.enqueue(queue, IDLE, seconds=600), State.RUNNING)
    time.sleep(1)
    before = reads()

    # When the agent has looked for what else it should carry on
    time.sleep(RECONCILE_SECONDS + 2)

    # Then
    made = reads() - before
    broker.close()
    assert made < READS
