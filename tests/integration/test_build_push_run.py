"""A repository with packages from PyPI, from its commit to its run, by each builder that pushes by itself."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import docker_config
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client, GitSource
from tests.agents import AgentProcess
from tests.buildkit import buildkitd
from tests.certificates import Certificates, make_certificates
from tests.docker_engine import BASE_IMAGE, engine, mirrored, remove_marks
from tests.docker_registry import LOGIN, docker_registry
from tests.services import require
from tests.workers.sources.git_server import GitServer, new_repository
from workers.images.buildx.program import find

QUEUE = "docker-queue"
REPOSITORY = {
    "requirements.txt": "six==1.17.0\n",
    "train.py": "import os, six\nprint('trained with', six.__version__, 'as', os.getuid())\n",
}


@dataclass(frozen=True)
class Private:
    """A registry with TLS and a password."""

    host: str
    certificates: Certificates


@pytest.fixture
def private(home: Path) -> Iterator[Private]:
    engine()
    certificates = make_certificates(home / "tls")
    (home / "private").mkdir()
    with docker_registry(home / "private", certificates, has_password=True) as host:
        yield Private(host, certificates)


@pytest.fixture
def server(home: Path) -> Iterator[GitServer]:
    require(shutil.which("git") is not None, "git: install it")
    server = GitServer(home / "served")
    yield server
    server.close()


@pytest.fixture(params=["docker", "buildkit"])
def builder(
    request: pytest.FixtureRequest, home: Path, private: Private, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """The block of the agent's config, whose user is logged in at the registry."""
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    plugins = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser() / "cli-plugins"
    (home / "docker").mkdir()
    (home / "docker" / "config.json").write_text(json.dumps(docker_config({private.host: LOGIN})))
    if plugins.exists():
        (home / "docker" / "cli-plugins").symlink_to(plugins.resolve())
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
    block = {"type": request.param, "python-image": BASE_IMAGE}
    with ExitStack() as stack:
        if request.param == "buildkit":
            (home / "open").mkdir()
            mirror = stack.enter_context(docker_registry(home / "open"))
            mirrored(mirror)
            authorities = {private.host: private.certificates.authority}
            block["address"] = stack.enter_context(buildkitd(home, [mirror], authorities=authorities)).address
        yield block


def test_a_repository_with_packages_is_built_pushed_and_run_by_its_digest(
    settings: Settings,
    server: GitServer,
    private: Private,
    builder: dict[str, str],
    agent: Callable[..., AgentProcess],
) -> None:
    # Given
    new_repository(server.root / "train", REPOSITORY)
    registry = {"uri": f"{private.host}/team/jobs", "ca_file": str(private.certificates.authority)}
    config = {"builder": builder, "registry": registry}
    (settings.home / "launch-config.yaml").write_text(json.dumps(config))
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="docker"))
    agent(QUEUE).start()
    # When
    source = GitSource(repository=server.url("train"), ref="main")
    handle = client.launch(queue=QUEUE, source=source, entry_point=["python", "train.py"])
    handle.wait(150)
    # Then
    run, lines = client.run(handle.id).run, [*handle.logs()]
    remove_marks(run.object_name)
    assert run.state is State.SUCCEEDED, (run.text, lines)
    assert "trained with 1.17.0 as 1000" in lines
    engine().remove_image(run.image, force=True)
    digest = run.image.partition("@")[2]
    shown = Distribution(registry["uri"], lambda: LOGIN, "", Transport(ca_file=private.certificates.authority))
    assert run.image == f"{registry['uri']}@{shown.digest(digest)}"
    assert LOGIN.password not in run.model_dump_json() + "\n".join(lines)
    assert LOGIN.password not in (settings.home / "agent@test.log").read_text()
