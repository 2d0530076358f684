"""How far an object is: by its own words, and where those say little, by its pods.

An object of any kind tells in conditions (`type` and `status`), or in a word somewhere in its status. The words mean
the same in all kinds that we know of; where a kind keeps its word is in `kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from broker_config.states import FailureClass, Reason
from workers.kubernetes.pods import PodState, Trouble, worst
from workers.targets.exit_codes import failure_of
from workers.targets.kubernetes.kinds import kind_of
from workers.targets.kubernetes.manifest import HANDLE
from workers.targets.kubernetes.pods import Object, below
from workers.targets.protocol import Observation, Phase

WORDS: Mapping[str, Phase] = {
    **dict.fromkeys(("created", "submitted", "queued", "pending", "inqueue", "initializing"), Phase.STARTING),
    **dict.fromkeys(("starting", "waiting", "suspended", "suspending", "retrying", "restarting"), Phase.STARTING),
    **dict.fromkeys(("running", "ready", "completing", "aborting", "terminating"), Phase.RUNNING),
    **dict.fromkeys(("succeeded", "success", "complete", "completed"), Phase.SUCCEEDED),
    **dict.fromkeys(("failed", "failure", "error", "errored", "aborted", "terminated", "stopped"), Phase.FAILED),
    **dict.fromkeys(("validationfailed", "cancelled", "canceled"), Phase.FAILED),
}
"""By a word in small letters. What is not here says nothing."""

_SUSPENDED = frozenset({"suspended", "suspending"})

_BY_PODS = Observation(Phase.STARTING, Reason.STARTING, "The object is made; it has no pods yet.")


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What is kept of an object."""

    handle: str  # as Launchyard names it
    uid: str
    said: Observation | None  # by its own words; None where only its pods know
    is_suspended: bool
    is_leaving: bool  # it was deleted, and its pods are being ended


def read(found: Object) -> ObjectState:
    """The state of an object as the server sends it."""
    metadata = found["metadata"]
    words = list(_words(found))
    return ObjectState(
        handle=(metadata.get("annotations") or {}).get(HANDLE, metadata["name"]),
        uid=metadata["uid"],
        said=_said(found["kind"], words),
        is_suspended=any(word.lower() in _SUSPENDED for word, _ in words) or is_held(found),
        is_leaving=metadata.get("deletionTimestamp") is not None,
    )


def observation(state: ObjectState, pods: Sequence[PodState], held_up_by: str = "") -> Observation:
    """Where the run is. `held_up_by` are the platform's own words for why an object has no pods."""
    said = state.said
    if state.is_leaving:
        return Observation(Phase.RUNNING, Reason.ENDING, "The object is being deleted; its pods have their grace.")
    if said is not None and said.phase is Phase.FAILED:
        return _failed(said, worst(pods))
    if said is not None and said.phase is Phase.SUCCEEDED:
        return replace(said, exit_code=0)
    return _live(state, pods, held_up_by)


def _live(state: ObjectState, pods: Sequence[PodState], held_up_by: str) -> Observation:
    said = state.said
    live = [pod for pod in pods if not pod.has_ended]
    if any(pod.is_running for pod in live) or (said is not None and said.phase is Phase.RUNNING and not live):
        return Observation(Phase.RUNNING, Reason.RUNNING, _running(live))
    if (trouble := worst(live)) is not None:
        return Observation(Phase.STARTING, trouble.reason, trouble.text)
    if held_up_by or state.is_suspended:
        reason = Reason.NOT_ADMITTED if state.is_suspended else Reason.UNSCHEDULABLE
        return Observation(Phase.STARTING, reason, held_up_by or "The object is suspended until something admits it.")
    if live:
        return Observation(Phase.STARTING, Reason.STARTING, f"{_count(live)} made and not running yet.")
    if pods and said is None:
        return Observation(Phase.RUNNING, Reason.RUNNING, "All its pods have ended; how it ended is not told yet.")
    return said if said is not None and said.phase is Phase.STARTING else _BY_PODS


def _failed(said: Observation, trouble: Trouble | None) -> Observation:
    """The end of an object, explained by the pod that explains most."""
    if trouble is None or said.reason is Reason.RUN_TIMEOUT:
        return said
    # A pod that was taken away says by whom. One that got SIGTERM before may only say how it ended.
    if said.reason is Reason.PREEMPTED and trouble.reason is not Reason.PREEMPTED:
        return said
    failure = trouble.failure
    if trouble.reason is Reason.EXITED and trouble.exit_code is not None:
        failure = failure_of(trouble.exit_code)
    return Observation(Phase.FAILED, trouble.reason, trouble.text, trouble.exit_code, failure)


def _said(kind: str, words: Sequence[tuple[str, str]]) -> Observation | None:
    """What the words mean together: an end stays an end, whatever else is said; of the others the last one counts."""
    phases = [(WORDS[word.lower()], word, why) for word, why in words if word.lower() in WORDS]
    ends = [one for one in phases if one[0].is_end]
    # Of several words for a failure, one that says why is worth most.
    failed = sorted((one for one in ends if one[0] is Phase.FAILED), key=lambda one: bool(one[2]))
    if not phases:
        return None
    phase, word, why = (failed or ends or phases)[-1]
    text = f"The {kind} is {word.lower()}{f': {why}' if why else ''}."
    if phase is Phase.SUCCEEDED:
        return Observation(phase, Reason.EXITED, text)
    if phase is not Phase.FAILED:
        return Observation(phase, Reason(phase.value), text)
    if "DisruptionTarget" in why:
        return Observation(phase, Reason.PREEMPTED, text, failure=FailureClass.PREEMPTED)
    if "DeadlineExceeded" in why:
        cure = "its activeDeadlineSeconds, of the queue config or the run's overrides, says how long it may take"
        return Observation(phase, Reason.RUN_TIMEOUT, f"{text[:-1]}; {cure}.", failure=FailureClass.TIMEOUT)
    # How its pods ended is not known: with one of those that are there, this is not used.
    return Observation(phase, Reason.EXITED, text, failure=FailureClass.INFRA)


def _words(found: Object) -> Iterator[tuple[str, str]]:
    """Each word of a status, with what is said to it."""
    status = found.get("status") or {}
    for condition in status.get("conditions") or []:
        if isinstance(condition, dict) and condition.get("status") == "True":
            yield str(condition.get("type")), _why(condition)
    kind = kind_of(found)
    for path in kind.words:
        *above, last = path.split(".")
        holder = below(status, *above)
        if isinstance(holder, dict) and isinstance(word := holder.get(last), str):
            yield word, _why(holder)
            if kind.ends_by_first_word and not _is_end(word):
                return


def _is_end(word: str) -> bool:
    phase = WORDS.get(word.lower())
    return phase is not None and phase.is_end


def _why(holder: Object) -> str:
    said = (str(holder.get(name) or "").strip().rstrip(".") for name in ("reason", "message"))
    return ": ".join(filter(None, said))


def is_held(found: Object) -> bool:
    """Whether its own spec keeps it from starting."""
    return below(found, *kind_of(found).suspend.split(".")) is True


def _running(live: Sequence[PodState]) -> str:
    running = sum(pod.is_running for pod in live)
    if len(live) <= 1:
        return "The pod is running." if live else "The object says that it runs."
    return f"{running} of {len(live)} pods are running."


def _count(live: Sequence[PodState]) -> str:
    return "The pod is" if len(live) == 1 else f"{len(live)} pods are"
