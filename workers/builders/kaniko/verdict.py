"""Why a build did not come about: the job's own fault, the config's, or the cluster's."""

from __future__ import annotations

from collections.abc import Sequence

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.images.failing import failed, not_pushed
from workers.images.steps import Failure
from workers.kubernetes.cluster import Object
from workers.kubernetes.pods import PodState, Trouble

HELD_UP_SECONDS = 45.0
"""How long a build's pod may wait for what waiting does not bring, such as an image that cannot be pulled."""

_HELD_UP = {
    Reason.IMAGE_UNAVAILABLE: "builder.kaniko-image in the agent's config names the image",
    Reason.TARGET_REFUSED: "the Secrets and volumes that builder names in the agent's config must be in its namespace",
}


class JobGone(TemporaryError):
    """Somebody else has deleted the build's Job; the next try makes another."""

    def __init__(self, name: str) -> None:
        super().__init__(f"somebody has deleted Job {name}, which built the image; it is built again")


def held_up(trouble: Trouble, seconds: float) -> RunFailed | None:
    """What a pod that has waited with this trouble for so long means; None: it goes on waiting, as for a free node."""
    cure = _HELD_UP.get(trouble.reason)
    if cure is None or seconds < HELD_UP_SECONDS:
        return None
    text = f"the build's pod cannot start: {trouble.text.rstrip('.')}; {cure}"
    return RunFailed(FailureClass.CONFIG, trouble.reason, text)


def never_made(name: str, events: Sequence[Object], seconds: float) -> RunFailed | None:
    """What it means that a Job has had no pod for so long, by the events of the Job; None: one may still come."""
    said = [str(event.get("message")) for event in events if event.get("reason") == "FailedCreate"]
    if not said or seconds < HELD_UP_SECONDS:
        return None
    text = (
        f"the cluster makes no pod for the build's Job {name}: {said[-1]}; kaniko runs as root, which a namespace with "
        "Pod Security 'restricted' refuses, and quotas count its pods; builder.kaniko-config can change the Job"
    )
    return RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, text)


def of_job(found: Object, trouble: Trouble | None, pod: PodState | None = None) -> TemporaryError | RunFailed | None:
    """What the Job's own end means, with what its pod waited for last; None: it goes on, or its pod says why."""
    conditions = (found.get("status") or {}).get("conditions") or []
    ends = [one for one in conditions if one["type"] in {"Failed", "FailureTarget"} and one["status"] == "True"]
    if not ends:
        return None
    if any(one.get("reason") == "DeadlineExceeded" for one in ends):
        limit = found["spec"].get("activeDeadlineSeconds")
        text = f"the image was not built within {limit} s"
        if trouble is not None and trouble.reason is Reason.UNSCHEDULABLE:
            return RunFailed(FailureClass.INFRA, trouble.reason, f"{text}: {trouble.text}")
        cure = "spec.activeDeadlineSeconds in builder.kaniko-config sets the limit"
        return RunFailed(FailureClass.TIMEOUT, Reason.BUILD_TIMEOUT, f"{text}; {cure}")
    if pod is not None:
        return None
    words = f"{ends[-1].get('reason')}: {ends[-1].get('message')}"
    return TemporaryError(f"the build's Job failed, and its pod is gone: {words}; it is built again")


def of_pod(pod: PodState) -> TemporaryError | RunFailed | None:
    """What the end of a build's pod means when it was not kaniko that ended it; None: it was."""
    trouble = pod.trouble
    if trouble is None:
        return None
    if trouble.failure in {FailureClass.PREEMPTED, FailureClass.INFRA}:
        return TemporaryError(f"the build's pod was lost: {trouble.text.rstrip('.')}; it is built again")
    if trouble.reason is Reason.OUT_OF_MEMORY:
        text = (
            "kaniko ran out of memory while it built the image; raise the memory limit of its container in "
            "builder.kaniko-config, or install less in one step"
        )
        return RunFailed(FailureClass.BUILD, trouble.reason, text)
    return None


def of_kaniko(failure: Failure, reference: str) -> TemporaryError | RunFailed:
    """What it means that kaniko itself has failed."""
    if "push permission" in failure.words:
        return not_pushed(reference, failure.words)
    return failed(failure, reference)
