"""The steps of a run at which a fault may strike, and where in the product each of them is."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from broker_config.states import State


class Step(StrEnum):
    """In the order in which a run meets them."""

    RECEIVED = "order received"
    CLAIMED = "claimed"
    FETCHED = "source fetched"
    BUILT = "image or environment built"
    INTENT = "intent written"
    MADE = "container made, not started"
    SUBMITTED = "submitted"
    WATCHED = "watched, not acknowledged"
    ACKNOWLEDGED = "acknowledged"
    STARTED = "RUNNING written"
    RUNS = "while it runs"
    END_SEEN = "end seen"
    LOG_READ = "log read, end not recorded"
    RECORDED = "end recorded"
    TOLD = "end told to Celery"
    RELEASED = "object released"


TARGETS: Mapping[str, str] = {
    "stub": "workers.targets.stub:StubTarget",
    "local-process": "workers.targets.local_process.target:LocalProcessTarget",
    "docker": "workers.targets.docker.target:DockerTarget",
    "kubernetes": "workers.targets.kubernetes.target:KubernetesTarget",
    "sagemaker": "workers.targets.sagemaker.target:SageMakerTarget",
    "vertex": "workers.targets.vertex.target:VertexTarget",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A call in the product, just before or just after which the step is."""

    owner: str  # module:Class
    method: str
    is_before: bool = False
    only: Callable[[tuple[Any, ...]], bool] = lambda _: True  # of the call's positional arguments

    def wrap(self, meet: Callable[[], None]) -> None:
        """Have `meet` called there from now on."""
        module, _, name = self.owner.partition(":")
        owner = getattr(importlib.import_module(module), name)
        original = getattr(owner, self.method)

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if self.is_before and self.only(args):
                meet()
            outcome = original(*args, **kwargs)
            if not self.is_before and self.only(args):
                meet()
            return outcome

        setattr(owner, self.method, wrapped)


def steps_of(target: str) -> list[Step]:
    """The steps that a run on this target meets."""
    return [step for step in Step if step is not Step.MADE or target == "docker"]


def _state_is(state: State) -> Callable[[tuple[Any, ...]], bool]:
    return lambda args: args[2] is state


def places(target: str) -> dict[Step, Place]:
    """Where the steps are, for an agent that uses this target. `RUNS` is nowhere in the product: the job runs."""
    target_class = TARGETS[target]
    containers = "workers.targets.docker.containers:Containers"
    recorder = "workers.record:Recorder"
    source = "image:ImageSource" if target in {"kubernetes", "sagemaker", "vertex"} else "code:CodeSource"
    of_docker = {Step.MADE: Place(containers, "start", is_before=True)}
    return (of_docker if target == "docker" else {}) | {
        Step.RECEIVED: Place("workers.claim:Claimer", "claim", is_before=True),
        Step.CLAIMED: Place("workers.claim:Claimer", "claim"),
        Step.FETCHED: Place(f"workers.sources.{source}", "fetch"),
        Step.BUILT: Place("workers.prepare:Preparer", "prepare"),
        Step.INTENT: Place(target_class, "submit", is_before=True),
        Step.SUBMITTED: Place(target_class, "submit"),
        Step.WATCHED: Place("workers.watch:Watcher", "attach"),
        Step.ACKNOWLEDGED: Place("workers.requests:RunRequest", "on_success"),
        Step.STARTED: Place(recorder, "reach", only=_state_is(State.RUNNING)),
        Step.END_SEEN: Place("workers.collect:Collector", "finish", is_before=True),
        Step.LOG_READ: Place(recorder, "conclude", is_before=True),
        Step.RECORDED: Place(recorder, "conclude"),
        Step.TOLD: Place("workers.finish:Finisher", "end"),
        # Not the target's own method: what is swept is released by it too, and is of another run.
        Step.RELEASED: Place("workers.finish:Finisher", "observed"),
    }
