"""The docker target on a real engine, beyond what the contract of all targets says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login
from broker_config.states import FailureClass, Reason
from tests.docker_engine import BASE_IMAGE
from tests.engine_proxy import engine_proxy
from tests.oci_registry import registry
from tests.workers.targets.docker_lab import DockerLab
from workers.failures import RunFailed
from workers.targets.contract.case import Behaviour
from workers.targets.contract.waiting import eventually
from workers.targets.docker import DockerTarget
from workers.targets.protocol import Phase, Request

ROOT = Path(__file__).parents[3]

FOR_EVER = "import time; print('up'); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"


@pytest.fixture
def lab(home: Path) -> Iterator[DockerLab]:
    lab = DockerLab(home)
    yield lab
    lab.close()


# --- submit -----------------------------------------------------------------------------------------------------------


def test_a_container_has_the_runs_name_labels_and_variables(lab: DockerLab) -> None:
    # When
    name = lab.python("import os; print(os.environ['A'], os.getcwd())", {"e": "A=b c", "w": "/tmp", "label": "team=x"})
    # Then
    assert lab.end_of(name).phase is Phase.SUCCEEDED
    assert lab.lines(name) == ["b c /tmp"]
    found = lab.inspect(name)
    assert found is not None
    labels = found["Config"]["Labels"]
    assert labels["launchyard.managed"] == "true"
    assert labels["launchyard.run-id"] == name.split("-")[1]
    assert labels["team"] == "x"


def test_a_running_container_is_adopted_and_not_made_again(lab: DockerLab) -> None:
    # Given
    request = lab.request(FOR_EVER)
    lab.target.submit(request)
    before = lab.inspect(request.name)
    # When
    lab.another_agent().submit(request)
    # Then
    after = lab.inspect(request.name)
    assert before is not None
    assert after is not None
    assert (before["Id"], before["State"]["StartedAt"]) == (after["Id"], after["State"]["StartedAt"])


def test_a_container_that_was_made_and_never_started_is_started(lab: DockerLab) -> None:
    # Given an agent that died between the two
    request = lab.request("print('started')")
    _create(lab, request)
    # When
    lab.target.submit(request)
    # Then
    assert lab.end_of(request.name).phase is Phase.SUCCEEDED
    assert lab.lines(request.name) == ["started"]


@pytest.mark.parametrize("user", ["0:0", "12345:12345"])
def test_code_is_brought_into_a_base_image_for_whatever_user_it_has(lab: DockerLab, home: Path, user: str) -> None:
    # Given
    code = home / "code"
    (code / "data").mkdir(parents=True)
    (code / "data" / "seed").write_text("7")
    (code / "data" / "seed").chmod(0o600)
    script = "import os; print(os.getcwd(), open('data/seed').read()); open('out', 'w').write('done')"
    # When
    name = lab.submit_with(script, folder=code, config={"user": user})
    # Then it can be read and written there, and the agent's own copy stays as it was
    assert lab.end_of(name).phase is Phase.SUCCEEDED, lab.lines(name)
    assert lab.lines(name) == ["/job 7"]
    assert not (code / "out").exists()


def test_a_secret_of_the_agent_is_in_the_container_and_not_in_the_request(
    lab: DockerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("WANDB_API_KEY", "hunter2")
    workload = replace(lab.workload(Behaviour()), secrets=("WANDB_API_KEY", "NOT_THERE"))
    # When
    request = lab.target.render(workload)
    name = lab.submit_with("import os; print(os.environ['WANDB_API_KEY'])", secrets=workload.secrets)
    own = lab.submit_with(
        "import os; print(os.environ['WANDB_API_KEY'])", secrets=workload.secrets, env={"WANDB_API_KEY": "own"}
    )
    # Then
    assert "hunter2" not in repr(request)
    assert [lab.end_of(one).phase for one in (name, own)] == [Phase.SUCCEEDED] * 2
    assert (lab.lines(name), lab.lines(own)) == (["hunter2"], ["own"])


def _create(lab: DockerLab, request: Request) -> None:
    body = dict(request.body["container"])
    body["Labels"] = {**body["Labels"], "launchyard.request-digest": request.digest}
    lab.api.create_container_from_config(body, request.name)


def test_somebody_elses_container_of_that_name_is_left_alone(lab: DockerLab) -> None:
    # Given
    request = lab.request("print('ours')")
    lab.api.create_container_from_config({"Image": BASE_IMAGE, "Cmd": ["python", "-c", FOR_EVER]}, request.name)
    lab.api.start(request.name)
    # When
    with pytest.raises(RunFailed) as failed:
        lab.target.submit(request)
    lab.target.cancel(request.name, 0)
    lab.target.release(request.name)
    # Then
    assert failed.value.reason is Reason.NAME_TAKEN
    assert "docker inspect" in str(failed.value)
    found = lab.inspect(request.name)
    assert found is not None
    assert found["State"]["Running"]
    assert lab.observe(request.name) is None


def test_a_container_that_cannot_be_started_tells_dockers_words_and_frees_the_name(lab: DockerLab) -> None:
    # Given
    request = lab.request("print('hello')", {"device": "/dev/launchyard-has-no-such-device"})
    # When
    with pytest.raises(RunFailed) as failed:
        lab.target.submit(request)
    # Then
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.TARGET_REFUSED)
    assert "/dev/launchyard-has-no-such-device" in str(failed.value)
    assert lab.inspect(request.name) is None
    lab.target.submit(lab.request("print('hello')", name=request.name))
    assert lab.end_of(request.name).phase is Phase.SUCCEEDED


def test_a_config_that_the_engine_refuses_is_the_queues_fault(lab: DockerLab) -> None:
    with pytest.raises(RunFailed) as failed:
        lab.target.submit(lab.request("print()", {"memory": "1k"}))
    assert (failed.value.failure, failed.value.reason) == (FailureClass.CONFIG, Reason.TARGET_REFUSED)
    assert "memory" in str(failed.value).lower()


# --- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repository", ["nothing/here", "refused/image"])
def test_an_image_that_the_registry_does_not_give_fails_the_run_with_its_words(lab: DockerLab, repository: str) -> None:
    with registry() as server, pytest.raises(RunFailed) as failed:
        lab.target.submit(lab.request("print()", image=f"{server.address}/{repository}:1"))
    assert failed.value.reason is Reason.IMAGE_UNAVAILABLE
    assert repository in str(failed.value)


def test_a_registry_that_does_not_answer_is_worth_another_try(lab: DockerLab) -> None:
    with registry() as server:
        image = f"{server.address}/nothing/here:1"
    with pytest.raises(TemporaryError, match="could not be pulled"):
        lab.target.submit(lab.request("print()", image=image))


def test_an_image_that_may_not_be_pulled_is_not(lab: DockerLab) -> None:
    with registry() as server, pytest.raises(RunFailed, match="pull: never") as failed:
        lab.target.submit(lab.request("print()", {"pull": "never"}, image=f"{server.address}/nothing/here:1"))
    assert failed.value.reason is Reason.IMAGE_UNAVAILABLE


def test_a_missing_image_is_pulled(lab: DockerLab) -> None:
    with registry() as server:
        # Given
        image = f"{server.address}/pulled:1"
        lab.api.tag(BASE_IMAGE, f"{server.address}/pulled", "1")
        pushed = list(lab.api.push(image, stream=True, decode=True))
        lab.api.remove_image(image)
        assert not [event for event in pushed if "error" in event]
        # When
        request = lab.request("print('pulled')", image=image)
        lab.target.submit(request)
        # Then
        assert lab.end_of(request.name).phase is Phase.SUCCEEDED
        lab.target.release(request.name)
        lab.api.remove_image(image)


def test_an_image_is_pulled_with_the_login_that_comes_with_its_request(
    lab: DockerLab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a registry that gives nothing without a login, and nobody who is logged in there
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    with registry("agent:secret") as server:
        image = f"{server.address}/private:1"
        lab.api.tag(BASE_IMAGE, f"{server.address}/private", "1")
        login = Login("agent", "secret")
        pushed = list(lab.api.push(image, stream=True, decode=True, auth_config=login.for_engine))
        lab.api.remove_image(image)
        assert not [event for event in pushed if "error" in event]
        asked: list[str] = []

        def known(name: str) -> Login:
            asked.append(name)
            return login

        request = lab.request("print('pulled')", image=image)
        # When it is sent without a login, with one, and again
        with pytest.raises(RunFailed) as failed:
            lab.target.submit(request)
        lab.target.submit(replace(request, login=known))
        lab.target.submit(replace(request, login=known))
        # Then it was asked for once, when the image was missing, and is in nothing that the engine shows
        assert failed.value.reason is Reason.IMAGE_UNAVAILABLE
        assert lab.end_of(request.name).phase is Phase.SUCCEEDED
        assert asked == [image]
        assert "secret" not in json.dumps(lab.inspect(request.name))
        lab.target.release(request.name)
        lab.api.remove_image(image)


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_job_that_takes_more_memory_than_its_limit_is_told_so(lab: DockerLab) -> None:
    # When
    ended = lab.end_of(lab.python("x = bytearray(512 * 2**20)", {"memory": "32m", "memory-swap": "32m"}))
    # Then
    assert (ended.phase, ended.reason, ended.failure) == (Phase.FAILED, Reason.OUT_OF_MEMORY, FailureClass.USER)
    assert "32 MiB" in ended.text


def test_a_job_that_was_killed_from_outside_is_not_blamed(lab: DockerLab) -> None:
    # Given
    name = lab.python(FOR_EVER)
    lab.printed(name)
    # When
    lab.api.kill(name)
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.exit_code, ended.failure) == (Phase.FAILED, 137, FailureClass.INFRA)
    assert "docker kill" in ended.text


def test_a_command_that_the_image_does_not_have_is_explained(lab: DockerLab) -> None:
    # Given
    request = lab.request("print()", {})
    body = {**request.body, "container": {**request.body["container"], "Entrypoint": ["no-such-command"]}}
    # When
    lab.target.submit(Request(request.name, body))
    # Then
    ended = lab.end_of(request.name)
    assert ended.exit_code == 127
    assert "entry point" in ended.text


def test_a_container_that_somebody_removed_is_missing(lab: DockerLab) -> None:
    # Given
    name = lab.python(FOR_EVER)
    # When
    lab.api.remove_container(name, force=True)
    # Then
    assert lab.observe(name) is None


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_a_deaf_job_is_killed_after_its_grace_though_the_agent_that_asked_is_dead(lab: DockerLab) -> None:
    # Given
    name = lab.python(DEAF)
    lab.printed(name)
    # When
    asked = time.monotonic()
    agent = subprocess.Popen(
        [sys.executable, "-c", _CANCEL_AND_WAIT, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert agent.stdout is not None
    assert agent.stdout.readline() == "asked\n"
    agent.send_signal(signal.SIGKILL)
    agent.communicate()
    # Then
    successor = lab.another_agent()
    assert successor.observe([name])[name].phase is Phase.RUNNING
    ended = eventually(lambda: (seen := successor.observe([name])[name]).phase.is_end and seen)
    assert ended
    assert (ended.phase, ended.exit_code) == (Phase.CANCELLED, 137)
    assert 3.0 <= time.monotonic() - asked < 15.0


_CANCEL_AND_WAIT = """
import pathlib, sys, time
from workers.targets.docker import DockerTarget
DockerTarget(pathlib.Path()).cancel(sys.argv[1], 4.0)
print("asked", flush=True)
time.sleep(600)
"""


def test_a_job_that_ends_itself_well_on_the_wish_is_cancelled_all_the_same(lab: DockerLab) -> None:
    # Given
    name = lab.python(
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('up'); time.sleep(600)"
    )
    lab.printed(name)
    # When
    lab.target.cancel(name, 30.0)
    # Then
    ended = lab.end_of(name)
    assert (ended.phase, ended.exit_code) == (Phase.CANCELLED, 0)


def test_cancelling_returns_soon_however_long_the_grace_is(lab: DockerLab) -> None:
    # Given
    name = lab.python(DEAF)
    lab.printed(name)
    # When
    asked = time.monotonic()
    lab.target.cancel(name, 600.0)
    # Then
    assert time.monotonic() - asked < 5.0
    assert lab.target.observe([name])[name].phase is Phase.RUNNING


def test_what_was_made_and_never_started_is_gone_after_a_cancel(lab: DockerLab) -> None:
    # Given
    request = lab.request("print('never')")
    _create(lab, request)
    # When
    lab.target.cancel(request.name, 30.0)
    # Then
    assert lab.observe(request.name) is None


# --- release ----------------------------------------------------------------------------------------------------------


def test_a_release_takes_volumes_without_a_name_and_the_mark_of_a_cancel_along(lab: DockerLab) -> None:
    # Given
    name = lab.python(FOR_EVER, {"v": "/scratch"})
    lab.printed(name)
    lab.target.cancel(name, 5.0)
    lab.end_of(name)
    found = lab.inspect(name)
    assert found is not None
    anonymous = found["Mounts"][0]["Name"]
    # When
    lab.target.release(name)
    # Then
    left = {volume["Name"] for volume in lab.api.volumes()["Volumes"] or []}
    assert not left & {anonymous, name + ".cancelled"}


def test_a_container_that_a_late_agent_made_after_the_release_is_not_started(lab: DockerLab) -> None:
    # Given an agent that was frozen after it had looked for the container, until others had released it
    request = lab.request("print('late')")
    lab.target.release(request.name)
    _create(lab, request)
    # When
    lab.target.submit(request)
    # Then
    assert lab.inspect(request.name) is None


# --- an engine that does not answer -----------------------------------------------------------------------------------


def test_an_engine_that_does_not_answer_is_never_taken_for_an_end(
    lab: DockerLab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = lab.python(FOR_EVER)
    with engine_proxy(home) as proxy:
        # Given a target that has worked
        monkeypatch.setenv("DOCKER_HOST", proxy.address)
        target = DockerTarget(home)
        assert target.observe([name])[name].phase is Phase.RUNNING
        # When
        proxy.cut()
        # Then
        for call in (
            lambda: target.observe([name]),
            lambda: target.read_logs(name, ""),
            lambda: target.cancel(name, 1.0),
            lambda: target.release(name),
            lambda: target.submit(lab.request(FOR_EVER)),
        ):
            with pytest.raises(TemporaryError, match="does not answer"):
                call()
        # When it is back
        proxy.open()
        # Then
        assert target.observe([name])[name].phase is Phase.RUNNING


def test_a_target_is_made_without_an_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/no-engine.sock")
    target = DockerTarget(home)
    # When
    with pytest.raises(TemporaryError) as failed:
        target.observe(["launchyard-x-1"])
    # Then
    assert "DOCKER_HOST" in str(failed.value)
