"""`agent check` says what an agent has to be allowed at Google Cloud for each queue, and what of that it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker_config.looks import Look, Status
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from tests.clouds.vertex import Cloud, shared_cloud
from tests.workers.targets.vertex_lab import config_with
from workers.check import check

ROOT = Path(__file__).parents[3]
TRAINER = "trainer@research.iam.gserviceaccount.com"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, home: Path) -> Cloud:
    found = shared_cloud()
    found.reset()
    for name, value in found.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    return found


def checked(settings: Settings, store: Store, config: dict[str, Any], more: str = "") -> dict[str, Look]:
    store.queues.create(Queue(name="cloud", resource="vertex", config=config))
    text = "queues: [cloud]\nbuilder: {type: noop}\nenvironment: {type: gcp, region: europe-west4}\n"
    text += more
    (settings.home / "launch-config.yaml").write_text(text)
    return {line.subject: line for line in check(settings, None)}


def test_the_policy_is_all_that_jobs_of_the_queue_need(settings: Settings, store: Store, cloud: Cloud) -> None:
    # When
    lines = checked(settings, store, {**config_with(project="research"), "run": {"service_account": TRAINER}})

    # Then it is the one that the how-to shows
    assert lines["permissions for queue cloud"].status is Status.OK
    assert lines["target vertex"].status is Status.OK
    page = (ROOT / "docs/how-to/vertex-queue.md").read_text()
    shown = page.partition("```json\n")[2].partition("```")[0]
    assert json.loads(lines["policy for queue cloud"].text) == json.loads(shown)


def test_what_only_some_configs_need_is_in_their_policies_only(
    settings: Settings, store: Store, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent that gives its jobs a key, and a queue that has it impersonate an account
    monkeypatch.setenv("WANDB_API_KEY", "key")

    # When
    config = dict(config_with(impersonate_service_account="launcher@research.example"))
    policy = json.loads(checked(settings, store, config)["policy for queue cloud"].text)

    # Then
    assert "secretmanager.versions.add" in policy["role"]["includedPermissions"]
    assert policy["grants"][1:] == [
        {"on": "serviceAccounts/launcher@research.example", "role": "roles/iam.serviceAccountTokenCreator"}
    ]


def test_each_missing_permission_is_named(settings: Settings, store: Store, cloud: Cloud) -> None:
    # Given
    cloud.services.denied |= {"aiplatform.customJobs.cancel", "iam.serviceAccounts.actAs"}

    # When
    lines = checked(settings, store, {**config_with(), "run": {"service_account": TRAINER}})

    # Then
    line = lines["permissions for queue cloud"]
    assert line.status is Status.FAILED
    assert f"aiplatform.customJobs.cancel, iam.serviceAccounts.actAs on {TRAINER};" in line.text


def test_an_agent_that_cannot_ask_says_why(
    settings: Settings, store: Store, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(settings.home / "nothing.json"))

    lines = checked(settings, store, dict(config_with()))

    assert lines["permissions for queue cloud"].status is Status.FAILED
    assert "gcloud auth application-default login" in lines["permissions for queue cloud"].text
    assert lines["target vertex"].status is Status.FAILED


def test_who_hears_of_jobs_through_pub_sub_needs_to_read_there(settings: Settings, store: Store, cloud: Cloud) -> None:
    # Given an agent that may not read its subscription
    name = "projects/research/subscriptions/job-events"
    cloud.services.denied.add("pubsub.subscriptions.consume")

    # When
    lines = checked(settings, store, dict(config_with(project="research")), f"job_events: [{name}]\n")

    # Then
    missing = lines["permissions for queue cloud"]
    assert missing.status is Status.FAILED
    assert f"pubsub.subscriptions.consume on {name}" in missing.text
    grants = json.loads(lines["policy for queue cloud"].text)["grants"]
    assert {"on": name, "role": "roles/pubsub.subscriber"} in grants
