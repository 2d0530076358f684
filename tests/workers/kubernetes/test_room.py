"""How many GPUs there are for a pod that waits: from nodes and pods as the server sends them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from workers.kubernetes.demands import Demand, Node, demand_of, devices_of, node_of
from workers.kubernetes.room import Reading

GPU = "nvidia.com/gpu"
MIG = "nvidia.com/mig-1g.5gb"
TAINT = {"key": GPU, "value": "present", "effect": "NoSchedule"}


def node(name: str, gpus: int | str, labels: dict[str, str] | None = None, *taints: dict[str, str]) -> Node:
    metadata = {"name": name, "labels": labels or {}}
    return node_of(
        {
            "metadata": metadata,
            "spec": {"taints": list(taints)},
            "status": {"allocatable": {"cpu": "8", "hugepages-2Mi": "0", GPU: gpus}},
        }
    )


def pod(gpus: object, name: str = GPU, **spec: Any) -> Demand:
    demand = demand_of({"containers": [{"resources": {"limits": {name: gpus, "cpu": "1"}}}], **spec})
    assert demand is not None
    return demand


NODES = [node("a", "8"), node("b", "8")]


def test_what_is_free_is_counted_over_nodes_and_on_the_best_one() -> None:
    # Given two nodes with 8 GPUs, of which others have 7 and 7
    reading = Reading(NODES, {"a": Counter({GPU: 7}), "b": Counter({GPU: 7}), "gone": Counter({GPU: 3})})

    # Then
    assert reading.words(pod(4)) == (
        "It waits for 4 x nvidia.com/gpu: 2 of 16 are free on the nodes that it may go to, at most 1 on one node."
    )


def test_one_node_needs_no_best_one_and_nodes_without_a_list_of_pods_tell_what_they_have() -> None:
    assert Reading(NODES[:1], {"a": Counter({GPU: 6})}).words(pod(4)) == (
        "It waits for 4 x nvidia.com/gpu: 2 of 8 are free on the nodes that it may go to."
    )
    assert Reading(NODES).words(pod(4)) == (
        "It waits for 4 x nvidia.com/gpu: the nodes that it may go to have 16, at most 8 on one node."
    )


def test_who_could_have_its_gpus_already_waits_for_something_else() -> None:
    assert Reading(NODES, {"a": Counter({GPU: 4})}).words(pod(8)) == ""


def test_only_nodes_with_its_labels_and_without_taints_that_it_does_not_tolerate_count() -> None:
    # Given
    tainted = node("t", "4", {"pool": "h100"}, TAINT)
    nodes = [node("a", 8, {"pool": "a100"}), tainted, node("full", 2, {"pool": "h100"})]
    reading = Reading(nodes, {"full": Counter({GPU: 2}), "t": Counter({GPU: 3})})

    # Then
    chosen = pod(2, nodeSelector={"pool": "h100"})
    assert "0 of 2 are free" in reading.words(chosen)
    tolerant = pod(2, nodeSelector={"pool": "h100"}, tolerations=[{"key": GPU, "operator": "Exists"}])
    assert "1 of 6 are free on the nodes that it may go to, at most 1 on one node" in reading.words(tolerant)


@pytest.mark.parametrize(
    ("toleration", "is_let_in"),
    [
        ({"operator": "Exists"}, True),
        ({"key": GPU, "operator": "Exists"}, True),
        ({"key": GPU, "value": "present", "effect": "NoSchedule"}, True),
        ({"key": GPU, "value": "present", "effect": "NoExecute"}, False),
        ({"key": GPU, "value": "absent"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_taint_keeps_out_who_does_not_tolerate_it(toleration: dict[str, str], is_let_in: bool) -> None:
    assert node("t", 1, None, TAINT).takes(pod(1, tolerations=[toleration])) is is_let_in


def test_a_taint_that_only_prefers_others_keeps_nobody_out() -> None:
    assert node("t", 1, None, {**TAINT, "effect": "PreferNoSchedule"}).takes(pod(1))


@pytest.mark.parametrize(
    ("demand", "lack"),
    [
        (pod(1, MIG), f"no node has {MIG}; there are nodes with {GPU}"),
        (pod(9), f"it asks for 9 x {GPU} on one node, and the largest that it may go to has 8"),
        (
            pod(1, nodeSelector={"pool": "none"}),
            f"2 nodes have {GPU}, and the pod's nodeSelector and tolerations lead to none of them",
        ),
        (pod(8), ""),
    ],
)
def test_what_no_waiting_will_bring_is_told_as_that(demand: Demand, lack: str) -> None:
    assert Reading(NODES).lack(demand) == lack


def test_a_cluster_without_devices_has_none_to_name() -> None:
    assert Reading([node("a", 0)]).lack(pod(1)) == f"no node has {GPU}"


def test_a_pod_takes_what_its_containers_take_together_or_the_one_that_runs_before_them() -> None:
    # Given two containers, one beside them, and one before them
    def container(gpus: int, **fields: Any) -> dict[str, Any]:
        return {"resources": {"requests": {GPU: str(gpus)}, "limits": {GPU: str(gpus), "cpu": "2"}}, **fields}

    together = {
        "containers": [container(1), container(2), {}],
        "initContainers": [container(1, restartPolicy="Always")],
    }

    # Then
    assert devices_of(together) == {GPU: 4}
    assert devices_of({**together, "initContainers": [*together["initContainers"], container(6)]}) == {GPU: 6}
    assert demand_of({"containers": [{}]}) is None
    assert demand_of({"containers": [{"resources": {"limits": {GPU: "${GPUS}"}}}]}) is None
