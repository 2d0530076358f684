"""`agent check` says what an agent has to be allowed at AWS for each of its queues, and what of that it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker_config.looks import Look, Status
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from tests.clouds.sagemaker import SageMaker, shared_cloud
from tests.workers.targets.sagemaker_lab import CONFIG
from workers.check import check
from workers.clouds import target_of
from workers.config import AgentConfig
from workers.config.cloud import AwsEnvironment
from workers.targets.sagemaker.target import SageMakerTarget

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, home: Path) -> SageMaker:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    return cloud.sagemaker


def checked(settings: Settings, store: Store, config: dict[str, Any], more: str = "") -> dict[str, Look]:
    store.queues.create(Queue(name="cloud", resource="sagemaker", config=config))
    text = "queues: [cloud]\nbuilder: {type: noop}\nenvironment: {type: aws, region: eu-central-1}\n" + more
    (settings.home / "launch-config.yaml").write_text(text)
    return {line.subject: line for line in check(settings, None)}


def test_the_policy_is_all_that_jobs_of_the_queue_need(settings: Settings, store: Store, server: SageMaker) -> None:
    # When
    lines = checked(settings, store, {**CONFIG, "region": "eu-west-1", "RoleArn": "service-role/Trainer"})

    # Then it is the one that the how-to shows
    assert lines["permissions for queue cloud"].status is Status.OK
    assert lines["target sagemaker"].status is Status.OK
    page = (ROOT / "docs/how-to/sagemaker-queue.md").read_text()
    shown = page.partition("```json\n")[2].partition("```")[0]
    assert json.loads(lines["policy for queue cloud"].text) == json.loads(shown)


def test_what_only_some_configs_need_is_in_their_policies_only(
    settings: Settings, store: Store, server: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent that gives its jobs a key, and a queue for processing jobs
    monkeypatch.setenv("WANDB_API_KEY", "key")
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1, "VolumeKmsKeyId": "a-key"}
    config = {"processing_job": {"RoleArn": "Preparer", "ProcessingResources": {"ClusterConfig": cluster}}}

    # When
    policy = checked(settings, store, {**config, "region": "eu-west-1"})["policy for queue cloud"].text

    # Then
    assert "secretsmanager:CreateSecret" in policy
    assert "sagemaker:StopProcessingJob" in policy
    assert "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/*launchyard-*" in policy
    assert "TrainingJob" not in policy
    assert '"arn:aws:kms:eu-west-1:123456789012:key/a-key"' in policy


def test_each_missing_permission_is_named_beside_the_policy_that_has_it(
    settings: Settings, store: Store, server: SageMaker
) -> None:
    # Given W&B's documented policy, which cannot end a job
    server.denied |= {"StopTrainingJob", "GetResources"}

    # When
    lines = checked(settings, store, dict(CONFIG))

    # Then
    assert lines["permissions for queue cloud"].status is Status.FAILED
    assert "sagemaker:StopTrainingJob, tag:GetResources" in lines["permissions for queue cloud"].text
    assert "sagemaker:StopTrainingJob" in lines["policy for queue cloud"].text
    assert lines["target sagemaker"].status is Status.FAILED


def test_who_hears_of_jobs_by_events_needs_to_read_them(
    settings: Settings, store: Store, server: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent whose events come into a queue that it may not read
    url = f"{server.url}/210987654321/job-events"
    server.denied |= {"ReceiveMessage", "DeleteMessage"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", server.url)

    # When
    lines = checked(settings, store, dict(CONFIG), f"job_events: [{json.dumps(url)}]\n")

    # Then
    missing = lines["permissions for queue cloud"]
    assert missing.status is Status.FAILED
    assert "sqs:ReceiveMessage, sqs:DeleteMessage" in missing.text
    assert {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
        "Resource": "arn:aws:sqs:eu-central-1:210987654321:job-events",
    } in json.loads(lines["policy for queue cloud"].text)["Statement"]


def test_asking_for_permissions_changes_nothing(settings: Settings, store: Store, server: SageMaker) -> None:
    checked(settings, store, dict(CONFIG))
    asked = set(server.faults.calls)
    assert {"StopTrainingJob", "AddTags"} <= asked
    assert not asked & {"CreateTrainingJob"}
    assert server.region("eu-central-1").jobs == {}


def test_a_config_that_cannot_work_is_told_with_its_queue(settings: Settings, store: Store, server: SageMaker) -> None:
    line = checked(settings, store, {**CONFIG, "Environment": {"A": "x" * 600}})["permissions for queue cloud"]
    assert line.status is Status.FAILED
    assert "give it in the run config" in line.text


def test_an_agent_that_nobody_gives_credentials_says_so(
    settings: Settings, store: Store, server: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    line = checked(settings, store, dict(CONFIG))["permissions for queue cloud"]
    assert line.status is Status.FAILED
    assert "AWS has no credentials here" in line.text


def test_a_queue_without_a_region_is_in_the_one_of_the_agents_config(server: SageMaker, home: Path) -> None:
    # Given
    target = target_of(AgentConfig(environment=AwsEnvironment(region="ap-south-1")), "sagemaker", home)
    assert isinstance(target, SageMakerTarget)

    # When
    target.inventory()
    target.observe(["launchyard-abc-1"])

    # Then
    assert server.regions() == {"ap-south-1"}
