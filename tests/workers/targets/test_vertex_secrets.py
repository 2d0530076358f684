"""Values that no request holds reach a custom job, and nobody else."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds.google_cloud import AGENT
from tests.clouds.vertex import shared_cloud
from tests.clouds.vertex_jobs import STILL
from tests.golden.requests import workload
from tests.workers.targets.vertex_lab import CONFIG, POOL, VertexLab, config_with
from tests.workers.targets.workloads import refusal
from workers.targets.vertex import doubts, render, start
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.secrets import name_of, program

PRINTS = "import os; print(*(os.environ.get(name) for name in ('WANDB_API_KEY', 'TOKEN', 'WHOLE')))"


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> VertexLab:
    cloud = shared_cloud()
    cloud.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_API_KEY", "key-of-the-agent")
    return VertexLab(home, cloud)


def put_secret(lab: VertexLab, name: str, value: str) -> None:
    lab.services.secrets[name] = {"name": name}
    lab.services.values[name] = [base64.b64encode(value.encode()).decode()]


def test_a_job_gets_the_agents_key_and_its_description_does_not(lab: VertexLab) -> None:
    # When
    name = lab.python(PRINTS, secrets=["WANDB_API_KEY"])
    ended = lab.end_of(name)

    # Then
    assert (ended.exit_code, lab.lines(name)) == (0, ["key-of-the-agent None None"])
    assert "key-of-the-agent" not in str(lab.job(name).said)
    own = name_of(Handle.parse(name).run)
    assert own in lab.services.secrets

    # And nothing is left of it after the release
    lab.target.release(name)
    assert own not in lab.services.secrets
    assert own not in lab.services.values


def test_a_job_gets_what_its_queue_refers_to(lab: VertexLab) -> None:
    # Given secrets that somebody else has made
    put_secret(lab, "fields", '{"token": "t", "other": "o"}')
    put_secret(lab, "whole", "all of it")

    # When
    project = "projects/research/secrets"
    secrets = {"TOKEN": f"{project}/fields/versions/1#token", "WHOLE": f"{project}/whole"}
    name = lab.python(PRINTS, config_with(secrets=secrets))

    # Then
    assert lab.end_of(name).exit_code == 0
    assert lab.lines(name) == ["None t all of it"]


def test_a_job_whose_account_cannot_read_a_secret_says_so_and_fails(lab: VertexLab) -> None:
    # Given
    put_secret(lab, "team", "value")
    lab.services.readers = {AGENT}

    # When
    name = lab.python(PRINTS, config_with(secrets={"TOKEN": "projects/research/secrets/team"}))

    # Then its own program was not started
    assert lab.end_of(name).exit_code == 1
    (line,) = lab.lines(name)[:1]
    assert "the job's service account cannot read the secret of TOKEN" in line


def test_a_secret_of_a_run_that_was_never_submitted_is_removed_with_its_release(lab: VertexLab) -> None:
    # Given an agent that ended between the secret and the job
    request = lab.request(image=STILL)
    own = name_of(Handle.parse(request.name).run)
    put_secret(lab, own, "{}")

    # When
    lab.target.release(request.name)

    # Then
    assert own not in lab.services.secrets


def test_values_are_kept_in_the_location_of_the_job_alone(lab: VertexLab) -> None:
    name = lab.python("pass", secrets=["WANDB_API_KEY"])

    kept = lab.services.secrets[name_of(Handle.parse(name).run)]
    assert kept["replication"] == {"userManaged": {"replicas": [{"location": "europe-west4"}]}}


def test_the_program_starts_the_jobs_own_with_nothing_of_its_own_left() -> None:
    # Given nothing to read
    script = "import os, sys; print(sys.argv, [name for name in os.environ if 'LAUNCHYARD' in name])"

    # When
    done = subprocess.run(
        [sys.executable, start.__file__, sys.executable, "-c", script, "--epochs", "3"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    # Then
    assert done.stdout == "['-c', '--epochs', '3'] []\n"


def test_vertex_finds_no_reference_to_a_variable_in_the_program() -> None:
    assert program()
    assert all("$" not in variable["value"] for variable in program())


@pytest.mark.parametrize("reference", ["hf-token", "projects/p/secrets/", "projects/p/secrets/s/versions/", "value"])
def test_what_is_no_reference_is_refused_with_what_one_is(reference: str) -> None:
    config = {"spec": {**CONFIG["spec"], "secrets": {"TOKEN": reference}}}

    assert "no reference for 'TOKEN'; write projects/PROJECT/secrets/SECRET" in refusal(
        render, config, entry_point=["python", "train.py"]
    )


def test_an_image_that_starts_by_itself_cannot_be_given_the_queues_secrets() -> None:
    config = {"spec": {**CONFIG["spec"], "secrets": {"TOKEN": "projects/p/secrets/s"}}}

    assert "needs an entry point" in refusal(render, config)


def test_a_plan_tells_that_secrets_do_not_reach_an_image_that_starts_by_itself() -> None:
    without = render(workload({"config": dict(CONFIG)}))
    with_command = render(workload({"config": dict(CONFIG), "entry_point": ["python"]}))

    assert "WANDB_API_KEY" in next(doubts(without))
    assert list(doubts(with_command)) == []


def test_a_variable_of_the_containers_own_wins_over_the_agents() -> None:
    # Given a queue that has a value for it
    pool = {**POOL, "container_spec": {"env": [{"name": "WANDB_API_KEY", "value": "of-the-queue"}]}}
    config = {"spec": {"worker_pool_specs": [pool]}}

    # When
    body = render(workload({"config": config, "entry_point": ["python"], "secrets": ["WANDB_API_KEY"]})).body

    # Then
    container = body["custom_job"]["job_spec"]["worker_pool_specs"][0]["container_spec"]
    assert body["secrets"] == []
    assert container["command"] == ["python"]
