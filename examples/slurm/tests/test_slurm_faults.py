"""What goes wrong between an agent and Slurm, and what becomes of the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from launchyard_slurm.target import SlurmTarget
from slurm_lab import BOUNDS, Slurm
from workers.failures import RunFailed
from workers.targets.contract.case import Behaviour
from workers.targets.contract.lab import LONG, Lab
from workers.targets.contract.waiting import eventually
from workers.targets.protocol import Phase, Request, Unanswered


class Cluster(Lab):
    """The suite's lab, with faults."""

    case: Slurm

    def have(self, fault: str, text: str = "") -> Path:
        path = self.case.folder / fault
        path.write_text(text)
        return path

    def request(self, behaviour: Behaviour, **config: Any) -> Request:
        return self.target.render(self.case.workload(self.home, self.new_name(), behaviour, config))

    def jobs(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.case.folder.glob("*.json")]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    case = Slurm()
    for name, value in case.variables().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    cluster = Cluster(case, tmp_path / "home")
    yield cluster
    for fault in ("down", "hidden", "full"):
        (case.folder / fault).unlink(missing_ok=True)
    cluster.close()


def submit_until_it_is_taken(cluster: Cluster, request: Request) -> None:
    def taken() -> bool:
        try:
            cluster.target.submit(request)
        except TemporaryError:
            return False
        return True

    eventually(taken)


def test_a_job_whose_id_was_lost_is_found_by_its_name(cluster: Cluster) -> None:
    # Given
    cluster.have("lost-reply")
    request = cluster.request(Behaviour(lines=("only once",), seconds=0.5))
    with pytest.raises(TemporaryError, match="timed out"):
        cluster.target.submit(request)
    # When
    submit_until_it_is_taken(cluster, request)
    # Then
    assert cluster.end_of(request.name).phase is Phase.SUCCEEDED
    assert cluster.lines(request.name) == ["only once"]
    assert len(cluster.jobs()) == 1


def test_of_two_jobs_of_one_run_one_does_nothing(cluster: Cluster) -> None:
    # Given a job that waits, of which neither sbatch nor squeue has told
    full = cluster.have("full")
    cluster.have("lost-reply")
    cluster.have("hidden", "2")
    request = cluster.request(Behaviour(lines=("only once",), seconds=0.5))
    with pytest.raises(TemporaryError):
        cluster.target.submit(request)
    # When
    submit_until_it_is_taken(cluster, request)
    full.unlink()
    # Then
    assert cluster.end_of(request.name).phase is Phase.SUCCEEDED
    eventually(lambda: [job["state"] for job in cluster.jobs()] == ["COMPLETED"] * 2)
    assert cluster.lines(request.name) == ["only once"]


def test_a_job_that_is_not_listed_yet_is_not_taken_for_gone(cluster: Cluster) -> None:
    # Given
    cluster.have("hidden", "3600")
    name = cluster.request(Behaviour(seconds=LONG))
    cluster.target.submit(name)
    # When
    seen = cluster.another_agent().observe([name.name])
    # Then
    assert seen[name.name].phase is Phase.STARTING


def test_while_the_controller_is_down_nothing_is_guessed_and_afterwards_all_goes_on(cluster: Cluster) -> None:
    # Given
    name = cluster.submit(Behaviour(lines=("done",), seconds=0.5))
    down = cluster.have("down")
    other = cluster.another_agent()
    with pytest.raises(TemporaryError, match="Unable to contact slurm controller"):
        other.observe([name])
    with pytest.raises(TemporaryError, match="Unable to contact slurm controller"):
        other.submit(cluster.request(Behaviour()))
    # When
    down.unlink()
    # Then
    assert cluster.end_of(name).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("accounting", [True, False])
def test_an_end_of_which_squeue_knows_nothing_any_more_is_known(cluster: Cluster, accounting: bool) -> None:
    # Given
    cluster.have("forgetful")
    if not accounting:
        cluster.have("no-accounting")
    # When
    name = cluster.submit(Behaviour(exit_code=5))
    # Then
    assert cluster.end_of(name).exit_code == 5


def test_a_job_that_waits_says_why_and_can_be_cancelled(cluster: Cluster) -> None:
    # Given
    cluster.have("full")
    name = cluster.submit(Behaviour(lines=("never",)))
    waiting = eventually(lambda: (seen := cluster.observe(name)) and seen.reason is Reason.UNSCHEDULABLE and seen)
    assert "Resources" in waiting.text
    # When
    cluster.target.cancel(name, 30.0)
    # Then
    assert cluster.end_of(name).phase is Phase.CANCELLED
    assert cluster.lines(name) == []


def test_what_slurm_refuses_is_told_in_its_words(cluster: Cluster) -> None:
    with pytest.raises(RunFailed, match="Invalid partition name") as failed:
        cluster.target.submit(cluster.request(Behaviour(), partition="none"))
    assert (failed.value.reason, failed.value.failure) == (Reason.TARGET_REFUSED, FailureClass.CONFIG)


def test_a_machine_without_slurm_is_told_where_agents_run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    request = cluster.request(Behaviour())
    with monkeypatch.context() as bare:
        bare.setenv("PATH", "/nowhere")
        with pytest.raises(ConfigError, match="login node"):
            cluster.target.submit(request)


def test_a_live_job_of_another_home_is_not_taken_for_gone(cluster: Cluster, tmp_path: Path) -> None:
    # Given
    name = cluster.submit(Behaviour(seconds=LONG))
    # When
    with pytest.raises(Unanswered, match="share their home folder"):
        SlurmTarget(tmp_path, BOUNDS).observe([name])


def test_one_squeue_tells_of_all_jobs(cluster: Cluster) -> None:
    # Given
    names = [cluster.submit(Behaviour(seconds=LONG)) for _ in range(3)]
    other = cluster.another_agent()
    calls = cluster.case.folder / "squeue.calls"
    calls.unlink(missing_ok=True)
    # When
    seen = other.observe(names)
    # Then
    assert len(seen) == 3
    assert calls.read_text().split() == ["1"]


def test_jobs_see_of_the_agents_environment_what_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("TEAM_TOKEN", "named")
    monkeypatch.setenv("BROKER_PASSWORD", "not named")
    request = cluster.request(Behaviour(), export="TEAM_TOKEN", env={"THREADS": 2})
    shell = {**request.body, "command": ["sh", "-c", "echo $TEAM_TOKEN $THREADS ${BROKER_PASSWORD-none}"]}
    # When
    cluster.target.submit(Request(request.name, shell))
    # Then
    assert cluster.end_of(request.name).phase is Phase.SUCCEEDED
    assert cluster.lines(request.name) == ["named 2 none"]


def test_a_program_that_is_not_there_is_the_jobs_fault(cluster: Cluster) -> None:
    # Given
    request = cluster.request(Behaviour())
    # When
    cluster.target.submit(Request(request.name, {**request.body, "command": ["no-such-program"]}))
    # Then
    ended = cluster.end_of(request.name)
    assert ended.failure is FailureClass.USER
    assert "no-such-program" in ended.text
