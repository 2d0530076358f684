"""The tree of reasons: stable codes, and sentences with numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from broker_config.frozen import Frozen


class Code(StrEnum):
    """What is said by a node of the tree, where it is no reason of a run's own (`broker_config.states.Reason`)."""

    RUN_QUEUED = "run-queued"
    RUN_CLAIMED = "run-claimed"
    RUN_BUILDING = "run-building"
    RUN_SUBMITTING = "run-submitting"
    RUN_STARTING = "run-starting"
    RUN_RUNNING = "run-running"
    RUN_SUCCEEDED = "run-succeeded"
    RUN_FAILED = "run-failed"
    RUN_CANCELLED = "run-cancelled"
    RUN_PREEMPTED = "run-preempted"

    QUEUE_IDLE = "queue-idle"
    QUEUE_MOVES = "queue-moves"
    QUEUE_WAITS = "queue-waits"
    QUEUE_GONE = "queue-gone"
    QUEUE_PAUSED = "queue-paused"
    QUEUE_DRAINING = "queue-draining"
    QUEUE_LIMIT = "queue-limit"
    SLOT_HOLDER = "slot-holder"
    IN_LINE = "in-line"

    NO_AGENT = "no-agent"
    NO_AGENT_FOR_QUEUE = "no-agent-for-queue"
    AGENTS_AWAY = "agents-away"
    AGENTS_FULL = "agents-full"
    AGENT_SERVES = "agent-serves"
    AGENT_FULL = "agent-full"
    AGENT_PAUSED = "agent-paused"
    AGENT_DRAINING = "agent-draining"
    AGENT_SILENT = "agent-silent"
    AGENT_STOPPED = "agent-stopped"
    AGENT_DEAF = "agent-deaf"
    AGENT_STUCK = "agent-stuck"
    AGENT_VERSION = "agent-version"
    AGENT_QUEUES_CLOSED = "agent-queues-closed"
    TAKEN_SOON = "taken-soon"

    HELD_UNTIL = "held-until"
    HELD_FOR_RUNS = "held-for-runs"
    HELD_FOR_SLOT = "held-for-slot"
    HOLD_IS_OVER = "hold-is-over"
    RETRY_LATER = "retry-later"
    DEPENDENCY = "dependency"

    CANCEL_WISH = "cancel-wish"
    BUILD_PROGRESS = "build-progress"
    BUILD_AWAITED = "build-awaited"
    TIME_LIMIT = "time-limit"
    EXIT_CODE = "exit-code"
    EARLIER_ATTEMPT = "earlier-attempt"
    LAST_LINES = "last-lines"


class Explanation(Frozen):
    """One thing that holds, and why it does."""

    code: str  # a `Code`, or the value of a `Reason`
    text: str
    since: datetime | None = None
    next_action: str = ""  # what helps; empty: nothing has to be done
    command: str = ""  # that does it, or shows more
    lines: tuple[str, ...] = ()  # of a log
    causes: tuple[Explanation, ...] = ()  # the most decisive first

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Explanation]]:
        """This and all below it, each with its depth, as they are read."""
        yield depth, self
        for cause in self.causes:
            yield from cause.walk(depth + 1)
