"""Values that no request holds reach a job at SageMaker, and nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.clouds.sagemaker import client, shared_cloud
from tests.workers.targets.sagemaker_lab import CONFIG, SageMakerLab
from workers.targets.sagemaker import secrets, start
from workers.targets.sagemaker.handles import Handle
from workers.targets.starting import started

PRINTS = "import os; print(*(os.environ.get(name) for name in ('WANDB_API_KEY', 'TOKEN', 'PASSWORD', 'WHOLE')))"


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> SageMakerLab:
    cloud = shared_cloud()
    cloud.sagemaker.reset()
    for name, value in cloud.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_API_KEY", "key-of-the-agent")
    return SageMakerLab(home, cloud.sagemaker)


@pytest.fixture
def vault() -> Any:
    return client(shared_cloud().variables, "secretsmanager")


def secrets_in(vault: Any) -> list[str]:
    return [one["Name"] for one in vault.list_secrets()["SecretList"]]


def test_a_job_gets_the_agents_key_and_its_description_does_not(lab: SageMakerLab, vault: Any) -> None:
    # When
    name = lab.python(PRINTS, secrets=["WANDB_API_KEY"])
    ended = lab.end_of(name)

    # Then
    assert (ended.exit_code, lab.lines(name)) == (0, ["key-of-the-agent None None None"])
    assert "key-of-the-agent" not in json.dumps(lab.job(name).described())
    assert f"launchyard/{Handle.parse(name).run}" in secrets_in(vault)

    # And nothing is left of it after the release
    lab.target.release(name)
    assert f"launchyard/{Handle.parse(name).run}" not in secrets_in(vault)


def test_a_job_gets_what_its_queue_refers_to(lab: SageMakerLab, vault: Any) -> None:
    # Given secrets that somebody else has made
    fields = vault.create_secret(Name=f"fields-{lab.home.name}", SecretString='{"token": "t", "other": "o"}')["ARN"]
    vault.create_secret(Name=f"whole-{lab.home.name}", SecretString="all of it")
    path = f"/team/{lab.home.name}"
    parameters = client(shared_cloud().variables, "ssm")
    parameters.put_parameter(Name=path, Value="p", Type="SecureString")

    # When
    referred = {"TOKEN": f"{fields}#token", "PASSWORD": f"ssm:{path}", "WHOLE": f"secretsmanager:whole-{lab.home.name}"}
    name = lab.python(PRINTS, {**CONFIG, "secrets": referred})

    # Then
    assert lab.end_of(name).exit_code == 0
    assert lab.lines(name) == ["None t p all of it"]


def test_a_job_whose_role_cannot_read_a_secret_says_so_and_fails(lab: SageMakerLab) -> None:
    # When
    name = lab.python(PRINTS, {**CONFIG, "secrets": {"TOKEN": "secretsmanager:nowhere"}})

    # Then its own program was not started
    assert lab.end_of(name).exit_code == 1
    (line,) = lab.lines(name)
    assert "the job's role cannot read the secret of TOKEN" in line
    assert "ResourceNotFoundException" in line


def test_a_secret_of_a_run_that_was_never_submitted_is_removed_with_its_release(lab: SageMakerLab, vault: Any) -> None:
    # Given an agent that ended between the secret and the job
    request = lab.request()
    run = Handle.parse(request.name).run
    vault.create_secret(Name=f"launchyard/{run}", SecretString="{}")

    # When
    lab.target.release(request.name)

    # Then
    assert f"launchyard/{run}" not in secrets_in(vault)


def test_a_submit_that_comes_after_the_release_leaves_no_secret(lab: SageMakerLab, vault: Any) -> None:
    # Given an agent that was frozen before it submitted what another one has seen through
    request = lab.request_for(PRINTS, secrets=["WANDB_API_KEY"])
    other = lab.another_agent()
    other.submit(request)
    lab.end_of(request.name)
    other.release(request.name)

    # When
    lab.another_agent().submit(request)

    # Then
    assert f"launchyard/{Handle.parse(request.name).run}" not in secrets_in(vault)


def test_the_program_starts_the_jobs_own_with_nothing_of_its_own_left() -> None:
    # Given nothing to read
    script = "import os, sys; print(sys.argv, [name for name in os.environ if 'LAUNCHYARD' in name])"

    # When it runs as SageMaker starts it
    done = subprocess.run(
        [sys.executable, start.__file__, sys.executable, "-c", script, "--epochs", "3"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    # Then
    assert done.stdout == "['-c', '--epochs', '3'] []\n"


@pytest.mark.parametrize("entry_point", [["/bin/echo", "it runs"], [sys.executable, "-c", "print('it runs')"]])
def test_a_program_of_any_kind_is_started_through_the_images_python(entry_point: list[str]) -> None:
    # Given an environment as a job has it, with nothing to read
    environment = {**secrets.program(512), "PATH": str(Path(sys.executable).parent)}

    # When
    done = subprocess.run(started(entry_point), env=environment, capture_output=True, text=True, check=True)

    # Then
    assert (done.stdout, done.stderr) == ("it runs\n", "")


def test_an_image_without_python_runs_without_its_secrets_and_says_so() -> None:
    # When
    environment = {**secrets.program(512), "PATH": "/nowhere"}
    command = started(["/bin/echo", "it runs"])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    # Then
    assert done.stdout == "it runs\n"
    assert "this image has no python3" in done.stderr


def test_a_call_is_signed_as_the_sdk_signs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a call as the program makes it
    body = b'{"SecretId": "a"}'
    host = "secretsmanager.eu-west-1.amazonaws.com"
    headers = {"host": host, "content-type": "application/x-amz-json-1.1", "x-amz-target": "x.GetSecretValue"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    at = datetime.now(UTC)

    # When the SDK signs the same at that time
    request = AWSRequest("POST", f"https://{host}/", headers=dict(headers), data=body)
    signer = SigV4Auth(Credentials("AKID", "secret", "token"), "secretsmanager", "eu-west-1")
    signer.add_auth(request)
    stamp = request.headers["X-Amz-Date"]
    assert abs((datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) - at).total_seconds()) < 5

    # Then
    ours = start.signed("secretsmanager", "eu-west-1", headers, body, stamp)
    assert ours["authorization"] == request.headers["Authorization"]


def test_the_credentials_are_those_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the address from which a container has its role's keys
    asked: list[tuple[str, dict[str, str]]] = []

    def fetched(url: str, headers: dict[str, str]) -> dict[str, str]:
        asked.append((url, headers))
        return {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c"}

    monkeypatch.setattr(start, "fetched", fetched)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")

    # Then
    assert start.credentials() == ("a", "b", "c")
    assert asked == [("http://169.254.170.2/v2/credentials/1", {})]
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/keys")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let me")
    start.credentials()
    assert asked[-1] == ("http://127.0.0.1:9/keys", {"Authorization": "let me"})
