"""What each resource says of a config: the place, how bad it is, and the words."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config import resources
from broker_config.resources import sdks

POD = {"containers": [{"image": "${image_uri}", "env": [{"name": "LR", "value": "0.1"}]}]}


def job(**pod: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {**POD, **pod}}}}


TRAINING = {
    "RoleArn": "trainer",
    "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
POOLS = [{"machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1, "container_spec": {}}]


@pytest.mark.parametrize(
    ("resource", "config"),
    [
        ("kubernetes", {}),
        ("kubernetes", job(nodeSelector={"gpu": "a100"}, tolerations=[{"key": "gpu", "operator": "Exists"}])),
        ("kubernetes", job(volumes=[{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}])),
        ("kubernetes", job(hostname=None)),
        ("kubernetes", job(containers=[{"resources": {"limits": {"cpu": 2, "nvidia.com/gpu": 1, "memory": "16Gi"}}}])),
        ("kubernetes", {"apiVersion": "v1", "kind": "Pod", "spec": POD, "namespace": "ml", "wait_timeout": 300}),
        ("kubernetes", {"kind": "CronJob", "spec": {"schedule": "0 3 * * *", "jobTemplate": job()}}),
        ("sagemaker", TRAINING),
        ("sagemaker", {**TRAINING, "region": "eu-west-1", "Environment": {"A": "${MODE}"}}),
        ("sagemaker", {"role_arn": "t", **{name: value for name, value in TRAINING.items() if name != "RoleArn"}}),
        (
            "sagemaker",
            {
                "processing_job": {
                    "RoleArn": "t",
                    "ProcessingResources": {
                        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
                    },
                }
            },
        ),
        ("vertex", {"spec": {"worker_pool_specs": POOLS, "staging_bucket": "gs://b"}, "run": {"timeout": 60}}),
        ("vertex", {"spec": {"worker_pool_specs": [*POOLS, {}, *POOLS], "labels": {"team": "vision"}}}),
        ("docker", {"gpus": "all", "memory": "16g", "e": ["A=1"], "shm_size": "${SHM}", "volume": ["/a:/b", "${V}"]}),
        ("local-process", {"nice": 5, "working_dir": "${QUEUE_FOLDER}"}),
        ("stub", {"seconds": 1, "lines": ["a"]}),
        ("somebody-elses", {"whatever": [1]}),
    ],
)
def test_a_config_that_works_is_taken_without_a_word(resource: str, config: dict[str, Any]) -> None:
    assert list(resources.load(resource).check(config)) == []


def beside(**service: Any) -> dict[str, Any]:
    return {"additional_services": [service]}


@pytest.mark.parametrize(
    ("resource", "config", "finding"),
    [
        (
            "kubernetes",
            job(contaners=[]),
            "error: /spec/template/spec/contaners: PodSpec has no field 'contaners'; did you mean 'containers'?",
        ),
        ("kubernetes", job(zebra=1), "warning: /spec/template/spec/zebra: PodSpec has no field 'zebra', unless"),
        ("kubernetes", job(hostNetwork="true"), "error: /spec/template/spec/hostNetwork: this must be true or false"),
        (
            "kubernetes",
            job(containers=[{"env": [{"name": "A", "value": 1}]}]),
            "error: /spec/template/spec/containers/0/env/0/value: this must be text, not 1; write it in quotes",
        ),
        (
            "kubernetes",
            job(containers=[{"env": [{"value": "1"}]}]),
            "error: /spec/template/spec/containers/0/env/0: EnvVar needs 'name'; add it",
        ),
        (
            "kubernetes",
            job(containers=[{"resources": {"limits": {"memory": "16GB"}}}]),
            "error: /spec/template/spec/containers/0/resources/limits/memory: '16GB' is not an amount",
        ),
        ("kubernetes", {"spec": {"backoffLimit": "3"}}, "error: /spec/backoffLimit: this must be a whole number"),
        ("kubernetes", {"spec": []}, "error: /spec: this must be an object, not a list"),
        ("kubernetes", {"namespace": 3}, "error: /namespace: this must be text"),
        (
            "kubernetes",
            beside(
                name="db", config={"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [], "hostNetwrk": True}}
            ),
            "error: /additional_services/0/config/spec/hostNetwrk: PodSpec has no field 'hostNetwrk'; did you mean",
        ),
        ("kubernetes", beside(name="db", config={}), "error: /additional_services/0/config: an object needs both"),
        ("kubernetes", beside(nam="db", config={}), "error: /additional_services/0: a service needs 'name'; add it"),
        ("kubernetes", {"apiVersion": "apps/v1"}, "error: an object needs both 'apiVersion' and 'kind'"),
        (
            "kubernetes",
            {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"any": 1}},
            "warning: /kind: fields of PyTorchJob in kubeflow.org/v1 are not checked",
        ),
        (
            "kubernetes",
            {"kind": "Jobb", "apiVersion": "batch/v1"},
            "warning: /kind: fields of Jobb in batch/v1",
        ),
        ("sagemaker", {}, "error: CreateTrainingJobRequest needs 'RoleArn'; add it"),
        ("sagemaker", {"RoleArn": "t"}, "error: CreateTrainingJobRequest needs 'StoppingCondition'; add it"),
        (
            "sagemaker",
            {**TRAINING, "resource_config": {"instance_type": "ml.g5.xlarg"}},
            "warning: /resource_config/instance_type: 'ml.g5.xlarg' is not one of the words that the client knows; did",
        ),
        ("sagemaker", {**TRAINING, "Bogus": 1}, "error: /Bogus: CreateTrainingJobRequest has no field 'Bogus'; remove"),
        ("sagemaker", {**TRAINING, "EcrRepoName": "r"}, "warning: /EcrRepoName: 'EcrRepoName' has no effect"),
        ("sagemaker", {**TRAINING, "processing_job": {}}, "error: 'processing_job' is for processing jobs, the fields"),
        ("vertex", {}, "error: a config needs 'spec'; add it"),
        (
            "vertex",
            {"spec": {"worker_pool_specs": []}},
            "error: /spec/worker_pool_specs: there must be at least one worker pool with a 'container_spec'",
        ),
        (
            "vertex",
            {"spec": {"worker_pool_specs": [{"replica_count": 1}]}},
            "error: /spec/worker_pool_specs/0: the pool needs a 'container_spec'",
        ),
        (
            "vertex",
            {"spec": {"worker_pool_specs": POOLS}, "run": {"timout": 1}},
            "error: /run/timout: run has no field 'timout'; did you mean 'timeout'?",
        ),
        (
            "docker",
            {"memroy": "1g"},
            "error: /memroy: flag 'memroy' does not exist in docker run, or not here; did",
        ),
        ("docker", {"name": "x"}, "error: /name: flag 'name' cannot be set"),
        ("docker", {"memory": "lots"}, "error: /memory: 'lots' is not a size"),
        ("docker", {"memory": ["1g", "2g"]}, "error: /memory: it takes one value, not 2"),
        ("docker", {"env": ["A=1", "B"]}, "error: /env/1: 'B' must be NAME=value"),
        ("docker", {"env": {"A": 1}}, "error: /env: flag 'env' has a value that is an object"),
        ("local-process", {"nice": 50}, "error: /nice: Input should be less than or equal to 19"),
        ("local-process", {"nicee": 5}, "error: /nicee: unknown field 'nicee'; did you mean 'nice'?"),
        ("stub", {"second": 1}, "error: /second: unknown field 'second'; did you mean 'seconds'?"),
    ],
)
def test_a_config_that_cannot_work_is_told_where_and_why(resource: str, config: dict[str, Any], finding: str) -> None:
    found = [f"{one.severity}: {one}" for one in resources.load(resource).check(config)]
    assert [text for text in found if text.startswith(finding)], found


def test_all_that_is_wrong_is_told_at_once() -> None:
    # Given a config with three mistakes in different places
    config = job(hostPID=1, containers=[{"imagee": "x", "args": "one"}])

    # When it is checked, then each has its finding
    pointers = {one.pointer for one in resources.load("kubernetes").check(config)}
    pod = "/spec/template/spec"
    assert pointers == {f"{pod}/hostPID", f"{pod}/containers/0/imagee", f"{pod}/containers/0/args"}


@pytest.mark.parametrize(("resource", "extra"), [("kubernetes", "kubernetes"), ("sagemaker", "aws")])
def test_without_the_platforms_client_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, resource: str, extra: str
) -> None:
    # Given an installation without the client, when a config is checked, then a warning says how to get it
    monkeypatch.setattr(sdks, "load", lambda _: None)
    (found,) = resources.load(resource).check({})
    assert not found.is_error
    assert f"launchyard[{extra}]" in found.text


def test_the_table_of_vertex_is_that_of_its_client() -> None:
    # Given the messages of the installed client
    from google.cloud.aiplatform_v1 import types

    from broker_config.resources.vertex import MESSAGES

    # When the table's are compared with them, then none has a field more or less
    for name, fields in MESSAGES.items():
        assert set(fields) == set(getattr(types, name).meta.fields), name
