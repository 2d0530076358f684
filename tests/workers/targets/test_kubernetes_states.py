from __future__ import annotations

from typing import Any

import pytest

from broker_config.states import FailureClass, Reason
from workers.kubernetes.pods import PodPhase, PodState, Started, Trouble
from workers.targets.kubernetes.states import observation, read
from workers.targets.protocol import Phase

RUNNING = PodState("p-0", PodPhase.RUNNING, True, False, (Started("main", 0, False, False),))
PENDING = PodState("p-1", PodPhase.PENDING, False, False, ())


def failed(reason: Reason, failure: FailureClass, exit_code: int | None = None) -> PodState:
    return PodState("p-2", PodPhase.FAILED, False, False, (), Trouble(reason, f"{reason}!", failure, exit_code))


def found(kind: str, api_version: str, status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    own = {"name": "x", "uid": "1", **metadata}
    return {"apiVersion": api_version, "kind": kind, "metadata": own, "spec": {}, "status": status}


def conditions(*types: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": one, "status": "True", "reason": reason, "message": message} for one in types]}


@pytest.mark.parametrize(
    ("kind", "api_version", "status", "phase"),
    [
        ("Job", "batch/v1", {}, Phase.STARTING),
        ("Job", "batch/v1", {"active": 1}, Phase.STARTING),
        ("Job", "batch/v1", conditions("SuccessCriteriaMet"), Phase.STARTING),
        ("Job", "batch/v1", conditions("SuccessCriteriaMet", "Complete"), Phase.SUCCEEDED),
        ("Job", "batch/v1", conditions("FailureTarget", "Failed"), Phase.FAILED),
        ("Pod", "v1", {"phase": "Pending"}, Phase.STARTING),
        ("Pod", "v1", {"phase": "Succeeded"}, Phase.SUCCEEDED),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Inqueue"}}, Phase.STARTING),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Running"}}, Phase.RUNNING),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Completed"}}, Phase.SUCCEEDED),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Aborted"}}, Phase.FAILED),
        ("PyTorchJob", "kubeflow.org/v1", conditions("Created"), Phase.STARTING),
        ("PyTorchJob", "kubeflow.org/v1", conditions("Created", "Running"), Phase.RUNNING),
        ("PyTorchJob", "kubeflow.org/v1", conditions("Created", "Succeeded"), Phase.SUCCEEDED),
        ("TrainJob", "trainer.kubeflow.org/v1alpha1", conditions("Complete"), Phase.SUCCEEDED),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, Phase.RUNNING),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, Phase.SUCCEEDED),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, Phase.FAILED),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED"}, Phase.STARTING),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "Running", "jobStatus": "SUCCEEDED"}, Phase.RUNNING),
        ("RayJob", "ray.io/v1", {"jobDeploymentStatus": "ValidationFailed"}, Phase.FAILED),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Aborting"}}, Phase.RUNNING),
        ("Job", "batch.volcano.sh/v1alpha1", {"state": {"phase": "Terminated"}}, Phase.FAILED),
        ("MPIJob", "kubeflow.org/v1", conditions("Created", "Restarting"), Phase.STARTING),
        ("JobSet", "jobset.x-k8s.io/v1alpha2", conditions("Failed"), Phase.FAILED),
        ("Workflow", "argoproj.io/v1alpha1", {"phase": "Error"}, Phase.FAILED),
        ("TrainJob", "trainer.kubeflow.org/v1alpha1", conditions("Failed"), Phase.FAILED),
        ("Simulation", "physics.example.com/v1", conditions("Ready"), Phase.RUNNING),
        ("Simulation", "physics.example.com/v1", {"state": "Canceled"}, Phase.FAILED),
        ("JobSet", "jobset.x-k8s.io/v1alpha2", conditions("StartupPolicyCompleted", "Completed"), Phase.SUCCEEDED),
        ("Workflow", "argoproj.io/v1alpha1", {"phase": "Failed", **conditions("Completed")}, Phase.FAILED),
        ("Simulation", "physics.example.com/v1", {"phase": "Running"}, Phase.RUNNING),
        ("Simulation", "physics.example.com/v1", conditions("Ready", "Succeeded"), Phase.SUCCEEDED),
    ],
)
def test_how_far_an_object_is_by_its_own_words(
    kind: str, api_version: str, status: dict[str, Any], phase: Phase
) -> None:
    assert observation(read(found(kind, api_version, status)), []).phase is phase


def test_a_condition_that_is_not_true_says_nothing() -> None:
    # Given
    status = {"conditions": [{"type": "Failed", "status": "False"}, {"type": "Running", "status": "True"}]}
    # Then
    assert observation(read(found("MPIJob", "kubeflow.org/v1", status)), []).phase is Phase.RUNNING


def test_of_several_words_for_a_failure_the_one_that_says_why_is_told() -> None:
    # Given
    status = {**conditions("Failed", reason="Diverged", message="loss is NaN"), "phase": "Failed", "state": "Error"}
    # When
    seen = observation(read(found("Simulation", "physics.example.com/v1", status)), [])
    # Then
    assert (seen.phase, seen.text) == (Phase.FAILED, "The Simulation is failed: Diverged: loss is NaN.")


def test_a_job_runs_when_one_of_its_pods_does() -> None:
    # When
    seen = observation(read(found("Job", "batch/v1", {"active": 2})), [RUNNING, PENDING])
    # Then
    assert (seen.phase, seen.text) == (Phase.RUNNING, "1 of 2 pods are running.")


def test_what_holds_a_pod_up_is_told_while_the_object_starts() -> None:
    # Given
    trouble = Trouble(Reason.UNSCHEDULABLE, "No node takes the pod: 0/3 nodes.", FailureClass.INFRA)
    pod = PodState("p-0", PodPhase.PENDING, False, False, (), trouble)
    # When
    seen = observation(read(found("PyTorchJob", "kubeflow.org/v1", conditions("Created", "Running"))), [pod])
    # Then
    assert (seen.phase, seen.reason, seen.text) == (Phase.STARTING, Reason.UNSCHEDULABLE, trouble.text)


def test_what_the_cluster_says_against_an_object_without_pods_is_told() -> None:
    # Given
    state = read(found("Job", "batch/v1", {}))
    suspended = read({**found("Job", "batch/v1", {}), "spec": {"suspend": True}})
    # Then
    assert observation(state, [], "FailedCreate: exceeded quota").reason is Reason.UNSCHEDULABLE
    assert observation(suspended, []).reason is Reason.NOT_ADMITTED
    assert observation(suspended, [], "Kueue has not admitted it: no quota").text.endswith("no quota")


@pytest.mark.parametrize(
    ("pods", "reason", "failure", "exit_code"),
    [
        ([], Reason.EXITED, FailureClass.INFRA, None),
        ([failed(Reason.EXITED, FailureClass.USER, 3)], Reason.EXITED, FailureClass.USER, 3),
        ([failed(Reason.EXITED, FailureClass.USER, 137)], Reason.EXITED, FailureClass.INFRA, 137),
        ([failed(Reason.OUT_OF_MEMORY, FailureClass.USER, 137)], Reason.OUT_OF_MEMORY, FailureClass.USER, 137),
        ([failed(Reason.PREEMPTED, FailureClass.PREEMPTED)], Reason.PREEMPTED, FailureClass.PREEMPTED, None),
        ([failed(Reason.OBJECT_GONE, FailureClass.INFRA)], Reason.OBJECT_GONE, FailureClass.INFRA, None),
    ],
)
def test_the_end_of_an_object_is_explained_by_its_pods(
    pods: list[PodState], reason: Reason, failure: FailureClass, exit_code: int | None
) -> None:
    # When
    seen = observation(read(found("Job", "batch/v1", conditions("Failed", reason="BackoffLimitExceeded"))), pods)
    # Then
    assert (seen.phase, seen.reason, seen.failure, seen.exit_code) == (Phase.FAILED, reason, failure, exit_code)


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("PodFailurePolicy", "Pod ns/x has condition DisruptionTarget matching FailJob rule", Reason.PREEMPTED),
        ("DeadlineExceeded", "Job was active longer than specified deadline", Reason.RUN_TIMEOUT),
    ],
)
def test_a_job_tells_itself_that_it_was_preempted_or_too_late_whatever_its_pods_say(
    reason: str, message: str, expected: Reason
) -> None:
    # Given
    status = conditions("Failed", reason=reason, message=message)
    # When
    seen = observation(read(found("Job", "batch/v1", status)), [failed(Reason.EXITED, FailureClass.USER, 143)])
    # Then
    assert seen.reason is expected


def test_a_pod_that_was_taken_away_says_by_whom_also_where_the_job_has_failed_first() -> None:
    # Given
    why = "Pod ns/x has condition DisruptionTarget matching FailJob rule"
    state = read(found("Job", "batch/v1", conditions("Failed", reason="PodFailurePolicy", message=why)))
    trouble = Trouble(Reason.PREEMPTED, "The cluster took the pod away: PreemptionByScheduler.", FailureClass.PREEMPTED)
    # When
    seen = observation(state, [PodState("p-0", PodPhase.FAILED, False, False, (), trouble)])
    # Then
    assert (seen.reason, seen.failure, seen.text) == (Reason.PREEMPTED, FailureClass.PREEMPTED, trouble.text)


def test_an_object_that_is_being_deleted_has_not_ended_yet() -> None:
    # Given
    state = read(found("Job", "batch/v1", conditions("Failed"), deletionTimestamp="2026-01-01T00:00:00Z"))
    # Then
    assert observation(state, [RUNNING]).reason is Reason.ENDING
