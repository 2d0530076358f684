"""A folder of code, from the launch to its end in the cluster, built by the BuildKit that the chart puts there."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.queues import Queue
from broker_config.runs import Run
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client
from tests.agents import AgentProcess
from tests.certificates import Certificates, make_certificates
from tests.cluster import cluster, has_condition, namespace, registry, until
from tests.faults.proxy import TcpProxy
from tests.k8s.chart import CHART, helm
from tests.lab.buildkit.image import push_image
from tests.services import require
from workers.builders.buildkit.daemon import introduce
from workers.config.buildkit import BuildkitTls
from workers.images.buildx.program import find
from workers.kubernetes.resource import PODS, SECRETS

QUEUE = "cluster-queue"
READY_SECONDS = 60
CONFIG = """
[registry."docker.io"]
mirrors = ["{registry}"]
[registry."{registry}"]
http = true
"""


@dataclass(frozen=True)
class Daemon:
    """A release of the chart that has nothing but BuildKit, and the way to it."""

    namespace: str
    address: str
    certificates: Certificates

    @property
    def tls(self) -> BuildkitTls:
        """By which it lets an agent in."""
        made = self.certificates
        return BuildkitTls(ca=made.authority, cert=made.server, key=made.server_key)


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    cluster()
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    certificates = make_certificates(home / "tls")
    repository, _, tag = push_image(registry()).rpartition(":")
    with namespace() as space:
        _keep(space, certificates)
        values = {
            "valkey": {"enabled": False},
            "broker": {"url": "redis://elsewhere.example.com"},
            "buildkit": {
                "enabled": True,
                "image": {"repository": repository, "tag": tag},
                "daemonSecret": "certificates",
                "agentSecret": "certificates",
                "config": CONFIG.format(registry=registry()),
            },
        }
        done = helm("install", "yard", str(CHART), "--namespace", space, values=values)
        assert done.returncode == 0, done.stderr
        # The lab's cluster has neither DNS nor services.
        proxy = TcpProxy(until(lambda: _address(space), READY_SECONDS), 1234)
        yield Daemon(space, f"tcp://127.0.0.1:{proxy.port}", certificates)
        proxy.close()


def _keep(space: str, made: Certificates) -> None:
    """One certificate of both sides: it is for the address at which tests reach the daemon."""
    files = {"ca.crt": made.authority, "tls.crt": made.server, "tls.key": made.server_key}
    data = {name: b64encode(file.read_bytes()).decode() for name, file in files.items()}
    body = {"metadata": {"name": "certificates"}, "type": "kubernetes.io/tls", "data": data}
    cluster().call("POST", SECRETS.path(space), body=body)


def _address(space: str) -> str | None:
    for pod in cluster().listed(PODS.path(space), "app.kubernetes.io/component=buildkit"):
        if has_condition(pod, "Ready"):
            return str(pod["status"]["podIP"])
    return None


def test_a_folder_is_built_by_the_chart_s_rootless_daemon_pushed_pulled_and_run(
    settings: Settings, home: Path, daemon: Daemon, agent: Callable[..., AgentProcess]
) -> None:
    # Given
    tls = daemon.tls.model_dump(mode="json")
    config = {
        "builder": {"type": "buildkit", "address": daemon.address, "tls": tls},
        "registry": {"uri": f"{registry()}/jobs/{daemon.namespace}", "plain_http": True},
    }
    (settings.home / "launch-config.yaml").write_text(json.dumps(config))
    (home / "code").mkdir()
    (home / "code" / "requirements.txt").write_text("six==1.17.0\n")
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="kubernetes", config={"namespace": daemon.namespace}))
    agent(QUEUE).start()

    def launched(edition: str) -> tuple[Run, list[str]]:
        (home / "code" / "train.py").write_text(f"import six\nprint('{edition} with', six.__version__)\n")
        handle = client.launch(queue=QUEUE, source=str(home / "code"), entry_point=["python", "train.py"])
        handle.wait(120)
        return client.run(handle.id).run, [*handle.logs()]

    # When
    (first, lines), (edited, later) = [launched(edition) for edition in ("one", "two")]

    # Then
    assert [run.state for run in (first, edited)] == [State.SUCCEEDED] * 2, (first.text, lines, edited.text, later)
    assert "one with 1.17.0" in lines
    assert "two with 1.17.0" in later
    assert first.image.startswith(f"{registry()}/jobs/{daemon.namespace}@sha256:")
    assert edited.image != first.image
    assert any(line.strip().startswith("cached") and "requirements.txt" in line for line in later)


def test_the_daemon_lets_nobody_in_without_a_certificate_of_its_authority(home: Path, daemon: Daemon) -> None:
    # Given
    stranger = BuildkitTls(ca=daemon.certificates.authority)

    # Then
    assert introduce(daemon.address, daemon.tls, home).platform.startswith("linux/")
    with pytest.raises(ConfigError, match="no BuildKit daemon answers"):
        assert introduce(daemon.address, stranger, home).platform
