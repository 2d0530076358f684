"""Controllers of those kinds: pods with the labels of the real ones, and a status in their words.

Formats: the training operator's `kubeflow.org/v1`, Volcano's `batch.volcano.sh/v1alpha1`, and of Kubeflow Trainer 2.3
`trainer.kubeflow.org/v1alpha1`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from tests.cluster import cluster, has_condition, until
from workers.kubernetes.cluster import MERGE_PATCH, Refused
from workers.kubernetes.resource import PODS, Resource

Object = dict[str, Any]

DEFINITIONS = Resource(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", is_namespaced=False
)
PYTORCH_JOBS = Resource("kubeflow.org/v1", "PyTorchJob", "pytorchjobs")
VOLCANO_JOBS = Resource("batch.volcano.sh/v1alpha1", "Job", "jobs")
TRAIN_JOBS = Resource("trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs")
SIMULATIONS = Resource("physics.launchyard.example/v1", "Simulation", "simulacra")
WORKLOADS = Resource("kueue.x-k8s.io/v1beta1", "Workload", "workloads")

_OURS = "launchyard-test"
_LOOK_SECONDS = 0.2


def install(name: str) -> None:
    """Define a kind by our file of that name. It stays, as tests beside this one may use it.

    The test is skipped where the cluster has the kind from somebody else: its operator would fight with ours.
    """
    body = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text())
    body["metadata"]["labels"] = {_OURS: "true"}
    found = str(body["metadata"]["name"])
    try:
        cluster().call("POST", DEFINITIONS.path(None), body=body)
    except Refused as error:
        if not error.is_conflict:
            raise
        held = cluster().get(DEFINITIONS.path(None, found))
        if _OURS not in (held["metadata"].get("labels") or {}):
            pytest.skip(f"the cluster has an operator for {found} already")
    until(lambda: has_condition(cluster().get(DEFINITIONS.path(None, found)), "Established"))


class Operator(Protocol):
    """What is particular about one kind."""

    resource: Resource

    def pods(self, found: Object) -> Mapping[str, Object]:
        """The templates of an object's pods, by the pods' names; none while it is not to run."""

    def status(self, found: Object, pods: Sequence[Object]) -> Object | None:
        """Its status now; None where there is nothing to tell."""

    def leftover(self, found: Object, pods: Sequence[Object]) -> Sequence[Object]:
        """Pods that are to go now."""


@dataclass
class Work:
    """What an operator has done."""

    looks: int = 0  # at all of its objects
    made: list[str] = field(default_factory=list)  # the pods, by name

    def look_again(self) -> None:
        """Wait for a look that begins from now on."""
        enough = self.looks + 2
        until(lambda: self.looks >= enough)


@contextmanager
def operating(operator: Operator, space: str) -> Iterator[Work]:
    """Have one at work in a namespace."""
    stop = threading.Event()
    done = Work()

    def work() -> None:
        while not stop.wait(_LOOK_SECONDS):
            for found in cluster().listed(operator.resource.path(space), ""):
                # What is deleted meanwhile is looked at no more.
                with suppress(Refused):
                    done.made += _reconcile(operator, space, found)
            done.looks += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join(10)


def _reconcile(operator: Operator, space: str, found: Object) -> Iterator[str]:
    """Do what an object needs, and tell the names of the pods that are made."""
    if found["metadata"].get("deletionTimestamp"):
        return
    pods = [
        one
        for one in cluster().listed(PODS.path(space), "")
        if any(owner["uid"] == found["metadata"]["uid"] for owner in one["metadata"].get("ownerReferences") or [])
    ]
    there = {one["metadata"]["name"] for one in pods}
    for name, template in operator.pods(found).items():
        if name not in there and not _has_ended(found):
            cluster().call("POST", PODS.path(space), body=_owned(name, template, found))
            yield name
    for one in operator.leftover(found, pods):
        cluster().delete(PODS.path(space, one["metadata"]["name"]), options={"gracePeriodSeconds": 1})
    if not _has_ended(found) and (status := operator.status(found, pods)) is not None:
        is_part = operator.resource is not SIMULATIONS
        path = operator.resource.path(space, found["metadata"]["name"], "status" if is_part else "")
        cluster().call("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)


def _owned(name: str, template: Object, found: Object) -> Object:
    own = {key: found[key] for key in ("apiVersion", "kind")}
    own |= {key: found["metadata"][key] for key in ("name", "uid")}
    owner = {**own, "controller": True, "blockOwnerDeletion": True}
    metadata = {**(template.get("metadata") or {}), "name": name, "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": template["spec"]}


def _has_ended(found: Object) -> bool:
    status = found.get("status") or {}
    word = str((status.get("state") or {}).get("phase") if isinstance(status.get("state"), dict) else "")
    return word in {"Completed", "Failed"} or any(
        has_condition(found, one) for one in ("Succeeded", "Complete", "Failed")
    )


def _phases(pods: Sequence[Object]) -> list[str]:
    return [one["status"].get("phase", "Pending") for one in pods if not one["metadata"].get("deletionTimestamp")]


class TrainingOperator:
    """Of PyTorchJobs: the master's end is the job's, and one pod that failed fails it."""

    resource = PYTORCH_JOBS

    def pods(self, found: Object) -> Mapping[str, Object]:
        if found["spec"]["runPolicy"].get("suspend"):
            return {}
        own = found["metadata"]["name"]
        return {
            f"{own}-{role.lower()}-{index}": _labelled(
                _with_policy(replica),
                {
                    "training.kubeflow.org/job-name": own,
                    "training.kubeflow.org/operator-name": "pytorchjob-controller",
                    "training.kubeflow.org/replica-type": role.lower(),
                    "training.kubeflow.org/replica-index": str(index),
                },
            )
            for role, replica in found["spec"]["pytorchReplicaSpecs"].items()
            for index in range(replica.get("replicas", 1))
        }

    def status(self, found: Object, pods: Sequence[Object]) -> Object | None:
        name, phases = found["metadata"]["name"], _phases(pods)
        masters = _phases([one for one in pods if one["metadata"]["name"].endswith("-master-0")])
        said = [_condition("Created", f"PyTorchJob {name} is created.")]
        is_suspended = bool(found["spec"]["runPolicy"].get("suspend"))
        if is_suspended or has_condition(found, "Suspended"):
            said += [_condition("Suspended", f"PyTorchJob {name} is suspended.", is_true=is_suspended)]
        if is_suspended:
            said += [_condition("Running", "", is_true=False)]
        elif "Failed" in phases:
            text = f"PyTorchJob {name} is failing because {phases.count('Failed')} replica(s) failed."
            said += [_condition("Running", "", is_true=False), _condition("Failed", text)]
        elif masters == ["Succeeded"]:
            text = f"PyTorchJob {name} is successfully completed."
            said += [_condition("Running", "", is_true=False), _condition("Succeeded", text)]
        elif "Running" in phases:
            said += [_condition("Running", f"PyTorchJob {name} is running.")]
        return {"conditions": said}

    def leftover(self, found: Object, pods: Sequence[Object]) -> Sequence[Object]:
        policy = found["spec"]["runPolicy"].get("cleanPodPolicy", "None")
        if found["spec"]["runPolicy"].get("suspend") or (_has_ended(found) and policy == "All"):
            return pods
        is_over = _has_ended(found) and policy == "Running"
        return [one for one in pods if is_over and one["status"].get("phase") in {"Pending", "Running"}]


class Volcano:
    """Of its Jobs: the phase is a word in the state, and a pod that failed ends the job when all have ended."""

    resource = VOLCANO_JOBS

    def pods(self, found: Object) -> Mapping[str, Object]:
        own = found["metadata"]["name"]
        return {
            f"{own}-{task['name']}-{index}": _labelled(
                task["template"], {"volcano.sh/job-name": own, "volcano.sh/task-spec": task["name"]}
            )
            for task in found["spec"]["tasks"]
            for index in range(task.get("replicas", 1))
        }

    def status(self, found: Object, pods: Sequence[Object]) -> Object | None:
        phases = set(_phases(pods))
        phase = "Running" if "Running" in phases else "Pending"
        if phases and phases <= {"Succeeded", "Failed"}:
            phase = "Failed" if "Failed" in phases else "Completed"
        return {"state": {"phase": phase, "lastTransitionTime": _now()}}

    def leftover(self, found: Object, pods: Sequence[Object]) -> Sequence[Object]:
        return []


class Trainer:
    """Of TrainJobs: the pods are those of a runtime with one job, which patches by its name are merged into."""

    resource = TRAIN_JOBS

    def pods(self, found: Object) -> Mapping[str, Object]:
        spec = found["spec"]
        if spec.get("suspend"):
            return {}
        own = {name: spec["trainer"][name] for name in ("image", "command", "args", "env") if name in spec["trainer"]}
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{"name": "node", **own}]}
        template: Object = {"spec": pod}
        for patch in spec.get("runtimePatches") or []:
            for job in patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]:
                assert job["name"] == "node", "the webhook refuses a job that the runtime lacks"
                template = _labelled(template, job["template"]["spec"]["template"]["metadata"]["labels"])
        numbers = range(spec["trainer"].get("numNodes", 1))
        return {f"{found['metadata']['name']}-node-0-{index}": template for index in numbers}

    def status(self, found: Object, pods: Sequence[Object]) -> Object | None:
        phases = set(_phases(pods))
        if "Failed" in phases:
            return {"conditions": [{**_condition("Failed", "jobset failed"), "reason": "FailedJobs"}]}
        if phases == {"Succeeded"}:
            return {"conditions": [{**_condition("Complete", "jobset completed"), "reason": "AllJobsCompleted"}]}
        return None

    def leftover(self, found: Object, pods: Sequence[Object]) -> Sequence[Object]:
        return []


class Physics:
    """Of Simulations: one pod, and a word for a state, if it says anything at all."""

    resource = SIMULATIONS

    def pods(self, found: Object) -> Mapping[str, Object]:
        return {f"{found['metadata']['name']}-0": found["spec"]["worker"]["template"]}

    def status(self, found: Object, pods: Sequence[Object]) -> Object | None:
        if found["spec"].get("silent"):
            return None
        kind = {"Succeeded": "Succeeded", "Failed": "Failed", "Running": "Ready"}
        return {"conditions": [_condition(kind[phase], "") for phase in _phases(pods) if phase in kind]}

    def leftover(self, found: Object, pods: Sequence[Object]) -> Sequence[Object]:
        return []


class Kueue:
    """What it says of a Job, and does to it, when the test wants it."""

    def __init__(self, resource: Resource, space: str, job: Object, suspend: str = "spec.suspend") -> None:
        self._job = resource.path(space, job["metadata"]["name"])
        self._path = suspend.split(".")
        owner = {key: job[key] for key in ("apiVersion", "kind")}
        owner |= {key: job["metadata"][key] for key in ("name", "uid")}
        name = f"workload-{job['metadata']['uid'][:8]}"
        self._workload = WORKLOADS.path(space, name)
        body = {
            "apiVersion": WORKLOADS.api_version,
            "kind": WORKLOADS.kind,
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": {"queueName": job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]},
        }
        cluster().call("POST", WORKLOADS.path(space), body=body)

    def hold(self, message: str) -> None:
        """Say why it is not admitted."""
        self._say({"QuotaReserved": ("False", "Pending", message)})

    def admit(self) -> None:
        self._say(
            {
                "QuotaReserved": ("True", "QuotaReserved", "Quota reserved in ClusterQueue gpus"),
                "Admitted": ("True", "Admitted", "The workload is admitted"),
                "Evicted": ("False", "QuotaReserved", "Previously: preempted"),
            }
        )
        self._suspend(False)

    def preempt(self, message: str, waits: str) -> None:
        """Take it back for another one."""
        self._say(
            {
                "QuotaReserved": ("False", "Pending", waits),
                "Admitted": ("False", "NoReservation", "The workload has no reservation"),
                "Evicted": ("True", "Preempted", message),
                "Preempted": ("True", "InClusterQueue", message),
            }
        )
        self._suspend(True)

    def _say(self, said: Mapping[str, tuple[str, str, str]]) -> None:
        conditions = [
            {"type": name, "status": status, "reason": reason, "message": message, "lastTransitionTime": _now()}
            for name, (status, reason, message) in said.items()
        ]
        body = {"status": {"conditions": conditions}}
        cluster().call("PATCH", f"{self._workload}/status", body=body, content_type=MERGE_PATCH)

    def _suspend(self, is_suspended: bool) -> None:
        body: Object = {self._path[-1]: is_suspended}
        for name in reversed(self._path[:-1]):
            body = {name: body}
        cluster().call("PATCH", self._job, body=body, content_type=MERGE_PATCH)


def _with_policy(replica: Object) -> Object:
    """A replica's template. How often its pods are started again is said beside it."""
    template: Object = replica["template"]
    return {**template, "spec": {**template["spec"], "restartPolicy": replica["restartPolicy"]}}


def _labelled(template: Object, labels: Mapping[str, str]) -> Object:
    metadata = template.get("metadata") or {}
    return {**template, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}}}


def _condition(kind: str, message: str, *, is_true: bool = True) -> Object:
    own = {"type": kind, "status": str(is_true), "message": message, "reason": f"PyTorchJob{kind}"}
    return {**own, "lastTransitionTime": _now(), "lastUpdateTime": _now()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
