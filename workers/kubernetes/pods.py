"""What a pod says of itself, in our words: how far it is, what holds it up, and how it ended.

Source: the API reference of Pod, and the words that the kubelet, the scheduler and the controllers of 1.36 write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from broker_config.states import FailureClass, Reason
from workers.kubernetes.demands import Demand, demand_of

Object = dict[str, Any]


class PodPhase(StrEnum):
    """The server's own words."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod does not run, or does not any more."""

    reason: Reason
    text: str  # a sentence, with the platform's own words
    failure: FailureClass  # whose fault, once it is an end
    exit_code: int | None = None


class Started(NamedTuple):
    """A container of which there may be a log: the newest of its starts that there was."""

    name: str
    restarts: int  # before it
    has_ended: bool
    has_earlier: bool  # whether the node still tells of the one before
    began_at: int = 0  # seconds since 1970; 0: not known


@dataclass(frozen=True, slots=True)
class PodState:
    """What is kept of a pod: some hundred bytes."""

    name: str
    phase: PodPhase
    is_running: bool  # one of its own containers runs
    is_leaving: bool  # it was deleted, and its containers are being ended
    containers: tuple[Started, ...]
    trouble: Trouble | None = None
    demand: Demand | None = None  # of one that no node takes: what it asks for
    uid: str = ""

    @property
    def has_ended(self) -> bool:
        return self.phase in {PodPhase.SUCCEEDED, PodPhase.FAILED}


_WAITING = {
    "ErrImagePull": "check the image's name and tag, and that the namespace has a pull secret for its registry",
    "ImagePullBackOff": "check the image's name and tag, and that the namespace has a pull secret for its registry",
    "InvalidImageName": "the image's name cannot be read; check it in the queue config or the job",
    "ErrImageNeverPull": "imagePullPolicy is Never, and the node does not have the image",
    "RegistryUnavailable": "the image's registry does not answer the node",
    "ImageInspectError": "the node cannot read the image",
    "CreateContainerConfigError": "a Secret or ConfigMap that the container refers to is missing",
    "CreateContainerError": "the node could not make the container",
    "RunContainerError": "the node could not start the container; check its command and its mounts",
    "CrashLoopBackOff": "the container ends again and again; its log says why",
}
"""By a waiting container's reason: the cure."""

_IMAGE_REASONS = frozenset(list(_WAITING)[:6])

_BY_SIGNAL = frozenset({137, 143})
"""Exit codes of a job that the node ended by a signal."""

_OUT_OF_MEMORY = "raise its memory limit in the queue config or the run's overrides, or give the job less data at once"


def read(pod: Object) -> PodState:
    """The state of a pod as the server sends it."""
    status = pod.get("status") or {}
    own = status.get("containerStatuses") or []
    is_leaving = pod["metadata"].get("deletionTimestamp") is not None
    trouble = next(_troubles(pod), None)
    if is_leaving and (trouble is None or (trouble.reason is Reason.EXITED and trouble.exit_code in _BY_SIGNAL)):
        text = f"Pod {pod['metadata']['name']} was deleted by somebody else while it ran."
        trouble = Trouble(Reason.OBJECT_GONE, text, FailureClass.INFRA)
    return PodState(
        name=pod["metadata"]["name"],
        phase=PodPhase(status.get("phase") or PodPhase.PENDING),
        is_running=any("running" in (one.get("state") or {}) for one in own),
        is_leaving=is_leaving,
        containers=tuple(_with_log(pod["spec"], status)),
        trouble=trouble,
        demand=demand_of(pod["spec"]) if trouble is not None and trouble.reason is Reason.UNSCHEDULABLE else None,
        uid=pod["metadata"]["uid"],
    )


def _with_log(spec: Object, status: Object) -> Iterator[Started]:
    """The containers that have started at least once, in the order in which they start."""
    told = {
        one["name"]: one for part in ("initContainerStatuses", "containerStatuses") for one in status.get(part) or []
    }
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        one = told.get(container["name"], {})
        state, restarts = one.get("state") or {}, int(one.get("restartCount") or 0)
        if (now := state.get("running", state.get("terminated"))) is not None:
            yield Started(container["name"], restarts, "terminated" in state, restarts > 0, _seconds(now))
        # While it waits to be started again, the last start is the newest.
        elif "terminated" in (one.get("lastState") or {}):
            yield Started(container["name"], restarts, has_ended=True, has_earlier=False)


def _seconds(state: Object) -> int:
    return int(datetime.fromisoformat(state["startedAt"]).timestamp()) if state.get("startedAt") else 0


def _troubles(pod: Object) -> Iterator[Trouble]:
    """From the one that explains most to the one that explains least."""
    status = pod.get("status") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    yield from _taken_away(status, conditions)
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(part) or []:
            yield from _of_container(container)
    if status.get("phase") == PodPhase.FAILED and status.get("reason"):
        text = f"The pod failed with {status['reason']}{_colon(status.get('message'))}."
        if status["reason"] == "DeadlineExceeded":
            yield Trouble(Reason.RUN_TIMEOUT, text, FailureClass.TIMEOUT)
        else:
            yield Trouble(Reason.EXITED, text, FailureClass.INFRA)
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        yield Trouble(
            Reason.UNSCHEDULABLE,
            f"No node takes the pod{_colon(scheduled.get('message') or scheduled.get('reason'))}.",
            FailureClass.INFRA,
        )


def _taken_away(status: Object, conditions: dict[str, Object]) -> Iterator[Trouble]:
    disrupted = conditions.get("DisruptionTarget", {})
    if disrupted.get("status") == "True":
        words = f"{disrupted.get('reason')}{_colon(disrupted.get('message'))}"
        yield Trouble(Reason.PREEMPTED, f"The cluster took the pod away: {words}.", FailureClass.PREEMPTED)
    elif status.get("phase") == PodPhase.FAILED and status.get("reason") in {"Evicted", "Preempting", "NodeShutdown"}:
        words = f"{status['reason']}{_colon(status.get('message'))}"
        yield Trouble(Reason.PREEMPTED, f"The node put the pod out: {words}.", FailureClass.PREEMPTED)


def _of_container(status: Object) -> Iterator[Trouble]:
    state = status.get("state") or {}
    name = status["name"]
    if (ended := state.get("terminated")) is not None and ended.get("exitCode") != 0:
        yield _ended_badly(name, ended)
    waiting = state.get("waiting") or {}
    if (cure := _WAITING.get(waiting.get("reason", ""))) is not None:
        reason = Reason.IMAGE_UNAVAILABLE if waiting["reason"] in _IMAGE_REASONS else Reason.TARGET_REFUSED
        text = f"Container {name} waits with {waiting['reason']}{_colon(waiting.get('message'))}; {cure}."
        yield Trouble(reason, text, FailureClass.CONFIG)


def _ended_badly(name: str, ended: Object) -> Trouble:
    code = int(ended.get("exitCode") or 0)
    word = str(ended.get("reason") or "")
    if word == "OOMKilled":
        text = f"Container {name} ran out of its memory limit (exit code {code}); {_OUT_OF_MEMORY}."
        return Trouble(Reason.OUT_OF_MEMORY, text, FailureClass.USER, code)
    if word in {"StartError", "ContainerCannotRun"}:
        text = f"Container {name} could not be started{_colon(ended.get('message'))}; check its command and its mounts."
        return Trouble(Reason.EXITED, text, FailureClass.USER, code)
    said = "" if word in {"", "Error"} else f" ({word})"
    text = f"Container {name} ended with exit code {code}{said}{_colon(ended.get('message'))}."
    return Trouble(Reason.EXITED, text, FailureClass.USER, code)


def worst(pods: Sequence[PodState]) -> Trouble | None:
    """Of an object's pods, the trouble that says most: a pod that was taken away takes others with it."""
    order = (Reason.PREEMPTED, Reason.OUT_OF_MEMORY, Reason.EXITED)
    found = [pod.trouble for pod in pods if pod.trouble is not None]
    return min(found, key=lambda one: order.index(one.reason) if one.reason in order else len(order), default=None)


def _colon(words: str | None) -> str:
    return f": {words.strip().rstrip('.')}" if words else ""
