"""Objects of kinds that Kubernetes has not itself, on a real cluster with operators of ours; and Kueue's admission."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from broker_config.states import FailureClass, Reason
from tests.cluster import JOBS, cluster, namespace
from tests.operators.operators import (
    PYTORCH_JOBS,
    SIMULATIONS,
    VOLCANO_JOBS,
    Kueue,
    Physics,
    Trainer,
    TrainingOperator,
    Volcano,
    install,
    operating,
)
from tests.workers.targets.kubernetes_lab import Lab
from workers.failures import RunFailed
from workers.kubernetes.cluster import Cluster
from workers.kubernetes.resource import PODS, Resource
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes import holdups
from workers.targets.kubernetes.handles import Handle
from workers.targets.protocol import Phase

PHYSICS = "physics.launchyard.example"
BY_ROLE = 'case "$HOSTNAME" in *{role}*) {those};; *) {others};; esac'


@pytest.fixture(scope="module")
def kinds() -> None:
    """The kinds, defined in the cluster."""
    for name in ("pytorch_job", "volcano_job", "train_job", "simulation", "workload"):
        install(name)


@pytest.fixture
def lab(home: Path, kinds: None) -> Iterator[Lab]:
    """A namespace with operators, and a watch."""
    with namespace() as space, ExitStack() as stack:
        for operator in (TrainingOperator(), Volcano(), Trainer(), Physics()):
            stack.enter_context(operating(operator, space))
        made = Lab(home, space)
        stop = threading.Event()
        thread = threading.Thread(target=made.target.watch, args=(lambda _: None, stop))
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(stop.set)
        yield made


def of_pytorch(**policy: Any) -> dict[str, Any]:
    pod = {"terminationGracePeriodSeconds": 0, "containers": [{}]}
    replica = {"replicas": 1, "template": {"spec": pod}}
    spec = {"runPolicy": policy, "pytorchReplicaSpecs": {"Master": replica, "Worker": replica}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": spec}


def of_volcano() -> dict[str, Any]:
    template: dict[str, Any] = {"spec": {"containers": [{}]}}
    tasks: list[Any] = [{"name": name, "replicas": 1, "template": template} for name in ("chief", "worker")]
    spec = {"minAvailable": 2, "tasks": tasks}
    return {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "spec": spec}


def of_trainer(**trainer: Any) -> dict[str, Any]:
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    return {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}


def of_physics(**spec: Any) -> dict[str, Any]:
    worker = {"template": {"spec": {"restartPolicy": "Never", "containers": [{}]}}}
    return {"apiVersion": SIMULATIONS.api_version, "kind": "Simulation", "spec": {"worker": worker, **spec}}


def run(lab: Lab, config: dict[str, Any], script: str) -> str:
    return lab.submit("sh", "-c", script, **config)


@pytest.mark.parametrize(
    ("config", "roles"),
    [(of_pytorch(cleanPodPolicy="None"), ("master", "worker")), (of_volcano(), ("chief", "worker"))],
)
def test_a_run_of_several_roles_succeeds_with_the_log_of_each(
    lab: Lab, config: dict[str, Any], roles: tuple[str, str]
) -> None:
    # When
    name = run(lab, config, "echo here is $HOSTNAME")
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.exit_code) == (Phase.SUCCEEDED, 0)
    own = Handle.parse(name).name
    words = [f"here is {own}-{role}-0" for role in roles]

    def lines() -> list[str]:
        return sorted(lab.target.read_logs(name, "").lines)

    eventually(lambda: [line.partition("] ")[2] for line in lines()] == words)
    assert all(line.startswith(f"[{own}-{role}-0 ") for line, role in zip(lines(), roles, strict=True))


@pytest.mark.parametrize("config", [of_pytorch(cleanPodPolicy="Running"), of_volcano()])
def test_a_worker_that_fails_explains_the_end_of_the_run(lab: Lab, config: dict[str, Any]) -> None:
    # When the others are ended by the operator, or by themselves
    others = "sleep 100" if config["kind"] == "PyTorchJob" else "true"
    name = run(lab, config, BY_ROLE.format(role="worker", those="exit 3", others=others))
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.reason, ended.exit_code) == (Phase.FAILED, Reason.EXITED, 3)
    assert ended.failure is FailureClass.USER


@pytest.mark.parametrize(("config", "resource"), [(of_pytorch(), PYTORCH_JOBS), (of_volcano(), VOLCANO_JOBS)])
def test_a_cancel_takes_the_object_and_its_pods(lab: Lab, config: dict[str, Any], resource: Resource) -> None:
    # Given
    name = run(lab, config, "sleep 100")
    lab.seen_with(name, Reason.RUNNING)
    # When
    lab.target.cancel(name, 0)
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED
    eventually(lambda: not cluster().get(PODS.path(lab.space))["items"])
    assert cluster().find(resource.path(lab.space, Handle.parse(name).name)) is None


def test_an_operator_makes_no_pods_anew_for_an_object_that_is_cancelled(
    home: Path, kinds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Cluster.delete

    def delete_slowly(cluster_: Cluster, *asked: Any, **options: Any) -> None:
        delete(cluster_, *asked, **options)
        if cluster_ is not cluster():
            work.look_again()

    with namespace() as space, operating(TrainingOperator(), space) as work:
        # Given
        lab = Lab(home, space)
        name = run(lab, of_pytorch(), "sleep 100")
        lab.seen_with(name, Reason.RUNNING)
        made = list(work.made)
        # When the operator is faster than the agent
        monkeypatch.setattr(Cluster, "delete", delete_slowly)
        lab.target.cancel(name, 0)
        # Then
        assert lab.end_of(name).phase is Phase.CANCELLED
        assert len(made) == 2
        assert work.made == made


def test_an_object_of_any_kind_that_somebody_deletes_is_gone(lab: Lab) -> None:
    # Given
    name = run(lab, of_pytorch(), "sleep 100")
    lab.seen_with(name, Reason.RUNNING)
    # When
    cluster().delete(PYTORCH_JOBS.path(lab.space, Handle.parse(name).name))
    # Then
    eventually(lambda: lab.observe(name) is None)


def test_the_pods_that_a_runtime_has_for_a_train_job_are_the_runs(lab: Lab) -> None:
    # When
    name = run(lab, of_trainer(numNodes=2), BY_ROLE.format(role="0-1", those="echo on; exit 3", others="echo on"))
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.reason, ended.exit_code) == (Phase.FAILED, Reason.EXITED, 3)
    eventually(lambda: [line.partition("] ")[2] for line in lab.target.read_logs(name, "").lines] == ["on", "on"])


def test_what_holds_up_the_pods_of_a_train_job_is_told_and_a_cancel_ends_them(lab: Lab) -> None:
    # Given
    name = lab.submit("true", image="no/such:1", **of_trainer())
    # Then
    assert lab.seen_with(name, Reason.IMAGE_UNAVAILABLE).phase is Phase.STARTING
    # When
    lab.target.cancel(name, 0)
    # Then
    assert lab.end_of(name).phase is Phase.CANCELLED
    eventually(lambda: not cluster().get(PODS.path(lab.space))["items"])


def test_a_kind_that_nobody_has_heard_of_runs_by_its_conditions(lab: Lab) -> None:
    # When its plural and its status are what the cluster says
    name = run(lab, of_physics(), "echo hi; sleep 1; exit 4")
    # Then
    lab.seen_with(name, Reason.RUNNING)
    ended = lab.end_of(name)
    assert (ended.phase, ended.exit_code) == (Phase.FAILED, 4)
    assert list(lab.target.read_logs(name, "").lines) == ["hi"]


def test_an_object_that_never_says_how_it_is_runs_until_it_is_cancelled(lab: Lab) -> None:
    # Given
    name = run(lab, of_physics(silent=True), "true")
    # When its pods have ended
    eventually(lambda: (seen := lab.observe(name)) is not None and "is not told" in seen.text, 60)
    # Then
    seen = lab.observe(name)
    assert seen is not None
    assert seen.phase is Phase.RUNNING
    # And
    lab.target.cancel(name, 0)
    assert lab.end_of(name).phase is Phase.CANCELLED


@pytest.mark.parametrize(
    ("api_version", "kind", "words"),
    [
        ("kubeflow.org/v1", "PytorchJob", "no kind PytorchJob in kubeflow.org/v1; kubeflow.org/v1 has: PyTorchJob"),
        (
            "physics.launchyard.example/v1alpha1",
            "Simulation",
            "serves no v1alpha1 of physics.launchyard.example, but v1",
        ),
        ("kubeflow.com/v1", "PyTorchJob", "it has no kubeflow.com/v1; did you mean 'kubeflow.org'?"),
    ],
)
def test_a_kind_that_is_not_served_is_refused_with_what_is(lab: Lab, api_version: str, kind: str, words: str) -> None:
    with pytest.raises(RunFailed) as refused:
        run(lab, {**of_pytorch(), "apiVersion": api_version, "kind": kind}, "true")
    assert refused.value.failure is FailureClass.CONFIG
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("config", "resource", "suspend"),
    [
        ({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 0}}}}, JOBS, "spec.suspend"),
        (of_pytorch(), PYTORCH_JOBS, "spec.runPolicy.suspend"),
    ],
)
def test_kueue_holds_a_job_admits_it_takes_it_back_and_admits_it_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], resource: Resource, suspend: str
) -> None:
    # Given
    monkeypatch.setattr(holdups, "ANSWER_SECONDS", 0.5)
    labels = {"kueue.x-k8s.io/queue-name": "research"}
    name = run(lab, {**config, "metadata": {"labels": labels}}, "sleep 100")
    found = cluster().get(resource.path(lab.space, Handle.parse(name).name))
    kueue = Kueue(resource, lab.space, found, suspend)

    def is_told(words: str) -> bool:
        seen = lab.observe(name)
        assert seen is not None
        assert not seen.phase.is_end, seen
        return seen.reason is Reason.NOT_ADMITTED and words in seen.text

    # When, then
    kueue.hold("insufficient unused quota for nvidia.com/gpu in flavor h100, 2 more needed")
    eventually(lambda: is_told("Kueue has not admitted it: insufficient unused quota"), 20)
    assert not cluster().get(PODS.path(lab.space))["items"]
    # When, then
    kueue.admit()
    lab.seen_with(name, Reason.RUNNING)
    # When, then
    kueue.preempt("Preempted to accommodate a workload (UID: 7) due to prioritization in the ClusterQueue", "no room")
    eventually(lambda: is_told("taken back what it had admitted: Preempted: Preempted to accommodate"), 20)
    assert is_told("It is not admitted again yet: no room.")
    # When, then
    kueue.admit()
    lab.seen_with(name, Reason.RUNNING)
