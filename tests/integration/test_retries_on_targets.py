"""Retries on the targets that run real jobs: by exit code, and after a job was killed from outside.

Neither a process nor a container can tell of a preemption: no platform above them takes places back.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from broker_config.jobs import ImageSource
from broker_config.queues import Queue
from broker_config.retries import RetryPolicy
from broker_config.runs import Run, RunId
from broker_config.settings import Settings
from broker_config.states import Reason, State
from producer import Client, LocalCode, RunHandle
from tests.agents import AgentProcess, eventually
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from workers.targets.docker import DockerTarget
from workers.targets.local_process import LocalProcessTarget

AgentMaker = Callable[..., AgentProcess]

QUEUE = "real-queue"
POLICY = RetryPolicy(user=2, infra=2, retry_on=(75,), backoff_seconds=0.2)

SCRIPT = """if True:
    import os, sys, time
    attempt = int(os.environ["LAUNCHYARD_ATTEMPT"])
    print("attempt", attempt, flush=True)
    if sys.argv[attempt] == "wait":
        time.sleep(600)
    sys.exit(int(sys.argv[attempt]))
"""


class Lab:
    """A queue on one target, and jobs that end with another code in each attempt."""

    def __init__(self, target: str, settings: Settings) -> None:
        self._target = target
        self._home = settings.home
        self._client = Client(settings)
        self._handles: list[RunHandle] = []
        self._client.queues.create(Queue(name=QUEUE, resource=target, retries=POLICY))
        self._home.mkdir(exist_ok=True)
        (self._home / "launch-config.yaml").write_text("builder: {type: noop}\n")
        code = self._home / "code"
        code.mkdir()
        (code / "job.py").write_text(SCRIPT)
        self._source = LocalCode(code) if target == "local-process" else ImageSource(image=BASE_IMAGE)

    def launch(self, *codes: str) -> RunHandle:
        command = ["python", "job.py"] if self._target == "local-process" else ["python", "-c", SCRIPT]
        self._handles.append(
            self._client.launch(queue=QUEUE, source=self._source, entry_point=command, args=list(codes))
        )
        return self._handles[-1]

    def run(self, run_id: RunId) -> Run:
        return self._client.run(run_id).run

    def ended(self, handle: RunHandle) -> Run:
        eventually(lambda: self.run(handle.id).state.is_terminal, "the run has ended", 60)
        return self.run(handle.id)

    def lines(self, run: Run) -> list[str]:
        return [line.text for line in self._client.run(run.id).log_lines() if line.stream == "job"]

    def kill(self, run: Run) -> None:
        """Kill the job as somebody else on the machine does."""
        if self._target == "docker":
            engine().kill(run.object_name)
            return
        started = self._home / "processes" / run.object_name / "started.json"
        os.kill(json.loads(started.read_text())["pid"], signal.SIGKILL)

    def objects(self, run: Run) -> list[str]:
        target = DockerTarget(self._home) if self._target == "docker" else LocalProcessTarget(self._home)
        return [name for name in target.inventory() if run.id in name]

    def close(self) -> None:
        for handle in self._handles if self._target == "docker" else ():
            for attempt in range(1, self.run(handle.id).attempt + 1):
                remove_marks(f"launchyard-{handle.id}-{attempt}")
        self._client.close()


@pytest.fixture(params=["local-process", "docker"])
def lab(request: pytest.FixtureRequest, settings: Settings, agent: AgentMaker) -> Iterator[Lab]:
    if request.param == "docker":
        engine()
    lab = Lab(request.param, settings)
    agent(QUEUE).start()
    yield lab
    lab.close()


def test_a_job_is_tried_again_for_an_exit_code_that_is_worth_it_until_it_succeeds(lab: Lab) -> None:
    # When
    run = lab.ended(lab.launch("75", "75", "0"))

    # Then
    assert (run.state, run.attempt, run.retries_user) == (State.SUCCEEDED, 3, 2)
    assert lab.lines(run) == ["attempt 1", "--- attempt 2 ---", "attempt 2", "--- attempt 3 ---", "attempt 3"]
    eventually(lambda: lab.objects(run) == [], "the objects of all attempts are released")


def test_a_job_is_not_tried_again_for_another_exit_code(lab: Lab) -> None:
    # When
    run = lab.ended(lab.launch("2", "0"))

    # Then
    assert (run.state, run.reason, run.exit_code, run.attempt) == (State.FAILED, Reason.EXITED, 2, 1)


def test_a_job_that_was_killed_from_outside_is_tried_again_as_the_machines_fault(lab: Lab) -> None:
    # Given
    handle = lab.launch("wait", "0")
    eventually(lambda: lab.lines(lab.run(handle.id)) == ["attempt 1"], "the job runs", 60)
    eventually(lambda: lab.run(handle.id).state is State.RUNNING, "its record says so")

    # When
    lab.kill(lab.run(handle.id))
    run = lab.ended(handle)

    # Then
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)
    assert (run.retries_infra, run.retries_user) == (1, 0)
