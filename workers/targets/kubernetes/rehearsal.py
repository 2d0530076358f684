"""What a cluster says to an object before there is one: to the object itself, and to its pods, which come after it.

Quotas of pods and GPUs, LimitRanges, pod security and service accounts are looked at when a controller makes the pods,
and not when the object is created. So a pod of each template is rehearsed too. Nothing is made: `dryRun` of the API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

from broker_config.findings import Finding, error, warning
from workers.kubernetes.cluster import Object, Refused
from workers.kubernetes.demands import demand_of
from workers.kubernetes.resource import PODS
from workers.kubernetes.room import Reading, nodes_of
from workers.targets.kubernetes.kinds import kind_of
from workers.targets.kubernetes.places import Place
from workers.targets.kubernetes.rights import Right, is_allowed, missing
from workers.targets.protocol import Request

_NOT_REHEARSED = "does not support dry run"
"""In the words of a server whose webhooks would do something for good."""


def rehearse(place: Place, request: Request) -> list[Finding]:
    """What the cluster has against an object and its pods: an error where it would refuse them, else a warning.

    Raises:
        TemporaryError: when it does not answer.
        RunFailed: when it does not say what these credentials may do.
    """
    body = deepcopy(dict(request.body["object"]))
    templates = [pod.template for pod in kind_of(body).find_pods(body) if pod.template and "spec" in pod.template]
    lacking = missing(place)
    # The server looks at all else only once the right is there.
    may_create = Right("create", place.resource) not in lacking
    found = [*_of_rights(place, lacking), *(_said(place, place.path(""), body) if may_create else [])]
    if may_create and not any(one.is_error for one in found):
        found += _of_pods(place, body["metadata"]["name"], templates)
    for service in request.body.get("services", []):
        found += _of_service(place, service)
    if not any(one.is_error for one in found):
        found += _of_nodes(place, templates)
    return list(dict.fromkeys(found))


def _of_rights(place: Place, lacking: list[Right]) -> Iterator[Finding]:
    if lacking:
        listed = ", ".join(map(str, lacking))
        yield error("", f"in namespace {place.namespace} an agent needs rights that are not there: {listed}")


def _of_pods(place: Place, name: str, templates: Sequence[Object]) -> Iterator[Finding]:
    if templates and not is_allowed(place, Right("create", PODS)):
        cure = f"ask with credentials that may create pods in namespace {place.namespace}"
        yield warning("", f"quotas and policies of pods were not asked about; {cure}")
        return
    for template in templates:
        metadata = {**(template.get("metadata") or {}), "generateName": f"{name}-"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        for finding in _said(place, PODS.path(place.namespace), pod):
            yield finding._replace(text=f"of its pods: {finding.text}") if finding.is_error else finding


def _of_service(place: Place, service: Object) -> Iterator[Finding]:
    what = f"{service['kind']} {service['metadata']['name']}"
    try:
        path = place.cluster.resource(service["apiVersion"], service["kind"]).path(place.namespace)
    except Refused as refused:
        yield error("", f"of {what}: {refused}")
    else:
        yield from (finding._replace(text=f"of {what}: {finding.text}") for finding in _said(place, path, service))


def _of_nodes(place: Place, templates: Sequence[Object]) -> Iterator[Finding]:
    """Devices that no node has now. Only a warning, as some clusters add nodes when pods wait for them."""
    demands = dict.fromkeys(demand for one in templates if (demand := demand_of(one["spec"])) is not None)
    if demands and (nodes := nodes_of(place.cluster)) is not None:
        for demand in demands:
            if lack := Reading(nodes).lack(demand):
                yield warning("", f"its pods would wait for a node that there is not now: {lack}")


def _said(place: Place, path: str, body: Object) -> Iterator[Finding]:
    try:
        yield from (warning("", f"the cluster warns: {words}") for words in place.cluster.rehearse(path, body))
    except Refused as refused:
        if _NOT_REHEARSED in str(refused):
            yield warning("", f"the cluster cannot say more without creating it: {refused}")
        else:
            yield error("", str(refused))
