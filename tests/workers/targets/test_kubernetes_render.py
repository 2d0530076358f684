"""What a Kubernetes queue config becomes, and what is refused. The golden requests are in `tests/golden`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import models

from tests.golden.requests import Golden, workload
from tests.workers.targets.workloads import golden_requests, refusal
from workers.builders.protocol import ArtifactKind
from workers.targets.kubernetes import render
from workers.targets.kubernetes.keeping import seconds
from workers.targets.kubernetes.kinds import kind_of

CORE = {"Job": "V1Job", "CronJob": "V1CronJob", "Pod": "V1Pod"}


def unknown_fields(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """What of a value its OpenAPI type does not know, as the client has it."""
    if listed := re.fullmatch(r"(?:list|dict)\[(?:str, )?(\w+)\]", kind):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from unknown_fields(item, listed[1], f"{path}/{key}")
    elif kind in {"str", "int", "bool"}:
        # An amount such as `cpu: 2` is text to the client, and may be a number.
        if not isinstance(value, {"str": str | int, "int": int, "bool": bool}[kind]):
            yield f"{path} is no {kind}"
    elif model := getattr(models, kind, None):
        types = {model.attribute_map[name]: type_ for name, type_ in model.openapi_types.items()}
        for key, item in value.items():
            if key not in types:
                yield f"{path}/{key}"
            else:
                yield from unknown_fields(item, types[key], f"{path}/{key}")


@pytest.mark.parametrize("golden", golden_requests("kubernetes"))
def test_a_golden_request_has_only_fields_that_kubernetes_knows(golden: Golden) -> None:
    # Given a request, its pods, and its containers
    manifest = golden.request["body"]["object"]
    kind = kind_of(manifest)
    pods = [pod for pod in kind.find_pods(manifest) if pod.is_named]

    # When they are compared with the types of the API
    unknown = [found for pod in pods for one in pod.containers for found in unknown_fields(one, "V1Container")]
    if manifest["apiVersion"] in {"batch/v1", "v1"}:
        unknown += unknown_fields(manifest, CORE[manifest["kind"]])

    # Then all of them are known, and the names fit
    assert not unknown
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", manifest["metadata"]["name"])
    assert len(manifest["metadata"]["name"]) <= kind.name_limit


@pytest.mark.parametrize("golden", golden_requests("kubernetes"))
def test_a_secret_reaches_each_kind_by_reference_alone(golden: Golden) -> None:
    # Given
    secret = replace(golden.workload(), secrets=("WANDB_API_KEY",))

    # When
    manifest = render(secret).body["object"]

    # Then
    pods = [pod for pod in kind_of(manifest).find_pods(manifest) if pod.is_named]
    written = [one for pod in pods for container in pod.containers for one in container.get("env", [])]
    given = [one for one in written if one["name"] == "WANDB_API_KEY"]
    reference = {"secretKeyRef": {"name": manifest["metadata"]["name"], "key": "WANDB_API_KEY"}}
    assert all(one == {"name": "WANDB_API_KEY", "valueFrom": reference} for one in given)
    assert bool(given) == bool(pods)


@pytest.mark.parametrize("golden", golden_requests("kubernetes"))
def test_labels_are_such_as_kubernetes_takes(golden: Golden) -> None:
    for name, value in golden.request["body"]["object"]["metadata"]["labels"].items():
        prefix, _, short = name.rpartition("/")
        assert re.fullmatch(r"[a-z0-9.-]{0,253}", prefix)
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", short)
        assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value)


def test_a_long_label_is_cut_and_marks_at_its_ends_are_taken_away() -> None:
    # Given labels with more than Kubernetes takes
    given = workload({"labels": {"a" * 64: "-" + "x" * 80, "empty": "..."}})

    # When they are rendered
    labels = render(given).body["object"]["metadata"]["labels"]

    # Then what fits is there
    assert labels["label.launchyard/" + "a" * 63] == "x" * 62
    assert labels["label.launchyard/empty"] == ""


def test_two_attempts_have_two_names_behind_the_longest_prefix() -> None:
    config = {"metadata": {"name": "x" * 253}}
    names = {
        render(workload({"config": config, "attempt": attempt})).body["object"]["metadata"]["name"]
        for attempt in (1, 2, 100)
    }

    assert len(names) == 3
    assert {len(name) for name in names} == {63}


def test_the_request_does_not_depend_on_the_order_in_which_variables_and_labels_come() -> None:
    one = render(workload({"env": {"A": "1", "B": "2"}, "labels": {"a": "1", "b": "2"}}))
    other = render(workload({"env": {"B": "2", "A": "1"}, "labels": {"b": "2", "a": "1"}}))

    assert one.digest == other.digest


def test_a_namespace_is_left_to_the_context_unless_the_config_names_one() -> None:
    assert "namespace" not in render(workload({})).body["object"]["metadata"]
    assert render(workload({"config": {"namespace": "a"}})).body["object"]["metadata"]["namespace"] == "a"


def test_a_field_that_is_null_is_a_field_that_is_absent() -> None:
    # Given a manifest with nulls, as tools write them
    config = {
        "metadata": {"namespace": None, "labels": None},
        "spec": {"ttlSecondsAfterFinished": None, "template": None},
    }

    # When it is rendered, then it gives what it gives without them
    assert render(workload({"config": config})).body == render(workload({})).body


_CONTAINERS = {"spec": {"template": {"spec": {"containers": "one"}}}}
_POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{}]}}
_DB = {"name": "db", "config": {**_POD, "metadata": {"namespace": "a"}}}
_VOLCANO = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job"}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"kind": "PyTorchJob"}, "needs both 'apiVersion' and 'kind'"),
        ({"apiVersion": "kubeflow.org/v1"}, "needs both 'apiVersion' and 'kind'"),
        ({"apiVersion": 1, "kind": "Job"}, "as text"),
        ({"metadata": []}, "'metadata' must be an object"),
        ({"metadata": {"labels": ["a"]}}, "'labels' must be an object"),
        ({"spec": {"template": 3}}, "'template' must be an object"),
        (_CONTAINERS, "'containers' must be a list of objects"),
        ({"spec": {"template": {"spec": {"containers": [{"env": {"A": "1"}}]}}}}, "list of variables"),
        ({"spec": {"ttlSecondsAfterFinished": "1h"}}, "number of seconds"),
        ({"ttlSecondsAfterFailed": -1}, "'ttlSecondsAfterFailed' must be a number of seconds"),
        ({**_POD, "ttlSecondsAfterFailed": 60}, "nothing removes a Pod some time after its end"),
        ({"additional_services": {"name": "db"}}, "must be a list"),
        ({"additional_services": [{"config": {}}]}, "needs a 'name' and a 'config'"),
        ({"additional_services": [{"name": "db", "config": {"kind": "Pod"}}]}, "needs 'apiVersion' and 'kind'"),
        (
            {"namespace": "a", "additional_services": [_DB], "wait_timeout": 0},
            "'wait_timeout' must be a number of seconds",
        ),
        ({"additional_services": [_DB], "metadata": {"namespace": "b"}}, "'db' in 'additional_services' has to be in"),
        ({**_POD, "additional_services": [_DB | {"config": _POD}]}, "write wait_for_ready: false"),
        ({**_VOLCANO, "spec": {"tasks": 3, "image": "registry.example/team/train:1"}}, "'tasks' must be objects"),
        ({**_VOLCANO, "spec": {"tasks": []}}, "no containers"),
        ({"apiVersion": "example.com/v1", "kind": "Thing"}, "write ${image_uri}"),
        ({"namespace": ["a"]}, "'namespace' must be a text"),
        ({"configFile": 1}, "'configFile' must be a text"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_the_cure(config: dict[str, Any], why: str) -> None:
    assert why in refusal(render, config)


def test_an_object_that_kueue_holds_waits_for_kueue_and_not_for_its_services() -> None:
    # Given
    config = {"namespace": "a", "additional_services": [_DB]}
    kueue = {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}}}
    # Then
    assert render(workload({"config": config})).body["wait_seconds"] == 300
    assert "wait_seconds" not in render(workload({"config": {**config, **kueue}})).body
    assert "suspend" not in render(workload({"config": {**config, "wait_for_ready": False}})).body["object"]["spec"]


def test_argo_says_for_each_way_to_end_how_long_a_workflow_stays() -> None:
    # Given
    spec = {"templates": [{"container": {}}], "ttlStrategy": {"secondsAfterCompletion": 60, "secondsAfterFailure": 900}}
    config = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}
    # When
    made = render(workload({"config": config})).body["object"]
    # Then
    assert "ttlStrategy" not in made["spec"]
    assert (seconds(made, has_succeeded=True), seconds(made, has_succeeded=False)) == (60, 900)


def test_pods_with_images_of_their_own_leave_no_place_for_the_job() -> None:
    def replica(image: str) -> dict[str, Any]:
        return {"template": {"spec": {"containers": [{"image": image}]}}}

    told = refusal(
        render,
        {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "spec": {"pytorchReplicaSpecs": {"Master": replica("a:1"), "Worker": replica("b:1")}},
        },
    )

    assert "they name a:1, b:1" in told
    assert "leave 'image' out, or write ${image_uri}" in told


def test_an_environment_is_not_an_image() -> None:
    assert ArtifactKind.ENVIRONMENT in refusal(render, {}, environment="/home/agent/environments/3f2a")
