"""Many live runs that do nothing, on the stub target: what a whole agent takes for them, seen from outside."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.yard import QUEUE, launch_fields, until, worker
from broker_config.connection import connect
from broker_config.states import State
from producer import Client

WARM_UP = 100
"""Runs that are there before, and bear what an agent takes but once."""

JOB_SECONDS = 86_400
START_SECONDS = 3600.0
SETTLE_SECONDS = 60.0
"""Twice as long as between two looks at all runs: after one that brings no news an agent keeps less of a run."""

QUIET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """Of one agent that holds so many live runs."""

    kib_per_run: float
    broker_calls_per_minute: float
    cpu_percent: float  # of one core


def held(client: Client, runs: int) -> Held:
    """Start so many runs that do nothing, and look at their agent for a while."""
    broker = connect(client.settings)
    with worker(client, "workers", "-Q", QUEUE, "--max-jobs", "-1", "-n", "agent@bench") as process:
        _start(client, WARM_UP)
        time.sleep(SETTLE_SECONDS)
        before = _resident(process)
        _start(client, runs)
        time.sleep(SETTLE_SECONDS)
        calls, cpu = _calls(broker.info("stats")), _cpu_seconds(process)
        time.sleep(QUIET_SECONDS)
        calls, cpu = _calls(broker.info("stats")) - calls, _cpu_seconds(process) - cpu
        kib = (_resident(process) - before) / 1024 / runs
    return Held(kib, calls * 60 / QUIET_SECONDS, 100 * cpu / QUIET_SECONDS)


def _start(client: Client, runs: int) -> None:
    """Have so many runs more, and wait until all run."""
    known = client.queues.counts(QUEUE)[State.RUNNING]
    client.enqueue_many([{**launch_fields(), "overrides": {"seconds": JOB_SECONDS}}] * runs)
    until(lambda: client.queues.counts(QUEUE)[State.RUNNING] == known + runs, START_SECONDS)


def _calls(stats: dict[str, int]) -> int:
    """Commands that the broker has carried out, those of its scripts with them."""
    return stats["total_commands_processed"]


def _cpu_seconds(process: int) -> float:
    after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
