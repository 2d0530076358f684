"""Runs as objects of an operator's kind, from their launch to their end, with a whole agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker_config.jobs import ImageSource
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import FailureClass, Reason, State
from producer import Client
from tests.agents import AgentProcess, eventually
from tests.cluster import cluster, namespace, registry
from tests.operators.operators import PYTORCH_JOBS, Kueue, TrainingOperator, install, operating

POD = {"terminationGracePeriodSeconds": 0, "containers": [{}]}
REPLICA = {"replicas": 1, "template": {"spec": POD}}


class Lab:
    """A queue of PyTorchJobs that Kueue admits."""

    def __init__(self, client: Client, space: str) -> None:
        self.client = client
        self.space = space
        config: dict[str, Any] = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "namespace": space,
            "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "research"}},
            "spec": {
                "runPolicy": {"cleanPodPolicy": "Running"},
                "pytorchReplicaSpecs": {"Master": REPLICA, "Worker": REPLICA},
            },
        }
        client.queues.create(Queue(name="gang", resource="kubernetes", config=config))

    def launch(self, script: str) -> str:
        source = ImageSource(image=f"{registry()}/library/python:3.11-slim")
        return self.client.launch(queue="gang", source=source, entry_point=["sh", "-c", script]).id

    def kueue(self, run_id: str) -> Kueue:
        """Of a run's object, once it is there."""
        path = PYTORCH_JOBS.path(self.space, f"launchyard-{run_id}-1")
        eventually(lambda: cluster().find(path) is not None, "the object is made")
        return Kueue(PYTORCH_JOBS, self.space, cluster().get(path), "spec.runPolicy.suspend")

    def run_with(self, run_id: str, state: State, reason: Reason) -> Run:
        """The run, once it is there for that reason."""

        def look() -> bool:
            run = self.client.run(run_id).run
            assert run.state is state or not run.state.is_terminal, run.text
            return (run.state, run.reason) == (state, reason)

        eventually(look, f"{state} for {reason}", 60)
        return self.client.run(run_id).run


@pytest.fixture
def lab(settings: Settings, agent: Callable[..., AgentProcess]) -> Iterator[Lab]:
    for name in ("pytorch_job", "workload"):
        install(name)
    with namespace() as space, operating(TrainingOperator(), space), Client(settings) as client:
        made = Lab(client, space)
        agent("gang").start()
        yield made


def test_a_run_that_kueue_takes_back_has_not_ended_and_ends_by_the_worker_that_fails(lab: Lab) -> None:
    # Given
    run_id = lab.launch('case "$HOSTNAME" in *worker*) echo on; sleep 8; exit 3;; *) sleep 100;; esac')
    kueue = lab.kueue(run_id)
    # When, then
    lab.run_with(run_id, State.STARTING, Reason.NOT_ADMITTED)
    kueue.admit()
    lab.run_with(run_id, State.RUNNING, Reason.RUNNING)
    # When, then
    kueue.preempt("Preempted to accommodate a workload", "no room")
    lab.run_with(run_id, State.RUNNING, Reason.NOT_ADMITTED)
    kueue.admit()
    lab.run_with(run_id, State.RUNNING, Reason.RUNNING)
    # Then
    run = lab.run_with(run_id, State.FAILED, Reason.EXITED)
    assert (run.exit_code, run.failure, run.attempt) == (3, FailureClass.USER, 1)
    lines = [line.text for line in lab.client.run(run_id).log_lines() if line.stream == "job"]
    assert len(lines) == 2
    assert all(line.endswith("-worker-0 pytorch] on") for line in lines)
