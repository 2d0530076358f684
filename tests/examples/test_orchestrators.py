"""The snippets for orchestrators: whatever is tried again, there is one run.

Airflow and Prefect are used where they are installed; elsewhere `stand_ins` holds the little that the snippets use.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from broker_config.errors import BrokerUnavailable, RunUnsuccessful
from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.store import Store
from producer import RunHandle
from tests.agents import eventually
from tests.producer.conftest import HandAgent

ROOT = Path(__file__).parents[2]
SNIPPETS = ROOT / "examples" / "orchestrators"
Load = Callable[[str, str], ModuleType]


@pytest.fixture
def load(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports a snippet, with a queue on the broker that the environment names."""
    store.queues.create(Queue(name="gpu-queue", resource="stub"))
    store.queues.create(Queue(name="gpu", entity="vision", resource="stub"))
    for name, value in environment_for(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(SNIPPETS)
    before = set(sys.modules)

    def module(name: str, needs: str) -> ModuleType:
        if find_spec(needs) is None:
            monkeypatch.syspath_prepend(Path(__file__).parent / "stand_ins")
        return importlib.import_module(name)

    yield module
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def lost_waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first wait breaks off, as in a worker that lost the broker; the ids of all runs that were waited for."""
    waited: list[str] = []
    wait = RunHandle.wait

    def breaks_once(run: RunHandle, timeout: float | None = None, *, raise_on_failure: bool = False) -> RunHandle:
        waited.append(run.id)
        if len(waited) == 1:
            raise BrokerUnavailable("the broker does not answer")
        return wait(run, timeout, raise_on_failure=raise_on_failure)

    monkeypatch.setattr(RunHandle, "wait", breaks_once)
    return waited


def end_the_next_run(store: Store, exit_code: int = 0, queue: str = "gpu-queue") -> threading.Thread:
    """An agent carries one run out while the snippet waits."""

    def carry_out() -> None:
        eventually(lambda: bool(store.runs.waiting(queue, 1)), "a run is enqueued")
        agent = HandAgent(store)
        (run_id,) = store.runs.waiting(queue, 1)
        agent.finish(agent.start(run_id), exit_code)

    thread = threading.Thread(target=carry_out)
    thread.start()
    return thread


def ids(store: Store) -> list[str]:
    return [run.id for run in store.runs.newest()]


def test_a_task_of_airflow_that_is_tried_again_waits_for_the_run_of_the_first_try(
    load: Load, store: Store, lost_waits: list[str]
) -> None:
    # Given the snippet's operator, its templates rendered as Airflow does
    module = load("airflow_dag", "airflow")
    operator = module.LaunchyardOperator(
        task_id="train",
        launch={"queue": "gpu-queue", "source": "python:3.11-slim"},
        idempotency_key="airflow/nightly/run-1/train/-1",
    )
    assert {"launch", "idempotency_key"} == set(operator.template_fields)

    # When its first try loses the broker, and a second one follows
    with pytest.raises(BrokerUnavailable):
        operator.execute({})
    agent = end_the_next_run(store)
    run_id = operator.execute({})
    agent.join()

    # Then there is one run, and both have waited for it
    assert ids(store) == [run_id]
    assert lost_waits == [run_id, run_id]


def test_a_task_of_airflow_whose_run_failed_is_not_tried_again(load: Load, store: Store) -> None:
    # Given an operator
    module = load("airflow_dag", "airflow")
    operator = module.LaunchyardOperator(
        task_id="train", launch={"queue": "gpu-queue", "source": "python:3.11-slim"}, idempotency_key="key"
    )

    # When its run fails, then Airflow is told so
    agent = end_the_next_run(store, exit_code=3)
    with pytest.raises(module.AirflowFailException, match="failed with exit code 3"):
        operator.execute({})
    agent.join()


def test_a_task_of_prefect_that_is_tried_again_waits_for_the_run_of_the_first_try(
    load: Load, store: Store, lost_waits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the snippet's flow, whose first wait will break off
    module = load("prefect_flow", "prefect")

    # When it runs
    agent = end_the_next_run(store)
    (run_id,) = module.nightly_training((0.1,))
    agent.join()

    # Then there is one run
    assert ids(store) == [run_id]
    assert lost_waits == [run_id, run_id]


def test_a_task_of_prefect_whose_run_failed_is_not_tried_again(load: Load, store: Store) -> None:
    # Given the snippet's flow
    module = load("prefect_flow", "prefect")

    # When its run fails, then so does the flow, without another try
    agent = end_the_next_run(store, exit_code=3)
    with pytest.raises(RunUnsuccessful, match="failed with exit code 3"):
        module.nightly_training((0.1,))
    agent.join()
    assert len(ids(store)) == 1


def test_a_job_of_github_that_is_run_again_follows_the_run_of_the_first_time(
    load: Load, store: Store, settings: Settings, tmp_path: Path
) -> None:
    # Given the workflow's step, as a runner of GitHub would start it
    workflow = yaml.safe_load((SNIPPETS / "github-workflow.yml").read_text())
    script = workflow["jobs"]["train"]["steps"][-1]["run"]
    summary = tmp_path / "summary"
    given = {"GITHUB_SHA": "0" * 40, "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7", "GITHUB_JOB": "train"}
    given |= {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_STEP_SUMMARY": str(summary)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = environment_for(settings, **given, PATH=path)
    command = ["bash", "-eo", "pipefail", "-c", script]

    # When it runs, and is run again after the run has ended
    agent = end_the_next_run(store, exit_code=3, queue="vision/gpu")
    first = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True, check=False)
    agent.join()
    second = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True, check=False)

    # Then there is one run of that commit, and both end with its job's exit code
    (run_id,) = ids(store)
    assert (first.returncode, second.returncode) == (3, 3), first.stderr
    assert summary.read_text() == f"run {run_id}\n" * 2
    assert store.runs.get(run_id).spec.job.source.ref == "0" * 40  # type: ignore[union-attr]  # it is from git
