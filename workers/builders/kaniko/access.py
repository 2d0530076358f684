"""Whether the agent may do in its namespace what a build takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker_config.errors import LaunchyardError
from workers.kubernetes.cluster import Cluster, Object

NEEDED = {
    ("batch", "jobs"): ("create", "get", "patch", "delete"),
    ("", "pods"): ("get", "list", "watch"),
    ("", "pods/log"): ("get",),
    ("", "configmaps"): ("create", "get"),
    ("", "secrets"): ("create", "get"),
    ("", "events"): ("list",),
}
"""The verbs, by API group and resource. `docs/how-to/kaniko.md` has them as a Role."""


def lacking(cluster: Cluster, namespace: str) -> Sequence[str]:
    """What the cluster says that the agent may not do there, each with the cure."""
    try:
        return list(_refused(cluster, namespace))
    except LaunchyardError as error:
        return [f"cannot ask the cluster what it may do there: {error}"]


def _refused(cluster: Cluster, namespace: str) -> Iterator[str]:
    for (group, resource), verbs in NEEDED.items():
        refused = [verb for verb in verbs if not _may(cluster, namespace, group, resource, verb)]
        if refused:
            cure = "give the agent's account these verbs"
            yield f"may not {', '.join(refused)} {resource} in namespace {namespace}; {cure}"


def _may(cluster: Cluster, namespace: str, group: str, resource: str, verb: str) -> bool:
    name, _, part = resource.partition("/")
    attributes: Object = {"namespace": namespace, "verb": verb, "group": group, "resource": name, "subresource": part}
    review = {"spec": {"resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return bool(cluster.call("POST", path, body=review)["status"]["allowed"])
