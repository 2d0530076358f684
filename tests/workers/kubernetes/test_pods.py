from __future__ import annotations

from typing import Any

import pytest

from broker_config.states import FailureClass, Reason
from workers.kubernetes.pods import PodPhase, Started, read, worst


def pod(phase: str = "Pending", *containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "job-x", "uid": "x"},
        "spec": {"containers": [{"name": one["name"]} for one in containers] or [{"name": "main"}]},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, reason: str = "Error", name: str = "main") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason}}}


RUNNING = {"name": "main", "state": {"running": {}}}


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


def test_a_pod_that_waits_for_nothing_special_has_no_trouble() -> None:
    # When
    state = read(pod("Pending", waiting("ContainerCreating")))
    # Then
    assert (state.phase, state.is_running, state.trouble) == (PodPhase.PENDING, False, None)
    assert state.containers == ()


def test_containers_that_have_started_have_a_log_in_the_order_of_their_start() -> None:
    # Given
    sent = pod("Running", RUNNING, {"name": "side", "state": {"waiting": {}}})
    sent["spec"]["initContainers"] = [{"name": "fetch"}]
    sent["status"]["initContainerStatuses"] = [ended(0, "Completed", "fetch")]
    # When
    state = read(sent)
    # Then
    assert state.containers == (Started("fetch", 0, True, False), Started("main", 0, False, False))
    assert state.is_running
    assert state.trouble is None


def test_a_container_that_waits_to_be_started_again_has_the_log_of_its_last_start_alone() -> None:
    # Given
    began = "2026-11-23T09:00:00Z"
    waits = {"name": "main", "restartCount": 2, "lastState": {"terminated": {"exitCode": 1, "startedAt": began}}}
    runs = {"name": "side", "restartCount": 1, "state": {"running": {"startedAt": began}}}
    sent = pod("Running", {**waits, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, runs)
    sent["spec"]["containers"] = [{"name": "main"}, {"name": "side"}]
    # When
    state = read(sent)
    # Then
    seconds = 1_795_424_400
    assert state.containers == (Started("main", 2, True, False), Started("side", 1, False, True, seconds))


@pytest.mark.parametrize(
    ("sent", "reason", "failure", "words"),
    [
        (
            pod("Pending", waiting("ImagePullBackOff", "manifest unknown")),
            Reason.IMAGE_UNAVAILABLE,
            FailureClass.CONFIG,
            "manifest unknown; check the image's name",
        ),
        (
            pod("Pending", waiting("CreateContainerConfigError", 'secret "key" not found')),
            Reason.TARGET_REFUSED,
            FailureClass.CONFIG,
            'secret "key" not found',
        ),
        (
            pod("Pending", **condition("PodScheduled", "False", "Unschedulable", "0/3 nodes: Insufficient gpu.")),
            Reason.UNSCHEDULABLE,
            FailureClass.INFRA,
            "No node takes the pod: 0/3 nodes: Insufficient gpu.",
        ),
        (
            pod("Failed", ended(137, "OOMKilled")),
            Reason.OUT_OF_MEMORY,
            FailureClass.USER,
            "memory limit",
        ),
        (pod("Failed", ended(3)), Reason.EXITED, FailureClass.USER, "exit code 3"),
        (
            pod("Failed", ended(143), **condition("DisruptionTarget", "True", "PreemptionByScheduler", "for pod a")),
            Reason.PREEMPTED,
            FailureClass.PREEMPTED,
            "PreemptionByScheduler: for pod a",
        ),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            Reason.PREEMPTED,
            FailureClass.PREEMPTED,
            "low on resource: memory",
        ),
        (
            pod("Failed", reason="DeadlineExceeded"),
            Reason.RUN_TIMEOUT,
            FailureClass.TIMEOUT,
            "DeadlineExceeded",
        ),
        (pod("Failed", reason="NodeLost"), Reason.EXITED, FailureClass.INFRA, "NodeLost"),
    ],
)
def test_a_trouble_has_its_reason_and_the_platforms_own_words(
    sent: dict[str, Any], reason: Reason, failure: FailureClass, words: str
) -> None:
    # When
    trouble = read(sent).trouble
    # Then
    assert trouble is not None
    assert (trouble.reason, trouble.failure) == (reason, failure)
    assert words in trouble.text


def test_of_several_pods_the_one_that_was_taken_away_explains_the_others() -> None:
    # Given
    pods = [
        read(pod("Failed", ended(1))),
        read(pod("Failed", ended(137, "OOMKilled"))),
        read(pod("Failed", ended(143), **condition("DisruptionTarget", "True", "EvictionByEvictionAPI"))),
    ]
    # Then
    assert worst(pods) is pods[2].trouble
    assert worst(pods[:2]) is pods[1].trouble
    assert worst([]) is None
