"""A target with jobs in it, as the tests of the suite use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker_config.runs import new_run_id
from workers.targets.contract.case import Behaviour, Case
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import LogChunk, Observation, Target, Workload

LONG = 120.0
"""Seconds that a job stays which no test waits for."""


@dataclass
class Lab:
    """What is left of the jobs is removed at the end of the test."""

    case: Case
    home: Path
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target = self.case.make(self.home)

    def another_agent(self) -> Target:
        """The same target as a second agent of this machine sees it."""
        return self.case.make(self.home)

    def workload(self, behaviour: Behaviour, name: str | None = None) -> Workload:
        return self.case.workload(self.home, name or self.new_name(), behaviour)

    def submit(self, behaviour: Behaviour) -> str:
        request = self.target.render(self.workload(behaviour))
        self.target.submit(request)
        return request.name

    def new_name(self) -> str:
        name = f"launchyard-{new_run_id()}-1"
        self.names.append(name)
        return name

    def observe(self, name: str) -> Observation | None:
        return self.target.observe([name]).get(name)

    def end_of(self, name: str) -> Observation:
        """How it ended, waited for."""

        def ended() -> Observation | None:
            observed = self.observe(name)
            assert observed is not None, f"{name} is gone"
            return observed if observed.phase.is_end else None

        observed = eventually(ended)
        assert observed is not None
        return observed

    def lines(self, name: str, target: Target | None = None, position: str = "") -> list[str]:
        """All lines from a position on."""
        reader = target or self.target
        lines: list[str] = []
        chunk = LogChunk(position=position, more=True)
        while chunk.more:
            chunk = reader.read_logs(name, chunk.position)
            lines += chunk.lines
        return lines

    def close(self) -> None:
        for name in self.names:
            if self.observe(name) is not None:
                self.target.cancel(name, 0.0)
                self.end_of(name)
                self.target.release(name)
            self.case.clean(name)


@contextmanager
def watching(target: Target, changed: Callable[[str | None], None]) -> Iterator[None]:
    """As an agent does, as long as it serves the target."""
    stop = threading.Event()
    thread = threading.Thread(target=target.watch, args=(changed, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10.0)
        assert not thread.is_alive(), "watch went on after it was told to stop"
