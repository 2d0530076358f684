"""The output of running jobs, into the runs' logs; and, after the last line, on to the finish.

A run's end is recorded only when its log is whole, so who follows a log misses nothing.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from broker_config.errors import BrokerFull, LaunchyardError
from broker_config.runs import Run, RunId
from broker_config.states import State
from broker_config.store.logs import LogStore
from workers.targets.protocol import LogChunk, Observation, Target

logger = logging.getLogger(__name__)

SHORTEST_PERIOD_SECONDS = 0.2
"""Between two reads of a log that grows."""

GROWTH = 1.5
"""A quiet log is read less and less often: a line comes no later than half as long as it was quiet before."""

REQUESTS_PER_SECOND = 50
"""To the platform for all logs together. Those of jobs that have ended are read at once, whatever that leaves."""

CHUNKS_OF_A_TURN = 8
"""Of one log; then come the others that are due."""

RETRY_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
"""A target that gives no log is asked less and less often."""

LAST_READ_ATTEMPTS = 7
"""Of the rest of an ended job's log: one and a half minutes, in which most outages of a target are over."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the logs of jobs that print nothing are read."""

    longest_seconds: float  # one of few
    per_second: float  # all together, however many there are

    def period(self, logs: int) -> float:
        """Seconds between two reads of one of so many, at last."""
        return max(self.longest_seconds, logs / self.per_second)


HERE = Pace(longest_seconds=2.0, per_second=50)
"""On the agent's machine a read costs little."""

REMOTE = Pace(longest_seconds=60.0, per_second=10)
"""Of a platform that others use too. There, news of the job has its log read soon."""


@dataclass(slots=True)
class _Place:
    position: str


@dataclass(order=True, slots=True)
class _Tail:
    due: float
    # No more of the run than this: there are thousands.
    run_id: RunId = field(compare=False)
    submission: str = field(compare=False)
    place: _Place = field(compare=False)
    period: float = field(compare=False, default=SHORTEST_PERIOD_SECONDS)
    end: tuple[Run, Observation] | None = field(compare=False, default=None)
    failures: int = field(compare=False, default=0)


class Collector:
    """One thread that reads the logs of all runs of one target."""

    def __init__(self, target: Target, logs: LogStore, finish: Callable[[Run, Observation], None]) -> None:
        self._target = target
        self._logs = logs
        self._finish = finish
        self._pace = HERE if target.is_local else REMOTE
        self._free_at = float("-inf")  # when the next log may be read
        self._tails: dict[str, _Tail] = {}
        self._schedule: list[_Tail] = []
        self._condition = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="collect", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def attach(self, run: Run) -> None:
        """Read this run's log until `finish` or `drop`, from where the stored log ends."""
        # What was submitted a moment ago by this session has no stored log yet.
        position = "" if run.state is State.SUBMITTING else self._logs.position(run.id)
        tail = _Tail(time.monotonic() + SHORTEST_PERIOD_SECONDS, run.id, run.submission, _Place(position))
        with self._condition:
            self._tails[run.id] = tail
            heapq.heappush(self._schedule, tail)
            self._condition.notify()

    def wake(self, run_id: RunId) -> None:
        """Read this run's log soon: something has happened to its job."""
        soon = time.monotonic() + SHORTEST_PERIOD_SECONDS
        with self._condition:
            held = self._tails.get(run_id)
            # One that cannot be read keeps its pause: while a target is away there is much news of no worth.
            if held is not None and held.end is None and not held.failures:
                tail = _Tail(min(held.due, soon), run_id, held.submission, held.place)
                self._tails[run_id] = tail
                heapq.heappush(self._schedule, tail)
                self._condition.notify()

    def finish(self, run: Run, end: Observation) -> None:
        """The job has ended: read the rest of its log, then finish the run."""
        with self._condition:
            held = self._tails.get(run.id)
            # The same place, not a copy: the thread may be storing the lines that it has just read from there.
            place = held.place if held else _Place("")
            self._tails[run.id] = tail = _Tail(0.0, run.id, run.submission, place, end=(run, end))
            heapq.heappush(self._schedule, tail)
            self._condition.notify()

    def drop(self, run: Run) -> None:
        """Read no more of this run's log."""
        with self._condition:
            self._tails.pop(run.id, None)

    def stop(self) -> None:
        """End the thread; what was not read is read by the next session."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while (tail := self._next()) is not None:
            try:
                self._read(tail)
            except BrokerFull as error:
                logger.warning("log-retry run=%s: %s", tail.run_id, error)
                self._again(tail, RETRY_SECONDS)
            except LaunchyardError as error:
                logger.warning("log-retry run=%s: %s", tail.run_id, error)
                self._again(tail, self._pause(tail))
            except Exception:
                logger.exception("log-fault run=%s", tail.run_id)
                self._again(tail, RETRY_SECONDS)

    def _next(self) -> _Tail | None:
        with self._condition:
            while not self._stopped:
                wait = self._wait(self._schedule[0]) if self._schedule else None
                if wait is not None and wait <= 0:
                    tail = heapq.heappop(self._schedule)
                    # `finish` and `drop` leave the earlier entry in the schedule.
                    if self._tails.get(tail.run_id) is tail:
                        return tail
                else:
                    self._condition.wait(wait)
        return None

    def _wait(self, tail: _Tail) -> float:
        due = tail.due if tail.end is not None else max(tail.due, self._free_at)
        return due - time.monotonic()

    def _read(self, tail: _Tail) -> None:
        for _ in range(CHUNKS_OF_A_TURN):
            chunk = self._next_chunk(tail)
            if chunk.lines and not self._store(tail, chunk):
                break
            # Where the log was at another place than this thread believed, what follows that place is still to be read.
            if not chunk.more and (not chunk.lines or tail.place.position == chunk.position):
                break
        else:
            self._again(tail, 0)
            return
        if tail.end is not None:
            self._end(tail, *tail.end)
            return
        tail.failures = 0
        tail.period = SHORTEST_PERIOD_SECONDS if chunk.lines else min(tail.period * GROWTH, self._longest())
        self._again(tail, tail.period)

    def _pause(self, tail: _Tail) -> float:
        """How long a log that could not be read is left alone: no less than one that has nothing new."""
        doublings = min(max(tail.failures - 1, 0), 10)
        pause = min(RETRY_SECONDS * 2.0**doublings, LONGEST_PAUSE_SECONDS)
        return pause if tail.end is not None else max(pause, self._longest())

    def _longest(self) -> float:
        return self._pace.period(len(self._tails))

    def _store(self, tail: _Tail, chunk: LogChunk) -> bool:
        """Whether the lines are in the run's log, where there is room for them."""
        try:
            tail.place.position = self._logs.append_from(
                tail.place.position, tail.run_id, list(chunk.lines), chunk.position
            )
        except BrokerFull as error:
            tail.failures += 1
            if tail.end is None or tail.failures < LAST_READ_ATTEMPTS:
                raise
            logger.warning("log-dropped run=%s: %s", tail.run_id, error)
            return False
        return True

    def _next_chunk(self, tail: _Tail) -> LogChunk:
        began, requests = time.monotonic(), 1
        try:
            chunk = self._target.read_logs(tail.submission, tail.place.position)
            requests = chunk.requests
            return chunk
        except LaunchyardError as error:
            tail.failures += 1
            if tail.end is None or tail.failures < LAST_READ_ATTEMPTS:
                raise
            # The run's end is worth more than the end of its log.
            return LogChunk((f"--- launchyard: the rest of the log cannot be read: {error} ---",), tail.place.position)
        finally:
            self._free_at = max(began, self._free_at) + requests / REQUESTS_PER_SECOND

    def _end(self, tail: _Tail, run: Run, end: Observation) -> None:
        self._finish(run, end)
        with self._condition:
            # The run's next attempt may be read already.
            if self._tails.get(tail.run_id) is tail:
                del self._tails[tail.run_id]

    def _again(self, tail: _Tail, seconds: float) -> None:
        with self._condition:
            tail.due = time.monotonic() + seconds
            if self._tails.get(tail.run_id) is tail:
                heapq.heappush(self._schedule, tail)
