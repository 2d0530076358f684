"""Names and amounts of GPUs: what no node offers, and what Kubernetes does not take."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.checks import check_queue
from broker_config.queues import Queue
from broker_config.resources.kubernetes_devices import check


def found(**resources: Any) -> list[str]:
    return [f"{one.severity} {one}" for one in check({"spec": {"pods": [{"resources": resources}]}})]


@pytest.mark.parametrize(
    "name",
    [
        *("nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.10gb.me"),
        *("nvidia.com/mig-1c.3g.20gb", "amd.com/gpu", "google.com/tpu", "rdma/hca", "example.com/fpga"),
        *("cpu", "memory", "ephemeral-storage", "storage", "hugepages-2Mi", "requests.kubernetes.io/x"),
    ],
)
def test_a_name_that_nodes_offer_or_may_offer_is_taken(name: str) -> None:
    assert found(limits={name: 1}) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nvidia.com/gpus", "nvidia.com/gpu"),
        ("nvidia.com/GPU", "nvidia.com/gpu"),
        ("nvdia.com/gpu", "nvidia.com/gpu"),
        ("amd.com/gpus", "amd.com/gpu"),
        ("gpu", "nvidia.com/gpu"),
        ("nvidia.com.gpu", "nvidia.com/gpu"),
        ("nvidia.com/mig-1g5gb", "nvidia.com/mig-1g.5gb"),
        ("nvidia.com/mig-3g.20g", "nvidia.com/mig-3g.20gb"),
        ("mig-1g.10gb", "nvidia.com/mig-1g.10gb"),
        ("cpus", "cpu"),
    ],
)
def test_a_near_miss_is_a_warning_with_the_name_that_is_meant(name: str, meant: str) -> None:
    (said,) = found(limits={name: 1})

    assert said.startswith("warning /spec/pods/0/resources/limits/")
    assert said.endswith(f"did you mean {meant!r}?")


@pytest.mark.parametrize("amount", [1, 1.0, "1", "2k", "2000m", "${GPUS}"])
def test_whole_devices_are_taken_however_they_are_written(amount: object) -> None:
    assert found(limits={"nvidia.com/gpu": amount}) == []


@pytest.mark.parametrize("amount", [0.5, "500m", "half"])
def test_a_part_of_a_device_is_an_error(amount: object) -> None:
    (said,) = found(limits={"nvidia.com/gpu": amount})

    assert "error /spec/pods/0/resources/limits/nvidia.com~1gpu: nvidia.com/gpu is given in whole ones" in said


def test_a_request_for_devices_has_to_be_their_limit() -> None:
    assert found(limits={"nvidia.com/gpu": 2, "cpu": 4}, requests={"nvidia.com/gpu": "2", "cpu": 1}) == []
    for limits in ({}, {"nvidia.com/gpu": 1}):
        (said,) = found(limits=limits, requests={"nvidia.com/gpu": 2})
        assert said.startswith(
            "error /spec/pods/0/resources/requests/nvidia.com~1gpu: 2 of nvidia.com/gpu are requested"
        )


def test_each_key_that_a_launch_can_choose_is_looked_at() -> None:
    # Given a GPU, a slice of one, and two names that nobody offers
    names = ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g5gb", "gpu"]
    limits = {"limits": {"{{kind}}": "{{gpus}}"}}
    queue = Queue.model_validate(
        {
            "name": "q",
            "resource": "kubernetes",
            "config": {"spec": {"template": {"spec": {"containers": [{"resources": limits}]}}}},
            "template_variables": {"kind": {"type": "string", "enum": names}, "gpus": {"type": "integer"}},
        }
    )

    # When
    found = check_queue(queue)

    # Then
    assert [(one.severity, one.pointer.rpartition("limits/")[2], one.text.rpartition("; ")[2]) for one in found] == [
        ("warning", "nvidia.com~1mig-1g5gb", "did you mean 'nvidia.com/mig-1g.5gb'?"),
        ("warning", "gpu", "did you mean 'nvidia.com/gpu'?"),
    ]
