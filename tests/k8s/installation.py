"""The chart on a real cluster, with the images of the product, and a producer outside of it."""

from __future__ import annotations

import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker_config.settings import Settings
from tests.cluster import cluster, registry, until
from tests.compose.installation import ROOT, VALKEY, docker
from tests.docker_engine import BASE_IMAGE, engine
from tests.faults.proxy import TcpProxy
from tests.k8s.chart import CHART, helm
from workers.kubernetes.cluster import MERGE_PATCH
from workers.kubernetes.resource import PODS, SECRETS, Resource

DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
BUILD_SECONDS = 420
READY_SECONDS = 120


@contextmanager
def images() -> Iterator[Mapping[str, Any]]:
    """Launchyard's image and one of Valkey in the lab's registry, as values of the chart."""
    engine()
    host, _, port = registry().rpartition(":")
    # An engine takes a registry without TLS on loopback only.
    proxy = TcpProxy(host, int(port))
    names = {name: f"launchyard-test-{uuid.uuid4().hex[:8]}/{name}" for name in ("launchyard", "valkey")}
    copies = {name: f"127.0.0.1:{proxy.port}/{path}:test" for name, path in names.items()}
    build = ("build", "--quiet", "--build-arg", f"PYTHON_IMAGE={BASE_IMAGE}", "--tag")
    try:
        docker(*build, copies["launchyard"], "--file", f"{ROOT}/compose/Dockerfile", str(ROOT), seconds=BUILD_SECONDS)
        docker(*build, copies["valkey"], str(VALKEY), seconds=BUILD_SECONDS)
        for copy in copies.values():
            docker("push", "--quiet", copy, seconds=BUILD_SECONDS)
        values = {name: {"repository": f"{registry()}/{path}", "tag": "test"} for name, path in names.items()}
        yield {"image": values["launchyard"], "valkey": {"image": values["valkey"]}}
    finally:
        docker("image", "rm", "--force", *copies.values())
        proxy.close()


class Yard:
    """Two releases of the chart in one namespace: a broker, and agents that speak to its pod.

    The lab's cluster has neither DNS nor services, so the agents are given the address of the pod.
    """

    def __init__(self, namespace: str, images: Mapping[str, Any], folder: Path) -> None:
        self.namespace = namespace
        self._images = images
        valkey = {**images["valkey"], "persistence": {"enabled": False}}
        self._install("install", "broker", {"valkey": valkey})
        pod = until(lambda: self._ready("valkey"), READY_SECONDS)
        secret = cluster().get(SECRETS.path(namespace, "broker-launchyard-broker"))["data"]
        password = b64decode(secret["password"]).decode()
        url = f"redis://launchyard:{password}@{pod['status']['podIP']}:6379/0"
        self.settings = Settings(home=folder, broker_url=url, author="tester")

    def agents(self, verb: str, **values: Any) -> None:
        """`install` or `upgrade` the agents of one set, and wait until all of them are ready."""
        broker = {"valkey": {"enabled": False}, "broker": {"url": self.settings.broker_url}}
        self._install(verb, "agents", {"image": self._images["image"], **broker, **values})
        self.settled()

    def restart(self) -> None:
        """What `kubectl rollout restart` does. Comes back when every agent is a new one, and ready."""
        annotations = {"kubectl.kubernetes.io/restartedAt": uuid.uuid4().hex}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        cluster().call("PATCH", self._deployment, body=patch, content_type=MERGE_PATCH)
        self.settled()

    def settled(self) -> None:
        """Wait until every agent has the newest template, is ready, and no older one is left."""
        until(self._is_settled, READY_SECONDS)

    @property
    def _deployment(self) -> str:
        return DEPLOYMENTS.path(self.namespace, "agents-launchyard-agent")

    def _is_settled(self) -> bool:
        found = cluster().get(self._deployment)
        status, wanted = found["status"], found["spec"]["replicas"]
        numbers = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        return status.get("observedGeneration") == found["metadata"]["generation"] and numbers == [wanted] * 3

    def _ready(self, component: str) -> dict[str, Any] | None:
        for pod in cluster().listed(PODS.path(self.namespace), f"app.kubernetes.io/component={component}"):
            if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", [])):
                return pod
        return None

    def _install(self, verb: str, release: str, values: Mapping[str, Any]) -> None:
        done = helm(verb, release, str(CHART), "--namespace", self.namespace, values=values)
        assert done.returncode == 0, done.stderr
