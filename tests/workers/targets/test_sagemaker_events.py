"""Events of SageMaker's jobs that come through a queue of SQS: agents look at once, and believe none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.platforms import Hint
from broker_config.store import Store
from tests.clouds.sagemaker import client, shared_cloud
from tests.workers.targets.sagemaker_lab import SageMakerLab
from tests.workers.targets.watching import followed
from workers.limits import SharedLimits
from workers.targets.contract.waiting import eventually
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase
from workers.targets.push import Told
from workers.targets.sagemaker.events import read
from workers.targets.sagemaker.target import SageMakerTarget

JOB = "launchyard-k3v9q2m7x1za-1"
PLACE = "sagemaker/aws/123456789012/eu-west-1"
SELDOM = Bounds(fastest=60.0, slowest=60.0, fresh=0.0, settled=-2.0, listening=0.1, spacing=0.01)
"""An agent that sees nothing in the time of a test but what it is told of."""


def event(name: str = JOB, noun: str = "Training", **detail: str) -> dict[str, Any]:
    """As the documentation shows it, with less in it."""
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:{noun.lower()}-job/{name}"
    return {
        "version": "0",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "detail-type": f"SageMaker {noun} Job State Change",
        "source": "aws.sagemaker",
        "account": "123456789012",
        "time": "2026-11-23T12:00:00Z",
        "region": "eu-west-1",
        "resources": [arn],
        "detail": {f"{noun}JobName": name, f"{noun}JobArn": arn, **detail},
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            event(TrainingJobStatus="InProgress", SecondaryStatus="Downloading"),
            Told(f"{PLACE}/training-job", Hint(JOB, "Downloading")),
        ),
        (
            event(f"team-{JOB}", "Processing", ProcessingJobStatus="Completed"),
            Told(f"{PLACE}/processing-job", Hint(f"team-{JOB}", "Completed")),
        ),
        (event("somebody-elses", TrainingJobStatus="Completed"), None),
        (event(noun="Transform", TransformJobStatus="Completed"), None),
    ],
)
def test_an_event_says_where_a_job_is_and_how_far(told: Mapping[str, Any], expected: Told | None) -> None:
    assert read(json.dumps(told)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "no JSON", "[]", "{}"),
        json.dumps({**event(TrainingJobStatus="Completed"), "source": "aws.ec2"}),
        json.dumps({**event(TrainingJobStatus="Completed"), "resources": []}),
        json.dumps({**event(TrainingJobStatus="Completed"), "resources": [JOB]}),
        json.dumps(event()),
    ],
)
def test_what_is_no_event_of_a_job_is_told_from_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_whatever_an_event_has_in_it_does_no_harm(detail: Any) -> None:
    told = {**event(), "detail": {**event()["detail"], "TrainingJobStatus": detail, "SecondaryStatus": detail}}
    if isinstance(detail, str):
        assert read(json.dumps(told)) is not None
    else:
        with pytest.raises(ValueError, match="TrainingJobStatus"):
            read(json.dumps(told))


@dataclass
class Queue:
    """A queue of SQS."""

    url: str
    client: Any

    def send(self, text: str) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=text)

    @property
    def length(self) -> int:
        """Messages that were not removed."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=[*names])["Attributes"]
        return sum(int(found[name]) for name in names)


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerLab:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return SageMakerLab(home, cloud.sagemaker)


@pytest.fixture
def queue(lab: SageMakerLab) -> Iterator[Queue]:
    sqs = client(shared_cloud().variables, "sqs")
    made = Queue(sqs.create_queue(QueueName="job-events")["QueueUrl"], sqs)
    yield made
    sqs.delete_queue(QueueUrl=made.url)


def agent(lab: SageMakerLab, store: Store, *urls: str) -> SageMakerTarget:
    target = lab.another_agent(SELDOM)
    target.notify([*urls, "projects/research/subscriptions/launchyard"])
    target.share(SharedLimits(store.platforms))
    return target


def run(lab: SageMakerLab, target: SageMakerTarget) -> str:
    """A run of that agent's, which is seen to run."""
    request = lab.request()
    target.submit(request)
    lab.job(request.name).move("Training")
    return request.name


def test_an_event_that_one_agent_receives_has_the_agent_of_the_run_look(
    lab: SageMakerLab, store: Store, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    # Given an agent with a queue, and another one whose run it is; none of them is to list for a minute
    listener, owner = agent(lab, store, queue.url), agent(lab, store)
    names = run(lab, listener), run(lab, owner)
    with ExitStack() as stack:
        for target, name in ((listener, names[0]), (owner, names[1])):
            stack.enter_context(followed(target))
            eventually(lambda target=target, name=name: target.observe([name])[name].phase is Phase.RUNNING)

        # When both runs end, and SageMaker says so, twice and with rubbish in between
        for name in names:
            lab.job(name).move("Completed")
            said = event(lab.job(name).name, TrainingJobStatus="Completed", SecondaryStatus="Completed")
            for text in (json.dumps(said), "rubbish", json.dumps(said)):
                queue.send(text)

        # Then both hear of it
        for target, name in ((listener, names[0]), (owner, names[1])):
            eventually(lambda target=target, name=name: target.observe([name])[name].phase is Phase.SUCCEEDED)
        eventually(lambda: queue.length == 0)
        assert caplog.text.count("push-dropped") == 2


def test_an_event_that_is_not_true_changes_nothing(lab: SageMakerLab, store: Store, queue: Queue) -> None:
    # Given
    target = agent(lab, store, queue.url)
    name = run(lab, target)
    with followed(target):
        eventually(lambda: target.observe([name])[name].phase is Phase.RUNNING)
        before = lab.server.faults.calls["ListTrainingJobs"]

        # When somebody says that it has failed
        queue.send(json.dumps(event(lab.job(name).name, TrainingJobStatus="Failed", SecondaryStatus="Failed")))

        # Then the agent looks, and it has not
        eventually(lambda: lab.server.faults.calls["ListTrainingJobs"] > before)
        eventually(lambda: queue.length == 0)
        assert target.observe([name])[name].phase is Phase.RUNNING
