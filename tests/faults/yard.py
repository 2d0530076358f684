"""An installation to strike: a broker behind a proxy, agents with a fuse, and one job."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from celery.result import AsyncResult

from broker_config.celery_app import create_app
from broker_config.embedded import EmbeddedBroker
from broker_config.runs import Run, RunId
from broker_config.settings import Settings
from broker_config.states import State
from broker_config.store import Store
from producer import Client
from tests.agents import AgentProcess, eventually
from tests.faults.fuse import Effect, Fuse
from tests.faults.history import ends, most_at_once
from tests.faults.jobs import LINES, QUEUE, Jobs
from tests.faults.proxy import SocketProxy
from tests.faults.steps import Step

LEASE_SECONDS = 3.0
MAX_JOBS = 1
SIGNING_KEYS = f"k1:{'A' * 43}="
END_SECONDS = 60.0
RELEASED_SECONDS = 60.0
"""Until nothing is left of an ended run at its target, whose API server may be away for the release too."""


class FusedAgent(AgentProcess):
    """An agent that can be struck."""

    app = "tests.faults.killer"


class SweepingAgent(FusedAgent):
    """One that also looks all the time for what is left at the target."""

    app = "tests.faults.sweeping"


class Yard:
    """Made once for many tests, as each of them leaves it as it was; a test that fails has it thrown away."""

    def __init__(self, target: str, agents: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ly-"))
        self.broker = EmbeddedBroker(self.home)
        self.broker.ensure_running()
        self.proxy = SocketProxy(self.home / "proxy.sock", self.broker.socket)
        # With processes as jobs, runs have to be signed as well: no step loses a signature.
        keys = SIGNING_KEYS if target == "local-process" else None
        mine = Settings(home=self.home, broker_url=self.broker.url, author="tester", signing_keys=keys)
        self.client = Client(mine)
        self.store = Store(mine)
        self.fuse = Fuse(self.home)
        self.fuse.target = target
        self.jobs = Jobs(target, self.home)
        self._is_prepared = False
        builder = f"builder: {{type: {self.jobs.builder}}}\n"
        (self.home / "launch-config.yaml").write_text(f"lease_seconds: {LEASE_SECONDS}\n{builder}")
        through = mine.model_copy(update={"broker_url": f"redis+socket://{self.home / 'proxy.sock'}"})
        self.agents = [
            SweepingAgent(through, QUEUE, max_jobs=MAX_JOBS, name=f"agent{number}@test") for number in range(agents)
        ]

    def prepare(self) -> None:
        """Make the queue, and start the agents that do not run."""
        if not self._is_prepared:
            self.jobs.prepare(self.client)
            self._is_prepared = True
        for agent in self.agents:
            if not agent.is_alive:
                agent.start()

    def launch(self, step: Step, effect: Effect, **overrides: Any) -> RunId:
        """One run, for which an agent meets the fault at this step."""
        if step is not Step.RUNS:
            self.fuse.arm(step, effect)
        return self.jobs.launch(self.client, **overrides)

    def wait_until_it_runs(self, run_id: RunId, seconds: float = END_SECONDS) -> Run:
        """The run, once it is RUNNING and has printed something."""
        runs, logs = self.store.runs, self.store.logs
        eventually(lambda: runs.get(run_id).state is State.RUNNING and bool(logs.read(run_id)), "the job runs", seconds)
        return runs.get(run_id)

    def wait_until_it_ended(self, run_id: RunId, seconds: float = END_SECONDS) -> Run:
        """The run, once it has ended."""
        runs = self.store.runs
        eventually(lambda: runs.get(run_id).state.is_terminal, f"run {run_id} has ended", seconds)
        return runs.get(run_id)

    def check(self, run: Run) -> None:
        """One job, one end, told the same way everywhere, with the whole log, and nothing left at the target."""
        events = [event for _, event in self.store.runs.events(run.id)]
        lines = [line for batch in self.store.logs.read(run.id) if batch.stream == "job" for line in batch.lines]
        result = AsyncResult(run.id, app=create_app(self.client.settings))
        assert (run.state, run.exit_code, run.attempt) == (State.SUCCEEDED, 0, 1), run.text
        begun = self.jobs.times_begun(run)
        assert begun == 1, f"the job began {begun} times"
        assert ends(events) == 1, events
        # Whole, and in the order in which they came: pytest shows no values of what is compared outside of its tests.
        assert tuple(lines) == LINES, f"the log has {lines}"
        told = result.status, result.get(timeout=5)["run"]
        assert told == ("SUCCESS", run.id), f"Celery says {told}"
        assert most_at_once(events) <= MAX_JOBS, events
        eventually(lambda: not self.jobs.is_left(run), "the object is released", RELEASED_SECONDS)
        self.check_places()

    def check_places(self) -> None:
        """No agent holds a run."""
        eventually(self._all_places_are_free, "no agent holds a run")

    def _all_places_are_free(self) -> bool:
        alive = {agent.name for agent in self.agents if agent.is_alive}
        return all(info.live == 0 for info, _ in self.store.agents.list() if info.name in alive)

    def close(self) -> None:
        """End what was started, and remove what is left."""
        for agent in self.agents:
            agent.kill()
        self.client.close()
        self.store.close()
        self.proxy.close()
        self.broker.stop()
        self.jobs.remove()
        shutil.rmtree(self.home, ignore_errors=True)
