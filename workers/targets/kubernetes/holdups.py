"""Why objects have no pods, in the cluster's own words: warnings about them, and what Kueue says.

Formats: the events of Kubernetes, and the Workload of `kueue.x-k8s.io`, which an object owns that Kueue admits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from broker_config.errors import TemporaryError
from workers.kubernetes.cluster import Cluster, Refused
from workers.kubernetes.resource import EVENTS
from workers.targets.kubernetes.pods import Object

ANSWER_SECONDS = 15.0
"""How long an answer is good for: it costs a list of the namespace."""

_KUEUE = "kueue.x-k8s.io"


class HoldUps:
    """What is said in one namespace, asked for when somebody wants to know."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._warnings: Mapping[str, str] = {}
        self._warned_at = float("-inf")
        self._admissions: Mapping[str, str] = {}
        self._admitted_at = float("-inf")

    def of(self, uid: str, *, is_suspended: bool) -> str:
        """What holds an object up; empty where nothing is said. Only of one that is suspended is Kueue asked."""
        now = time.monotonic()
        if is_suspended and now - self._admitted_at > ANSWER_SECONDS:
            self._admitted_at, self._admissions = now, dict(self._of_kueue())
        if is_suspended and uid in self._admissions:
            return self._admissions[uid]
        if now - self._warned_at > ANSWER_SECONDS:
            self._warned_at, self._warnings = now, self._of_events()
        return self._warnings.get(uid, "")

    def _of_events(self) -> dict[str, str]:
        """Warnings about objects themselves: a quota, an admission webhook or a missing account tells nowhere else."""
        try:
            found = self._cluster.get(EVENTS.path(self._namespace), {"fieldSelector": "type=Warning", "limit": 500})
        except (Refused, TemporaryError):
            return {}
        return {
            one["involvedObject"]["uid"]: f"{one.get('reason')}: {str(one.get('message')).strip()}"
            for one in found["items"]
            if one["involvedObject"].get("uid") and one["involvedObject"].get("kind") != "Pod"
        }

    def _of_kueue(self) -> Iterator[tuple[str, str]]:
        try:
            version = self._cluster.get(f"/apis/{_KUEUE}")["preferredVersion"]["groupVersion"]
            found = self._cluster.get(self._cluster.resource(version, "Workload").path(self._namespace))
        except (Refused, TemporaryError):
            return
        for workload in found["items"]:
            if words := not_admitted(workload):
                for owner in workload["metadata"].get("ownerReferences") or []:
                    yield owner["uid"], words


def not_admitted(workload: Object) -> str:
    """Why Kueue does not let an object run; empty when it does, or has not looked at it yet."""
    status = workload.get("status") or {}
    said = {one["type"]: one for one in status.get("conditions") or []}
    is_on = {name: one["status"] == "True" for name, one in said.items()}
    taken = _words(said["Evicted"]) if is_on.get("Evicted") else ""
    if (workload.get("spec") or {}).get("active") is False:
        return (
            f"Kueue has taken it out of its queue{_colon(taken)}; it goes on when its Workload's spec.active is true."
        )
    if is_on.get("Admitted"):
        return ""
    waits: Mapping[str, Any] = next(
        (said[name] for name in ("QuotaReserved", "Admitted") if not is_on.get(name, True)), {}
    )
    message = str(waits.get("message") or "").strip().rstrip(".")
    parts = [message if message not in taken else "", *_checks(status)]
    why = "; ".join(filter(None, parts))
    if taken:
        again = _colon(why) if why else ""
        return (
            f"Kueue has taken back what it had admitted: {taken}. It is not admitted again yet{again}{_later(status)}."
        )
    return f"Kueue has not admitted it{_colon(why)}{_later(status)}." if waits or why else ""


def _checks(status: Object) -> Iterator[str]:
    """The admission checks that are still to be passed."""
    for check in status.get("admissionChecks") or []:
        if check.get("state") != "Ready":
            yield f"admission check {check.get('name')} is {check.get('state')}{_colon(check.get('message'))}"


def _later(status: Object) -> str:
    at = (status.get("requeueState") or {}).get("requeueAt")
    return f"; it is back in Kueue's queue at {at}" if at else ""


def _words(condition: Mapping[str, Any]) -> str:
    said = (str(condition.get(name) or "").strip().rstrip(".") for name in ("reason", "message"))
    return ": ".join(filter(None, said))


def _colon(words: str | None) -> str:
    return f": {words.strip().rstrip('.')}" if words else ""
