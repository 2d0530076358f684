from __future__ import annotations

from typing import Any

import pytest

from workers.targets.kubernetes.holdups import not_admitted


def condition(kind: str, is_true: bool, message: str = "", reason: str = "Pending") -> dict[str, Any]:
    return {"type": kind, "status": str(is_true), "reason": reason, "message": message}


def workload(*conditions: dict[str, Any], active: bool = True, **status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"active": active}, "status": {"conditions": [*conditions], **status}}


NO_QUOTA = condition("QuotaReserved", False, "couldn't assign flavors to pod set main: insufficient quota")
EVICTED = condition("Evicted", True, "Preempted to accommodate a workload (UID: 7)", "Preempted")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (workload(), ""),
        (workload(condition("QuotaReserved", True), condition("Admitted", True)), ""),
        (workload(NO_QUOTA), "Kueue has not admitted it: couldn't assign flavors to pod set main: insufficient quota."),
        (
            workload(condition("QuotaReserved", False, "ClusterQueue gpus is inactive", "Inadmissible")),
            "Kueue has not admitted it: ClusterQueue gpus is inactive.",
        ),
        (
            workload(
                condition("QuotaReserved", True),
                condition("Admitted", False, "The workload has not all checks ready"),
                admissionChecks=[{"name": "capacity", "state": "Pending", "message": "nodes are being added"}],
            ),
            "Kueue has not admitted it: The workload has not all checks ready; "
            "admission check capacity is Pending: nodes are being added.",
        ),
        (
            workload(NO_QUOTA, EVICTED),
            "Kueue has taken back what it had admitted: Preempted: Preempted to accommodate a workload (UID: 7). "
            "It is not admitted again yet: couldn't assign flavors to pod set main: insufficient quota.",
        ),
        (
            workload(
                condition("QuotaReserved", False, "Exceeded the PodsReady timeout"),
                condition("Evicted", True, "Exceeded the PodsReady timeout", "PodsReadyTimeout"),
                requeueState={"count": 1, "requeueAt": "2026-01-01T00:01:00Z"},
            ),
            "Kueue has taken back what it had admitted: PodsReadyTimeout: Exceeded the PodsReady timeout. "
            "It is not admitted again yet; it is back in Kueue's queue at 2026-01-01T00:01:00Z.",
        ),
        (
            workload(condition("Evicted", True, "The workload is deactivated", "Deactivated"), active=False),
            "Kueue has taken it out of its queue: Deactivated: The workload is deactivated; "
            "it goes on when its Workload's spec.active is true.",
        ),
    ],
)
def test_why_kueue_does_not_let_an_object_run(found: dict[str, Any], words: str) -> None:
    assert not_admitted(found) == words
