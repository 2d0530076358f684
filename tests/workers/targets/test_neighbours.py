"""Several agents at one place of a platform: what they ask together, counted by the platform's own fake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import JobState

from broker_config.embedded import EmbeddedBroker
from broker_config.settings import Settings
from broker_config.store import Store
from tests.clouds import sagemaker, vertex
from tests.clouds.faults import Fault, Faults
from tests.workers.targets.sagemaker_lab import SageMakerLab
from tests.workers.targets.vertex_lab import VertexLab
from tests.workers.targets.watching import followed
from workers.limits import SharedLimits
from workers.targets.contract.waiting import eventually
from workers.targets.neighbours import Limits
from workers.targets.pace import Bounds
from workers.targets.protocol import Phase, Target

PERIOD = 0.4
BOUNDS = Bounds(fastest=PERIOD, slowest=PERIOD, fresh=0.0, settled=-2.0, listening=0.1, spacing=0.01)


@dataclass
class Platform:
    """A platform as the tests see it, whichever it is."""

    lists: str  # the call
    faults: Faults
    throttled: Fault
    agent: Callable[[Bounds], Target]
    submit: Callable[[Target], str]
    end: Callable[[str], None]


@pytest.fixture(params=["sagemaker", "vertex"])
def platform(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    cloud = {"sagemaker": sagemaker, "vertex": vertex}[request.param].shared_cloud()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    return _sagemaker(cloud, home) if request.param == "sagemaker" else _vertex(cloud, home)


def _sagemaker(cloud: sagemaker.Cloud, home: Path) -> Platform:
    cloud.sagemaker.reset()
    lab = SageMakerLab(home, cloud.sagemaker)
    fault = Fault("ListTrainingJobs", code="ThrottlingException", headers={"retry-after": "2"})

    def submit(target: Target) -> str:
        request = lab.request()
        target.submit(request)
        lab.job(request.name).move("Training")
        return request.name

    return Platform(
        *("ListTrainingJobs", lab.server.faults, fault),
        *(lab.another_agent, submit, lambda name: lab.job(name).move("Completed")),
    )


def _vertex(cloud: vertex.Cloud, home: Path) -> Platform:
    cloud.reset()
    lab = VertexLab(home, cloud)
    hint = {"retry-after": "2"}
    fault = Fault("ListCustomJobs", code="RESOURCE_EXHAUSTED", headers=hint)

    def submit(target: Target) -> str:
        request = lab.request()
        target.submit(request)
        lab.job(request.name).move(JobState.JOB_STATE_RUNNING)
        return request.name

    return Platform(
        *("ListCustomJobs", lab.server.faults, fault),
        *(lab.another_agent, submit, lambda name: lab.job(name).move(JobState.JOB_STATE_SUCCEEDED)),
    )


@dataclass
class Agents:
    """Agents that follow a run each."""

    platform: Platform
    limits: Limits
    stack: ExitStack
    bounds: Bounds = BOUNDS

    def start(self) -> tuple[Target, str]:
        """One more; its target, and the name of its run, which is seen to run."""
        target = self.platform.agent(self.bounds)
        target.share(self.limits)  # type: ignore[attr-defined]
        name = self.platform.submit(target)
        self.stack.enter_context(followed(target))
        eventually(lambda: target.observe([name])[name].phase is Phase.RUNNING)
        return target, name

    def lists(self, seconds: float) -> int:
        """Calls for lists in that time."""
        before = self.platform.faults.calls[self.platform.lists]
        time.sleep(seconds)
        return self.platform.faults.calls[self.platform.lists] - before


@pytest.fixture
def agents(platform: Platform, store: Store) -> Iterator[Agents]:
    with ExitStack() as stack:
        yield Agents(platform, SharedLimits(store.platforms), stack)


def test_agents_at_one_place_list_no_more_often_than_one(agents: Agents) -> None:
    # Given
    for _ in range(4):
        agents.start()
    eventually(lambda: agents.lists(PERIOD * 2) <= 3)

    # When they follow their runs for ten periods
    lists = agents.lists(PERIOD * 10)

    # Then each of them alone would have asked so often
    assert 5 <= lists <= 12


def test_an_end_that_another_agent_has_read_is_told_at_once(agents: Agents) -> None:
    # Given an agent that would look by itself long after another one
    agents.bounds = replace(BOUNDS, fastest=30.0, slowest=30.0)
    slow, name = agents.start()
    agents.bounds = BOUNDS
    agents.start()
    eventually(lambda: agents.lists(PERIOD * 3) >= 2)

    # When
    agents.platform.end(name)

    # Then
    eventually(lambda: slow.observe([name])[name].phase is Phase.SUCCEEDED, seconds=8)


def test_one_agent_that_is_throttled_has_all_leave_the_place_alone_and_their_submits_go_on(agents: Agents) -> None:
    # Given
    for _ in range(3):
        agents.start()

    # When one of them is asked to wait two seconds
    agents.platform.faults.add(agents.platform.throttled)
    eventually(lambda: agents.platform.throttled.times == 0)
    since = time.monotonic()

    # Then nobody lists before, and what is new is submitted all the same
    assert agents.lists(1.5) == 0
    agents.platform.submit(agents.platform.agent(BOUNDS))
    eventually(lambda: agents.lists(0.1) > 0)
    assert time.monotonic() - since > 1.9


def test_an_agent_goes_by_itself_while_the_broker_is_silent(
    platform: Platform, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given agents that share a broker
    broker = EmbeddedBroker(home)
    broker.ensure_running()
    store = Store(Settings(home=home, broker_url=broker.url))
    with ExitStack() as stack:
        agents = Agents(platform, SharedLimits(store.platforms), stack)
        target, name = agents.start()
        other, another = agents.start()

        # When it is gone
        broker.stop()

        # Then each hears of its own run's end
        for one, run in ((target, name), (other, another)):
            platform.end(run)
            eventually(lambda one=one, run=run: one.observe([run])[run].phase is Phase.SUCCEEDED, seconds=5)  # type: ignore[misc]
        assert caplog.text.count("limits-unshared") == 1
    store.close()
