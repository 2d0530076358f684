"""Whatever happens at SageMaker, and however it answers: each end is told, and none that did not come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker_config.errors import TemporaryError
from tests.clouds.faults import Fault
from tests.clouds.sagemaker import SageMaker, shared_cloud
from tests.clouds.sagemaker_jobs import FakeJob
from tests.workers.targets.sagemaker_lab import QUICK, SageMakerLab
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Observation, Target
from workers.targets.sagemaker.jobs import read
from workers.targets.sagemaker.operations import TRAINING
from workers.targets.sagemaker.states import observation

COURSE = ("Pending", "Downloading", "Training", "Interrupted", "Training", "Uploading")
ENDS = ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded")
JOBS = 3

moves = st.tuples(st.just("move"), st.integers(0, JOBS - 1), st.sampled_from([*COURSE, *ENDS]))
faults = st.tuples(
    st.just("fault"),
    st.sampled_from(["ListTrainingJobs", "DescribeTrainingJob", "ListTags", ""]),
    st.sampled_from(["ThrottlingException", "InternalFailure", ""]),
)
looks = st.tuples(st.just("look"), st.booleans(), st.none())


@pytest.fixture(scope="module")
def server() -> Iterator[SageMaker]:
    cloud = shared_cloud()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.variables.items():
            environment.setenv(name, value)
        yield cloud.sagemaker


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(st.one_of(moves, moves, faults, looks), max_size=12))
def test_what_is_told_of_a_job_is_never_an_end_that_did_not_come(
    history: list[tuple[str, object, object]], server: SageMaker
) -> None:
    server.reset()
    with TemporaryDirectory(prefix="ly-") as home:
        # Given some jobs, and a second agent that has heard of none
        lab = SageMakerLab(Path(home), server)
        jobs = dict(lab.submit() for _ in range(JOBS))
        agents = [lab.target, lab.another_agent(QUICK)]

        # When things happen to them, and agents look in between
        for what, one, other in history:
            if what == "move":
                _move(list(jobs.values())[int(str(one))], str(other))
            elif what == "fault":
                server.faults.add(Fault(str(one), code=str(other), status=500 if other == "InternalFailure" else 400))
            else:
                _look(agents[bool(one)], jobs)

        # Then both know in the end what SageMaker does
        server.faults.clear()
        for agent in agents:
            eventually(partial(_agrees, agent, jobs))


def _agrees(agent: Target, jobs: dict[str, FakeJob]) -> bool:
    return _look(agent, jobs) == {name: _truth(job) for name, job in jobs.items()}


def _move(job: FakeJob, secondary: str) -> None:
    if job.secondary not in ENDS:
        why = {"FailureReason": "AlgorithmError: , exit code: 3"} if secondary == "Failed" else {}
        job.move(secondary, **why)


def _truth(job: FakeJob) -> Observation:
    return _without_words(observation(read(TRAINING, job.described())))


def _without_words(seen: Observation) -> Observation:
    """Lists have fewer of them than descriptions."""
    return replace(seen, text="")


def _look(agent: Target, jobs: dict[str, FakeJob]) -> dict[str, Observation] | None:
    """What an agent says of the jobs; None when it has no answer."""
    try:
        seen = {name: _without_words(told) for name, told in agent.observe([*jobs]).items()}
    except TemporaryError:
        return None
    assert seen.keys() == jobs.keys(), "a job is gone"
    for name, told in seen.items():
        assert not told.phase.is_end or told == _truth(jobs[name]), "an end that did not come"
    return seen
