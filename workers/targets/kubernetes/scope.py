"""What is known of one namespace of a cluster: our objects by kind, their pods, and why some have none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from broker_config.errors import TemporaryError
from broker_config.states import Reason
from workers.kubernetes import pods
from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.informer import Informer, Kept
from workers.kubernetes.pods import PodState
from workers.kubernetes.probe import Probe
from workers.kubernetes.resource import PODS, Resource
from workers.kubernetes.room import Room
from workers.targets.kubernetes import states
from workers.targets.kubernetes.holdups import HoldUps
from workers.targets.kubernetes.manifest import PREFIX
from workers.targets.kubernetes.pods import Object
from workers.targets.kubernetes.states import ObjectState
from workers.targets.protocol import Observation

MANAGED = f"{PREFIX}managed=true"
FEW = 4
"""Up to so many objects are asked for one by one; more are listed."""


class Scope:
    """One namespace of a cluster."""

    def __init__(
        self, cluster: Cluster, namespace: str, changed: Callable[[str | None], None], room: Room, probe: Probe
    ) -> None:
        """`changed` is told the handle of an object that may have changed, and None after any gap."""
        self.cluster = cluster
        self.namespace = namespace
        self._changed = changed
        self._room = room
        self._probe = probe
        self._lock = threading.Lock()
        self._objects: dict[str, Informer[ObjectState]] = {}
        self._pods = self._informer(PODS, self._read_pod)
        self._gone: dict[str, str] = {}  # the handles of objects that were deleted a moment ago, by the run's name
        self._is_watching = False
        self._hold_ups = HoldUps(cluster, namespace)

    def watch(self) -> None:
        """Have all that is known kept up to date from now on."""
        with self._lock:
            self._is_watching = True
            for informer in [self._pods, *self._objects.values()]:
                informer.start()

    def stop(self) -> None:
        """Keep nothing up to date any more."""
        with self._lock:
            for informer in [self._pods, *self._objects.values()]:
                informer.stop()

    def observe(self, resource: Resource, owners: Mapping[str, str]) -> Mapping[str, Observation]:
        """Where the objects of a kind are, by the run's name; `owners` has the objects' names. Those that are gone are
        not in the answer.

        Raises:
            TemporaryError: when the cluster does not say.
        """
        informer = self._of(resource)
        unknown = {owner: name for owner, name in owners.items() if not (informer.is_current and informer.of(owner))}
        if unknown:
            self._probe.expect_answer()
        try:
            self._look(resource, informer, unknown)
        except Refused as error:
            raise TemporaryError(str(error)) from error
        return {owner: self._observation(state, owner) for owner in owners for state in informer.of(owner).values()}

    def pods_of(self, owner: str) -> Sequence[PodState]:
        """The pods of a run's object, by name; asked for where the watch does not tell.

        Raises:
            TemporaryError: when the cluster does not say.
        """
        if self._pods.is_lost:
            # Asked for each log and each run, that would be a storm on a server that comes back.
            raise TemporaryError(f"{self.cluster} does not answer; its pods are looked at again when it does")
        self._probe.expect_answer()
        if not self._pods.is_current or self._lags(owner):
            try:
                self._look_at_pods(selector_of(owner), [owner])
            except Refused as error:
                raise TemporaryError(str(error)) from error
        return [state for _, state in sorted(self._pods.of(owner).items())]

    def _lags(self, owner: str) -> bool:
        """Whether the watch has told of an object's end, and not yet of its pods'."""
        has_ended = any(state.said is not None and state.said.phase.is_end for state in self._states(owner))
        found = self._pods.of(owner).values()
        return has_ended and not (found and all(pod.has_ended for pod in found))

    def put(self, resource: Resource, found: Object) -> None:
        """Know an object that was just made or read."""
        if (kept := self._read_object(found, False)) is not None:
            self._of(resource).put(kept)

    def drop(self, resource: Resource, owner: str) -> None:
        """Forget a run's object and its pods."""
        self._of(resource).drop(owner)
        self._pods.drop(owner)

    def _look(self, resource: Resource, informer: Informer[ObjectState], unknown: Mapping[str, str]) -> None:
        """Ask the server for objects of which the watch says nothing."""
        if not unknown:
            return
        if len(unknown) <= FEW or informer.is_current:
            found = [self.cluster.find(resource.path(self.namespace, name)) for name in unknown.values()]
            selector = selector_of(next(iter(unknown))) if len(unknown) == 1 else MANAGED
        else:
            found = list(self.cluster.listed(resource.path(self.namespace), MANAGED))
            selector = MANAGED
        read = [kept for one in found if one is not None and (kept := self._read_object(one, False)) is not None]
        here = {kept.owner: kept for kept in read if kept.owner in unknown}
        for owner in unknown:
            if owner in here:
                # What the watch has told of its pods stays.
                informer.put(here[owner])
            else:
                self.drop(resource, owner)
        if not self._pods.is_current:
            self._look_at_pods(selector, unknown)

    def _look_at_pods(self, selector: str, owners: Iterable[str]) -> None:
        is_late = self._pods.is_current
        listed = self.cluster.listed(PODS.path(self.namespace), selector)
        found = [kept for one in listed if (kept := self._read_pod(one, False)) is not None]
        if is_late:
            self._pods.correct(found)
        else:
            self._pods.replace(owners, found)

    def _of(self, resource: Resource) -> Informer[ObjectState]:
        with self._lock:
            if resource.plural not in self._objects:
                self._objects[resource.plural] = informer = self._informer(resource, self._read_object)
                if self._is_watching:
                    informer.start()
            return self._objects[resource.plural]

    def _informer(self, resource: Resource, read: Callable[[Object, bool], Kept[Any] | None]) -> Informer[Any]:
        return Informer(self.cluster, resource.path(self.namespace), MANAGED, read, self._tell)

    def _tell(self, owner: str | None) -> None:
        if owner is None:
            self._changed(None)
        elif states := self._states(owner):
            self._changed(states[0].handle)
        elif (handle := self._gone.pop(owner, None)) is not None:
            # Somebody has deleted it. Only the word of that counts: its pods may be told of before it is.
            self._pods.drop(owner)
            self._changed(handle)

    def _states(self, owner: str) -> Sequence[ObjectState]:
        return [state for informer in list(self._objects.values()) for state in informer.of(owner).values()]

    def _read_object(self, found: Object, is_deleted: bool) -> Kept[ObjectState] | None:
        owner = owner_of(found)
        if owner is None:
            return None
        state = states.read(found)
        if is_deleted:
            self._gone[owner] = state.handle
        return Kept(owner, found["metadata"]["name"], None if is_deleted else state)

    def _read_pod(self, found: Object, is_deleted: bool) -> Kept[PodState] | None:
        owner = owner_of(found)
        if owner is None:
            return None
        state = pods.read(found)
        if is_deleted:
            # While its object is there, how a pod went says why the object will end. One that is suspended goes on.
            gone = replace(state, phase=pods.PodPhase.FAILED, is_running=False)
            says_why = any(not one.is_suspended for one in self._states(owner))
            return Kept(owner, state.name, gone if says_why else None)
        return Kept(owner, state.name, state)

    def _observation(self, state: ObjectState, owner: str) -> Observation:
        if state.said is not None and state.said.phase.is_end:
            return states.observation(state, self.pods_of(owner))
        found = [*self._pods.of(owner).values()]
        # What was suspended again has pods that are gone.
        has_pods = any(not pod.has_ended for pod in found) if state.is_suspended else bool(found)
        is_held_up = not (has_pods or state.is_leaving)
        held_up_by = self._hold_ups.of(state.uid, is_suspended=state.is_suspended) if is_held_up else ""
        return self._counted(states.observation(state, found, held_up_by), found)

    def _counted(self, seen: Observation, found: Sequence[PodState]) -> Observation:
        """The same, with how many GPUs there are where pods wait for some."""
        demands = dict.fromkeys(pod.demand for pod in found if pod.demand is not None)
        if seen.reason is not Reason.UNSCHEDULABLE or not demands or (reading := self._room.reading()) is None:
            return seen
        return replace(seen, text=" ".join(filter(None, [seen.text, *map(reading.words, demands)])))


def owner_of(found: Object) -> str | None:
    """The run's name that an object's labels tell; None for one that is not ours."""
    labels = found["metadata"].get("labels") or {}
    run_id, attempt = labels.get(f"{PREFIX}run-id"), labels.get(f"{PREFIX}attempt")
    return f"launchyard-{run_id}-{attempt}" if run_id and attempt else None


def selector_of(owner: str) -> str:
    """Finds a run's object, and its pods."""
    _, run_id, attempt = owner.split("-", 2)
    return f"{MANAGED},{PREFIX}run-id={run_id},{PREFIX}attempt={attempt}"
