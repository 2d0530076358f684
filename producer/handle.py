"""A handle on a run: what a producer holds after a launch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from broker_config.errors import BrokerUnavailable, RunUnsuccessful, WaitTimeout
from broker_config.explaining.explanation import Explanation
from broker_config.priorities import Priority, parse_priority
from broker_config.runs import Event, Run, RunId
from broker_config.states import State
from broker_config.store.feed import Place
from broker_config.store.logs import LogEntry
from producer.installation import Installation
from producer.patience import ask_patiently

BLOCK_SECONDS = 15.0
"""How long one read waits for news: less than the time after which a silent connection counts as lost."""


class LogLine(NamedTuple):
    """One line that a build or a job printed."""

    stream: str  # "job" or "build"
    text: str


class RunHandle:
    """One run, by its id.

    `state`, `succeeded` and `exit_code` ask the broker until the run has ended, and then need not ask any more. `run`
    is the record as it was last read.
    """

    def __init__(self, installation: Installation, run_id: RunId, run: Run | None = None) -> None:
        self._runs = installation.runs
        self._explanations = installation.explanations
        self._run = run
        self.id = run_id

    def __repr__(self) -> str:
        return f"<RunHandle {self.id}{f' {self._run.state}' if self._run else ''}>"

    @property
    def run(self) -> Run:
        """The record as it was last read.

        Raises:
            NotFound: when it was never read, and has expired.
        """
        return self._run or self.refresh().run

    @property
    def name(self) -> str:
        return self.run.spec.name

    @property
    def state(self) -> State:
        return self._fresh().state

    @property
    def succeeded(self) -> bool:
        return self._fresh().state is State.SUCCEEDED

    @property
    def exit_code(self) -> int | None:
        """The job's own exit code; None while it has none, and for ever when it never ran."""
        return self._fresh().exit_code

    def refresh(self) -> RunHandle:
        """Read the record again.

        Raises:
            NotFound: when it has expired.
        """
        self._run = self._runs.get(self.id)
        return self

    def _fresh(self) -> Run:
        run = self._run
        return run if run and run.state.is_terminal else self.refresh().run

    def wait(self, timeout: float | None = None, *, raise_on_failure: bool = False) -> RunHandle:
        """Block until the run has ended; a broker that restarts meanwhile is waited for.

        `timeout` is in seconds; None waits as long as it takes.

        Raises:
            WaitTimeout: when the run has not ended in time. It goes on.
            RunUnsuccessful: when asked to raise, and the run did not succeed.
            BrokerUnavailable: when the broker is gone for longer than a restart takes.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        try:
            run = self._wait_for_end(deadline)
        except BrokerUnavailable as error:
            if time.monotonic() < deadline:
                raise
            raise WaitTimeout(f"the end of run {self.id} was not seen within {timeout} s: {error}") from error
        if not run.state.is_terminal:
            raise WaitTimeout(f"run {self.id} is {run.state} after {timeout} s of waiting; it goes on")
        if raise_on_failure and run.state is not State.SUCCEEDED:
            exit_code = "" if run.exit_code is None else f" with exit code {run.exit_code}"
            raise RunUnsuccessful(f"run {run.id} {run.state}{exit_code} ({run.reason}): {run.text}")
        return self

    def _wait_for_end(self, deadline: float) -> Run:
        position = "0-0"
        run = ask_patiently(self._fresh, deadline)
        while not run.state.is_terminal and (left := deadline - time.monotonic()) > 0:
            read = partial(self._runs.events, self.id, position, min(left, BLOCK_SECONDS))
            events = ask_patiently(read, deadline)
            position = events[-1][0] if events else position
            # A read without news looks at the record all the same: its events may have expired.
            if not events or events[-1][1].new.is_terminal:
                run = ask_patiently(self._fresh, deadline)
        return run

    def events(self) -> list[Event]:
        """What has happened to the run so far, oldest first."""
        return [event for _, event in self._runs.events(self.id)]

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """The lines that build and job printed so far; with `follow` all until the run has ended."""
        if follow:
            for item in self.follow():
                if isinstance(item, LogLine):
                    yield item.text
            return
        for line in self.log_lines():
            yield line.text

    def log_lines(self) -> Iterator[LogLine]:
        """The lines so far, each with the stream that it is from."""
        position, lines = "0-0", _Lines()
        while entries := self._runs.log(self.id, position):
            position = entries[-1].id
            for entry in entries:
                yield from lines.of(entry)

    def follow(self) -> Iterator[Event | LogLine]:
        """What happens and what is printed, from the beginning, as it comes; ends after the event of the run's end.

        Raises:
            NotFound: when there is no such run.
            BrokerUnavailable: when the broker is gone for longer than a restart takes.
        """
        ask_patiently(self.refresh, math.inf)
        place, end, lines = Place(), None, _Lines()
        while True:
            # Lines are written before the end is; what a full page left over is read before the end is told.
            read = partial(self._runs.feed, self.id, place, None if end else BLOCK_SECONDS)
            items, place = ask_patiently(read, math.inf)
            for item in items:
                if isinstance(item, LogEntry):
                    yield from lines.of(item)
                elif item.new.is_terminal:
                    end = item
                else:
                    yield item
            if not items and (end or ask_patiently(self._fresh, math.inf).state.is_terminal):
                break
        ask_patiently(self.refresh, math.inf)
        if end:
            yield end

    def explain(self) -> Explanation:
        """Why the run is where it is, as a tree of reasons with what helps.

        Raises:
            NotFound: when its record has expired.
        """
        return self._explanations.run(self.id)

    def cancel(self) -> RunHandle:
        """Ask for the end of the run: at once when it is queued, else as soon as its target has ended it."""
        self._run = self._runs.cancel(self.id)
        return self

    def set_priority(self, priority: str | int | Priority) -> RunHandle:
        """Have the run leave its queue as if it had been launched with that priority.

        Raises:
            InvalidRequest: when there is no such priority, or the queue has no prioritization.
            Conflict: when it is not queued any more.
        """
        self._run = self._runs.set_priority(self.id, parse_priority(priority))
        return self


class _Lines:
    """The lines of a log in order, with a word where some of them are not kept any more."""

    def __init__(self) -> None:
        self._told = 0  # of the job

    def of(self, entry: LogEntry) -> Iterator[LogLine]:
        """Those of the next batch."""
        if entry.stream == "job":
            if (missing := entry.before - self._told) > 0:
                yield LogLine(entry.stream, f"--- launchyard: {missing} lines are not kept any more ---")
            self._told = max(entry.before, self._told) + len(entry.lines)
        yield from (LogLine(entry.stream, line) for line in entry.lines)
