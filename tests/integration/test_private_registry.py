"""An image from its source to its run by way of a registry that gives nothing to strangers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker_config.images import ImageOrigin
from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import docker_config
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client
from tests.agents import AgentProcess
from tests.certificates import Certificates, make_certificates
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from tests.docker_registry import LOGIN, docker_registry

QUEUE = "docker-queue"


@pytest.fixture
def certificates(home: Path) -> Certificates:
    return make_certificates(home / "tls")


@pytest.fixture
def host(home: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry with TLS and passwords, at which the agent's user is logged in."""
    engine()
    with docker_registry(home, certificates, has_password=True) as host:
        (home / "docker").mkdir()
        (home / "docker" / "config.json").write_text(json.dumps(docker_config({host: LOGIN})))
        monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
        yield host


def test_code_is_built_pushed_and_pulled_again_by_its_digest_with_the_agents_login(
    settings: Settings, home: Path, host: str, certificates: Certificates, agent: Callable[..., AgentProcess]
) -> None:
    # Given
    config = {
        "builder": {"type": "docker"},
        "registry": {"uri": f"{host}/team/jobs", "ca_file": str(certificates.authority)},
    }
    (settings.home / "launch-config.yaml").write_text(json.dumps(config))
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="docker"))
    code = home / "code"
    code.mkdir()
    (code / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nCOPY train.py /train.py\n")
    (code / "train.py").write_text("print('trained')\n")
    agent(QUEUE).start()

    def launched() -> Run:
        handle = client.launch(queue=QUEUE, source=str(code), entry_point=["python", "/train.py"])
        handle.wait(180)
        run = client.run(handle.id).run
        remove_marks(run.object_name)
        assert run.state is State.SUCCEEDED, (run.text, [*handle.logs()])
        assert "trained" in [*handle.logs()]
        return run

    # When it is built, and when the engine has nothing of it any more
    first = launched()
    engine().remove_image(first.image, force=True)
    again = launched()
    # Then
    engine().remove_image(again.image, force=True)
    assert (first.image_origin, again.image_origin) == (ImageOrigin.BUILT, ImageOrigin.REUSED)
    assert first.image == again.image
    repository = Distribution(f"{host}/team/jobs", lambda: LOGIN, "", Transport(ca_file=certificates.authority))
    assert first.image == f"{host}/team/jobs@{repository.digest(first.image.partition('@')[2])}"
    for run in (first, again):
        assert LOGIN.password not in run.model_dump_json()
        assert LOGIN.basic not in run.model_dump_json()
    assert LOGIN.password not in (settings.home / "agent@test.log").read_text()
