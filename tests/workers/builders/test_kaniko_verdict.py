from __future__ import annotations

from typing import Any

import pytest

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.builders.kaniko import verdict
from workers.failures import RunFailed
from workers.images.steps import Failure
from workers.kubernetes.pods import Trouble, read

NO_NODE = Trouble(Reason.UNSCHEDULABLE, "No node takes the pod: 0/3 nodes.", FailureClass.INFRA)
NO_IMAGE = Trouble(Reason.IMAGE_UNAVAILABLE, "Container kaniko waits with ImagePullBackOff.", FailureClass.CONFIG)


def failed_job(reason: str) -> dict[str, Any]:
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": "words"}
    return {"spec": {"activeDeadlineSeconds": 60}, "status": {"conditions": [condition]}}


def pod(**ended: Any) -> dict[str, Any]:
    status = {"name": "kaniko", "state": {"terminated": ended}}
    return {
        "metadata": {"name": "build-x", "uid": "x"},
        "spec": {"containers": [{"name": "kaniko"}]},
        "status": {"phase": "Failed", "containerStatuses": [status]},
    }


def test_a_build_waits_for_a_node_as_long_as_it_may_and_for_an_image_not_for_long() -> None:
    # Given
    long = verdict.HELD_UP_SECONDS + 1
    # When
    ends = [verdict.held_up(NO_NODE, long), verdict.held_up(NO_IMAGE, 1), verdict.held_up(NO_IMAGE, long)]
    # Then
    assert ends[:2] == [None, None]
    assert ends[2] is not None
    assert (ends[2].failure, ends[2].reason) == (FailureClass.CONFIG, Reason.IMAGE_UNAVAILABLE)
    assert "builder.kaniko-image" in str(ends[2])


def test_a_deadline_is_the_cluster_s_fault_only_while_no_node_was_free() -> None:
    # When
    slow, crowded = (verdict.of_job(failed_job("DeadlineExceeded"), trouble) for trouble in (None, NO_NODE))
    # Then
    assert isinstance(slow, RunFailed)
    assert (slow.failure, slow.reason) == (FailureClass.TIMEOUT, Reason.BUILD_TIMEOUT)
    assert "within 60 s" in str(slow)
    assert isinstance(crowded, RunFailed)
    assert (crowded.failure, crowded.reason) == (FailureClass.INFRA, Reason.UNSCHEDULABLE)
    assert "0/3 nodes" in str(crowded)


def test_a_job_that_failed_with_its_pod_says_nothing_and_without_it_is_built_again() -> None:
    # Given
    job, state = failed_job("BackoffLimitExceeded"), read(pod(exitCode=1))
    # When / Then
    assert verdict.of_job(job, None, state) is None
    assert isinstance(verdict.of_job(job, None), TemporaryError)
    assert verdict.of_job({"spec": {}, "status": {"active": 1}}, None) is None


def test_a_pod_that_the_cluster_ended_is_no_fault_of_the_build() -> None:
    # Given
    evicted = pod(exitCode=137)
    evicted["status"] |= {"reason": "Evicted", "message": "The node was low on resource: memory"}
    # When
    error = verdict.of_pod(read(evicted))
    # Then
    assert isinstance(error, TemporaryError)
    assert "low on resource" in str(error)


def test_memory_that_ran_out_is_told_with_what_to_change() -> None:
    # When
    error = verdict.of_pod(read(pod(exitCode=137, reason="OOMKilled")))
    # Then
    assert isinstance(error, RunFailed)
    assert (error.failure, error.reason) == (FailureClass.BUILD, Reason.OUT_OF_MEMORY)
    assert "builder.kaniko-config" in str(error)


def test_a_namespace_that_refuses_the_pod_is_told_in_the_cluster_s_words() -> None:
    # Given
    events = [{"reason": "FailedCreate", "message": 'violates PodSecurity "restricted:latest"'}]
    # When
    error = verdict.never_made("build-x", events, verdict.HELD_UP_SECONDS + 1)
    # Then
    assert isinstance(error, RunFailed)
    assert "restricted:latest" in str(error)
    assert verdict.never_made("build-x", [], verdict.HELD_UP_SECONDS + 1) is None
    assert verdict.never_made("build-x", events, 1) is None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("error building image: failed to execute command: exit status 1", RunFailed),
        ("error building image: Get https://index.docker.io: dial tcp: i/o timeout", TemporaryError),
        ("error checking push permissions -- make sure you entered the correct tag name: UNAUTHORIZED", RunFailed),
        ("error checking push permissions -- make sure you entered the correct tag name: 503", TemporaryError),
    ],
)
def test_kaniko_s_words_tell_the_job_s_fault_from_what_may_pass(words: str, kind: type[Exception]) -> None:
    # When
    error = verdict.of_kaniko(Failure(words, ["last"], "RUN x"), "registry.example.com/jobs:1")
    # Then
    assert isinstance(error, kind)
