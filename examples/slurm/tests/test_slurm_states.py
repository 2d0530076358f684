"""What is made of Slurm's words, and what a queue config may say."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.states import FailureClass, Reason
from launchyard_slurm.commands import Job
from launchyard_slurm.resource import SlurmResource
from launchyard_slurm.states import STATES, observation
from workers.targets.protocol import Phase

ENDED = {"code": 143, "cancelled": False, "forced": False, "failure": ""}


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_has_a_sentence_and_every_failure_a_class(state: str) -> None:
    seen = observation(Job("1", "a", state), None, is_cancelled=False)
    assert seen.text.endswith(".")
    assert (seen.failure is not None) == (seen.phase is Phase.FAILED)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Resources", Reason.UNSCHEDULABLE),
        ("ReqNodeNotAvail, UnavailableNodes:gpu1", Reason.UNSCHEDULABLE),
        ("QOSMaxGRESPerUser", Reason.NOT_ADMITTED),
        ("JobHeldUser", Reason.NOT_ADMITTED),
    ],
)
def test_a_job_that_waits_says_whether_for_room_or_for_leave(reason: str, told: Reason) -> None:
    seen = observation(Job("1", "a", "PENDING", reason), None, is_cancelled=False)
    assert (seen.phase, seen.reason) == (Phase.STARTING, told)
    assert reason in seen.text


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        ("TIMEOUT", FailureClass.TIMEOUT),
        ("PREEMPTED", FailureClass.PREEMPTED),
        ("OUT_OF_MEMORY", FailureClass.USER),
        ("NODE_FAIL", FailureClass.INFRA),
        ("FAILED", FailureClass.INFRA),
    ],
)
def test_slurm_says_why_a_program_was_ended_by_a_signal(state: str, failure: FailureClass) -> None:
    assert observation(Job("1", "a", state), ENDED, is_cancelled=False).failure is failure


def test_who_cancelled_is_told() -> None:
    job = Job("1", "a", "CANCELLED")
    assert "Launchyard did not" in observation(job, ENDED, is_cancelled=False).text
    assert "before its program" in observation(job, None, is_cancelled=True).text


def test_a_state_of_a_later_slurm_ends_no_run() -> None:
    assert observation(Job("1", "a", "DREAMING"), None, is_cancelled=False).phase is Phase.RUNNING


def test_options_are_taken_as_sbatch_names_them() -> None:
    config = {"partition": "gpu", "cpus_per_task": 4, "gres": "gpu:2", "exclusive": True, "env": {"THREADS": 4}}
    assert list(SlurmResource().check(config)) == []
    assert "cpus-per-task" in SlurmResource().canonical(config)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"partitions": "gpu"}, "did you mean 'partition'?"),
        ({"array": "1-4"}, "a run is one job"),
        ({"export": "ALL"}, "names of variables"),
        ({"nodes": [1]}, "text, a number, or true"),
        ({"env": {"A": None}}, "variable 'A' is text or a number"),
        ({"env": "A=1"}, "'env' is an object"),
    ],
)
def test_what_cannot_work_is_said_with_the_cure(config: dict[str, Any], told: str) -> None:
    (found,) = SlurmResource().check(config)
    assert found.is_error
    assert told in found.text
