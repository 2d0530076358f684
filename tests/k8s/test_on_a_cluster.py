"""The chart before a real API server, with all of its checks."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import NAMESPACES, cluster, namespace
from tests.k8s.chart import CHART, RELEASE, Object, helm, pod_specs, rendered
from workers.kubernetes.cluster import MERGE_PATCH, Refused
from workers.kubernetes.resource import SECRETS

STRICT = {"dryRun": "All", "fieldValidation": "Strict"}


@pytest.fixture
def place() -> Iterator[str]:
    """A namespace that takes only pods of the level `restricted`."""
    cluster()
    with namespace() as name:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        patch = {"metadata": {"labels": labels}}
        cluster().call("PATCH", NAMESPACES.path(None, name), body=patch, content_type=MERGE_PATCH)
        yield name


def of_everything(place: str) -> dict[str, Any]:
    """Values for all that the chart has, but for KEDA's objects, which its own operator would have to check."""
    builder = {"type": "kaniko", "destination": "registry.example.com/jobs", "namespace": place}
    return {
        "launchConfig": {"queues": ["gpu"], "builder": builder},
        "agent": {"rbac": {"kueue": True, "gpus": True}, "homeSizeLimit": "1Gi", "startTimeout": 600},
        "flower": {"enabled": True},
        "buildkit": {"enabled": True, "persistence": {"enabled": True}},
        "gitCreds": "https://user:token@git.example.com\n",
        "sshAuthSecrets": [{"name": "deploy-key", "host": "github.com"}],
        "customCABundle": {"configMap": {"name": "authorities", "key": "all.pem"}},
        "kanikoPvcName": "contexts",
        "broker": {"ca": {"configMap": "redis-ca"}},
    }


def taken(found: Object, place: str) -> None:
    """Have the server check an object, and make nothing of it."""
    resource = cluster().resource(found["apiVersion"], found["kind"])
    cluster().call("POST", resource.path(place if resource.is_namespaced else None), STRICT, found)


def test_the_server_takes_every_object_of_the_chart(place: str) -> None:
    for each in rendered(of_everything(place), place):
        taken(each, place)


def test_every_pod_passes_the_level_restricted(place: str) -> None:
    # Given: no claim, which only a StatefulSet's own controller brings into a pod, and no BuildKit, which cannot pass
    values = {**of_everything(place), "valkey": {"persistence": {"enabled": False}}, "buildkit": {"enabled": False}}
    specs = list(pod_specs(rendered(values, place)))
    assert len(specs) == 3

    # Then: the server asks for a pod's account first, and these are not there yet
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}}
    for spec in specs:
        taken({**pod, "spec": {**spec, "serviceAccountName": "default"}}, place)

    # And one that may do more does not
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Refused, match="restricted"):
        taken({**pod, "spec": {**spec, "serviceAccountName": "default"}}, place)


def test_an_upgrade_keeps_the_passwords_and_certificates_that_the_installation_made(place: str) -> None:
    # Given
    def secrets() -> dict[str, str]:
        of = ("broker", "flower", "buildkit-daemon", "buildkit-agent")
        found = [cluster().get(SECRETS.path(place, f"{RELEASE}-launchyard-{name}")) for name in of]
        return {f"{n} {key}": value for n, one in enumerate(found) for key, value in one["data"].items()}

    def done(*arguments: str) -> None:
        parts = {"flower": {"enabled": True}, "buildkit": {"enabled": True}}
        values = {**parts, "valkey": {"persistence": {"enabled": False}}}
        said = helm(*arguments, RELEASE, str(CHART), "--namespace", place, values=values)
        assert said.returncode == 0, said.stderr

    done("install")
    made = secrets()

    # When
    done("upgrade")

    # Then
    assert secrets() == made
    assert len(b64decode(made["0 password"])) == 32
