"""What becomes of a submit that meets a taken name, a namespace that is not there, or a webhook that is down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import TemporaryError
from broker_config.states import Reason
from tests.cluster import JOBS, NAMESPACES, cluster, namespace
from tests.workers.targets.kubernetes_lab import Lab
from tests.workers.targets.test_kubernetes import pod_spec
from workers.failures import RunFailed
from workers.kubernetes.cluster import MERGE_PATCH
from workers.kubernetes.resource import Resource
from workers.targets.contract.waiting import eventually
from workers.targets.kubernetes.handles import Handle
from workers.targets.protocol import Request

WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False
)
FINALIZER = "launchyard.test/held"


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    with namespace() as space:
        yield Lab(home, space)


def rendered(lab: Lab, **config: Any) -> Request:
    # No pod is made of it: what is asked here is answered before that.
    return lab.target.render(lab.workload("true", spec={"suspend": True, **pod_spec(containers=[{}])}, **config))


def path(lab: Lab, request: Request) -> str:
    return JOBS.path(lab.space, Handle.parse(request.name).name)


def held(lab: Lab, request: Request) -> None:
    """Have the object's deletion wait for somebody."""
    body = {"metadata": {"finalizers": [FINALIZER]}}
    cluster().call("PATCH", path(lab, request), body=body, content_type=MERGE_PATCH)
    cluster().delete(path(lab, request))


def let_go(lab: Lab, request: Request) -> None:
    body = {"metadata": {"finalizers": None}}
    cluster().call("PATCH", path(lab, request), body=body, content_type=MERGE_PATCH)


def is_held_up(lab: Lab, request: Request) -> bool:
    """Whether the server itself has heard of a webhook by now."""
    try:
        cluster().call("POST", JOBS.path(lab.space), {"dryRun": "All"}, dict(request.body["object"]))
    except TemporaryError:
        return True
    return False


def test_the_object_of_somebody_else_is_left_alone_and_told_of(lab: Lab) -> None:
    # Given
    request = rendered(lab)
    pod = {"restartPolicy": "Never", "containers": [{"name": "theirs", "image": "theirs"}]}
    metadata = {"name": Handle.parse(request.name).name}
    theirs = {"metadata": metadata, "spec": {"suspend": True, "template": {"spec": pod}}}
    cluster().call("POST", JOBS.path(lab.space), body=theirs)
    # Then
    with pytest.raises(RunFailed, match="was not made by Launchyard") as refused:
        lab.target.submit(request)
    assert refused.value.reason is Reason.NAME_TAKEN
    assert "launchyard/managed" not in lab.object(request.name)["metadata"].get("labels", {})


def test_a_run_waits_until_an_object_with_its_name_that_is_being_deleted_is_gone(lab: Lab) -> None:
    # Given
    request = rendered(lab)
    lab.target.submit(request)
    body = {"metadata": {"annotations": {"launchyard/request": "another"}}}
    cluster().call("PATCH", path(lab, request), body=body, content_type=MERGE_PATCH)
    held(lab, request)
    # Then
    with pytest.raises(TemporaryError, match="is being deleted"):
        lab.target.submit(request)
    # When
    let_go(lab, request)
    eventually(lambda: cluster().find(path(lab, request)) is None)
    lab.target.submit(request)
    # Then
    assert lab.object(request.name)["metadata"].get("deletionTimestamp") is None


def test_ones_own_object_is_adopted_also_while_somebody_deletes_it(lab: Lab) -> None:
    # Given
    request = rendered(lab)
    lab.target.submit(request)
    held(lab, request)
    # When
    lab.target.submit(request)
    # Then
    seen = lab.observe(request.name)
    assert seen is not None
    assert seen.reason is Reason.ENDING
    # When
    let_go(lab, request)
    # Then
    eventually(lambda: lab.observe(request.name) is None)


def test_a_namespace_that_is_not_there_is_told_with_its_cure(lab: Lab) -> None:
    with pytest.raises(RunFailed, match="kubectl create namespace nowhere-at-all"):
        lab.target.submit(rendered(lab, namespace="nowhere-at-all"))


def test_a_namespace_that_is_going_away_takes_nothing(lab: Lab) -> None:
    # Given a namespace that waits for an object of its own
    request = rendered(lab)
    lab.target.submit(request)
    held(lab, request)
    cluster().delete(NAMESPACES.path(None, lab.space))
    # Then
    with pytest.raises(RunFailed, match="is being terminated"):
        lab.target.submit(rendered(lab))
    let_go(lab, request)


def test_a_run_waits_for_a_webhook_that_does_not_answer(lab: Lab) -> None:
    # Given
    hook = {
        "name": "nobody.launchyard.test",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": lab.space}},
        "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}],
    }
    cluster().call("POST", WEBHOOKS.path(None), body={"metadata": {"name": lab.space}, "webhooks": [hook]})
    request = rendered(lab)
    try:
        eventually(lambda: is_held_up(lab, request))
        # Then
        with pytest.raises(TemporaryError, match="failed calling webhook"):
            lab.target.submit(request)
    finally:
        cluster().delete(WEBHOOKS.path(None, lab.space))
    # When
    eventually(lambda: not is_held_up(lab, request))
    lab.target.submit(request)
    # Then
    assert lab.observe(request.name) is not None
