"""What Vertex AI says of jobs in the log, and Pub/Sub brings: agents look at once, and believe none of it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from google.cloud.aiplatform_v1.types import JobState

from broker_config.platforms import Hint
from broker_config.store import Store
from tests.clouds.google_cloud import PROJECT
from tests.clouds.pub_sub import Subscription
from tests.clouds.vertex import LOCATION, shared_cloud
from tests.clouds.vertex_jobs import FakeJob
from tests.workers.targets.vertex_lab import VertexLab
from tests.workers.targets.watching import followed
from workers.limits import SharedLimits
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase
from workers.targets.push import Told
from workers.targets.vertex.events import Events
from workers.targets.vertex.target import VertexTarget

NAME = f"projects/{PROJECT}/subscriptions/job-events"
PLACE = f"vertex/projects/{PROJECT}/locations/{LOCATION}"
SELDOM = Bounds(fastest=60.0, slowest=60.0, fresh=0.0, settled=-2.0, listening=0.1, spacing=0.01)
"""An agent that sees nothing in the time of a test but what it is told of."""


def entry(job: str, number: int = 1, project: str = PROJECT) -> dict[str, Any]:
    """As the documentation of Cloud Logging shows one, with what Vertex AI's own task writes."""
    return {
        "insertId": f"1a2b3c{number}",
        "jsonPayload": {"message": "Job completed successfully."},
        "resource": {"type": "ml_job", "labels": {"job_id": job, "project_id": project, "task_name": "service"}},
        "timestamp": "2026-11-23T12:00:00.123456789Z",
        "severity": "INFO",
        "logName": f"projects/{project}/logs/ml.googleapis.com%2F{job}",
        "receiveTimestamp": "2026-11-23T12:00:01.5Z",
    }


def places(project: str) -> list[str]:
    return [PLACE] if project == PROJECT else []


def test_an_entry_says_of_which_job_there_is_news() -> None:
    events = Events(NAME, places)
    assert events.read(json.dumps(entry("123"))) == [Told(PLACE, Hint("123", "1a2b3c1"))]
    assert events.read(json.dumps(entry("123", project="another"))) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[]", "{}"),
        json.dumps({**entry("123"), "insertId": 1}),
        json.dumps({**entry("123"), "resource": {"type": "k8s_pod", "labels": {}}}),
        json.dumps({**entry("123"), "resource": {"type": "ml_job", "labels": {"job_id": "123"}}}),
    ],
)
def test_what_is_no_entry_of_a_job_is_told_from_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Events(NAME, places).read(text)


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> VertexLab:
    cloud = shared_cloud()
    cloud.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return VertexLab(home, cloud)


@pytest.fixture
def subscription(lab: VertexLab) -> Subscription:
    made = lab.services.subscriptions[NAME] = Subscription()
    return made


def agent(lab: VertexLab, store: Store, *names: str) -> VertexTarget:
    target = lab.another_agent(SELDOM)
    target.notify([*names, "https://sqs.eu-west-1.amazonaws.com/123456789012/job-events"])
    target.share(SharedLimits(store.platforms))
    return target


def run(lab: VertexLab, target: VertexTarget) -> tuple[str, FakeJob]:
    """A run of that agent's, which is seen to run."""
    request = lab.request()
    target.submit(request)
    job = lab.job(request.name)
    job.move(JobState.JOB_STATE_RUNNING)
    return request.name, job


def test_an_entry_that_one_agent_receives_has_the_agent_of_the_run_look(
    lab: VertexLab, store: Store, subscription: Subscription, caplog: pytest.LogCaptureFixture
) -> None:
    # Given an agent with a subscription, and another one whose run it is; none of them is to list for a minute
    listener, owner = agent(lab, store, NAME), agent(lab, store)
    runs = [(target, *run(lab, target)) for target in (listener, owner)]
    with ExitStack() as stack:
        for target, name, _ in runs:
            stack.enter_context(followed(target))
            eventually(lambda target=target, name=name: target.observe([name])[name].phase is Phase.RUNNING)

        # When both runs end, and Vertex AI says so, twice and with rubbish in between
        for _, _, job in runs:
            job.move(JobState.JOB_STATE_SUCCEEDED)
            for text in (json.dumps(entry(job.id)), "rubbish", json.dumps(entry(job.id, 2))):
                subscription.send(text)

        # Then both hear of it
        for target, name, _ in runs:
            eventually(lambda target=target, name=name: target.observe([name])[name].phase is Phase.SUCCEEDED)
        eventually(lambda: subscription.length == 0)
        assert caplog.text.count("push-dropped") == 2


def test_an_entry_that_is_not_true_changes_nothing(lab: VertexLab, store: Store, subscription: Subscription) -> None:
    # Given
    target = agent(lab, store, NAME)
    name, job = run(lab, target)
    with followed(target):
        eventually(lambda: target.observe([name])[name].phase is Phase.RUNNING)
        before = lab.server.faults.calls["ListCustomJobs"]

        # When somebody says that it has ended
        subscription.send(json.dumps(entry(job.id)))

        # Then the agent looks, and it has not
        eventually(lambda: lab.server.faults.calls["ListCustomJobs"] > before)
        eventually(lambda: subscription.length == 0)
        assert target.observe([name])[name].phase is Phase.RUNNING
