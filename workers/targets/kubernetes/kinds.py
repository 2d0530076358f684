"""What is particular about a kind of object: where it has its pods, its retries, its clean-up.

Fields are written as paths; `*` goes through all items of a list or an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers.targets.kubernetes import pods
from workers.targets.kubernetes.pods import Object, Pod, section


@dataclass(frozen=True, slots=True)
class Kind:
    """The defaults are those of a kind about which nothing is known."""

    find_pods: Callable[[Object], list[Pod]] = pods.by_structure
    once: Mapping[str, Any] = field(default_factory=dict)
    """Fields with which its controller tries nothing again: only one may, and that is Launchyard. The owner's stay."""

    suspend: str = ""
    """The field by which Kueue holds it until it is admitted."""

    clean_up: str = ""
    """The field that has its controller remove it some time after its end."""

    container: str = "launch0"
    """The name of a pod's first container when it has none; some controllers look for one."""

    starter: str = ""
    """When set, only pods below this name run the job's command, and the others wait for them."""

    shell_line: str = ""
    """The field that takes the job's command as one line for a shell, in the place of containers."""

    replaces_pods: bool = True
    """Whether its controller makes a pod anew that was deleted while the object is there."""

    tells_preemption: bool = False
    """Whether it can be told to say in its own status that a pod was taken away."""

    words: Sequence[str] = ("phase", "state", "state.phase")
    """Where in its status a word says how far it is, besides its conditions."""

    ends_by_first_word: bool = False
    """Whether the first of these words alone says that it has ended; the others then say how."""

    name_limit: int = 63
    """Its name is also the value of a label of its pods, or the beginning of their names."""


def _kubeflow(replicas: str, container: str, starter: str = "") -> Kind:
    return Kind(
        once={f"spec.{replicas}.*.restartPolicy": "Never", "spec.runPolicy.backoffLimit": 0},
        suspend="spec.runPolicy.suspend",
        clean_up="spec.runPolicy.ttlSecondsAfterFinished",
        container=container,
        starter=starter,
        name_limit=47,
    )


_JOB_ONCE = {"backoffLimit": 0, "template.spec.restartPolicy": "Never"}

KINDS: Mapping[str, Kind] = {
    "core/Pod": Kind(once={"spec.restartPolicy": "Never"}, replaces_pods=False),
    "batch/Job": Kind(
        once={f"spec.{name}": value for name, value in _JOB_ONCE.items()},
        suspend="spec.suspend",
        clean_up="spec.ttlSecondsAfterFinished",
        # It may try nothing again, so it has failed when its pod is gone.
        replaces_pods=False,
        tells_preemption=True,
    ),
    "batch/CronJob": Kind(
        once={f"spec.jobTemplate.spec.{name}": value for name, value in _JOB_ONCE.items()},
        # Its controller appends a time to make the names of its jobs.
        name_limit=52,
    ),
    "batch.volcano.sh/Job": Kind(
        # Its webhook reads 0 as "not set", and makes 3 of it. With 1 the first restart is the end.
        once={
            "spec.maxRetry": 1,
            "spec.tasks.*.maxRetry": 1,
            "spec.tasks.*.template.spec.restartPolicy": "Never",
        },
        clean_up="spec.ttlSecondsAfterFinished",
        name_limit=47,
    ),
    "kubeflow.org/PyTorchJob": _kubeflow("pytorchReplicaSpecs", "pytorch"),
    "kubeflow.org/TFJob": _kubeflow("tfReplicaSpecs", "tensorflow"),
    "kubeflow.org/XGBoostJob": _kubeflow("xgbReplicaSpecs", "xgboost"),
    "kubeflow.org/PaddleJob": _kubeflow("paddleReplicaSpecs", "paddle"),
    "kubeflow.org/JAXJob": _kubeflow("jaxReplicaSpecs", "jax"),
    # The workers run sshd, from where the launcher's mpirun starts the job.
    "kubeflow.org/MPIJob": _kubeflow("mpiReplicaSpecs", "mpi", starter="Launcher"),
    # Its pods have 63 characters for object, role, two numbers and five letters; a role is `dataset-initializer`.
    "trainer.kubeflow.org/TrainJob": Kind(find_pods=pods.of_train_job, suspend="spec.suspend", name_limit=33),
    "ray.io/RayJob": Kind(
        find_pods=pods.of_ray_job,
        once={"spec.backoffLimit": 0},
        suspend="spec.suspend",
        # The containers start Ray, which then runs the job's command on the head.
        shell_line="spec.entrypoint",
        # The second is of Ray's own job, which has failed also where KubeRay is about to try it again.
        words=("jobDeploymentStatus", "jobStatus"),
        ends_by_first_word=True,
        name_limit=47,
    ),
    "jobset.x-k8s.io/JobSet": Kind(
        once={f"spec.replicatedJobs.*.template.spec.{name}": value for name, value in _JOB_ONCE.items()},
        suspend="spec.suspend",
        clean_up="spec.ttlSecondsAfterFinished",
        # So are these; 40 leaves 12 to the names of its jobs.
        name_limit=40,
    ),
    "argoproj.io/Workflow": Kind(find_pods=pods.of_workflow, clean_up="spec.ttlStrategy"),
}
"""By API group and kind; the group that has no name is `core`, as in the API reference."""

_UNKNOWN = Kind(name_limit=47)


def kind_of(manifest: Object) -> Kind:
    """What is known about the kind of an object."""
    group = manifest["apiVersion"].rpartition("/")[0] or "core"
    return KINDS.get(f"{group}/{manifest['kind']}", _UNKNOWN)


def holders(node: Object, path: Sequence[str]) -> Iterator[Object]:
    """Every object that holds the last name of a path. What is on the way is made, but not what `*` would go through.

    Raises:
        ValueError: when something else than an object is on the way.
    """
    name, *rest = path
    if not rest:
        yield node
    elif rest[0] != "*":
        yield from holders(section(node, name), rest)
    else:
        below = node.get(name, [])
        items = [*below.values()] if isinstance(below, dict) else below
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise ValueError(f"what is in {name!r} must be objects")
        for item in items:
            yield from holders(item, rest[1:])
