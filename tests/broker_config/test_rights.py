"""What the owner of a queue lets a job change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from broker_config import resources, rights
from broker_config.errors import InvalidRequest
from broker_config.overrides import merge
from broker_config.queues import Queue, parse_queue
from broker_config.resources.protocol import Guard
from broker_config.resources.unknown import UnknownResource


def queue_with(overridable: Any = "all", **config: Any) -> Queue:
    gpus = {"type": "integer", "default": 1}
    fields = {"config": config, "template_variables": {"gpus": gpus}, "overridable": overridable}
    return parse_queue({"name": "gpu", "resource": "docker", **fields})


def is_allowed(queue: Queue, overrides: dict[str, Any], **values: Any) -> bool:
    try:
        rights.Rights(queue).check(overrides, {"gpus": 1, **values})
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize(
    ("overridable", "a_value", "memory", "cpus", "volume"),
    [
        ("nothing", False, False, False, False),
        ("variables", True, False, False, False),
        ("all", True, True, True, False),
        (["/memory"], True, True, False, False),
        (["/m"], True, True, False, False),
        (["/*", "/volume"], True, True, True, True),
        (["/*", "/v"], True, True, True, True),
        (["/volume"], True, False, False, True),
        (["/*"], True, True, True, False),
        (["/vol*"], True, False, False, False),
        ([], True, False, False, False),
    ],
)
def test_an_owner_says_what_a_job_may_change(
    overridable: Any, a_value: bool, memory: bool, cpus: bool, volume: bool
) -> None:
    # Given
    queue = queue_with(overridable, memory="1g")

    # Then
    assert is_allowed(queue, {})
    assert is_allowed(queue, {}, gpus=2) is a_value
    assert is_allowed(queue, {"m": "2g"}) is memory
    assert is_allowed(queue, {"cpus": 4}) is cpus
    assert is_allowed(queue, {"v": ["/:/host"]}) is volume


@pytest.mark.parametrize(
    "overrides",
    [
        {"volume": ["/:/host"]},
        {"v": "/:/host"},
        {"cap_add": ["SYS_ADMIN"]},
        {"net": "host"},
        {"privileged": True},
        {"cap-drop": None},
        {"user": "root"},
        {"read_only": False},
    ],
)
def test_a_guarded_flag_is_not_added_changed_or_removed_however_it_is_spelled(overrides: dict[str, Any]) -> None:
    # Given
    queue = queue_with("all", **{"cap-drop": ["ALL"], "user": "1000", "read-only": True})

    # Then
    assert not is_allowed(queue, overrides)


def test_what_the_owner_wrote_in_a_guarded_place_may_be_said_again() -> None:
    assert is_allowed(queue_with("all", volume=["/data:/data"]), {"v": ["/data:/data"], "memory": "2g"})


def test_a_refusal_names_the_place_the_reason_and_what_is_allowed() -> None:
    with pytest.raises(
        InvalidRequest, match="queue 'gpu': a job may not override '/volume': it can show the job any folder"
    ):
        rights.Rights(queue_with()).check({"v": "/:/host"}, {"gpus": 1})
    with pytest.raises(InvalidRequest, match="a job may not override '/cpus'; it may override: /memory"):
        rights.Rights(queue_with(["/memory"])).check({"cpus": 2}, {"gpus": 1})
    with pytest.raises(InvalidRequest, match="takes no overrides; choose with: gpus"):
        rights.Rights(queue_with("variables")).check({"cpus": 2}, {"gpus": 1})
    with pytest.raises(InvalidRequest, match="does not let a job choose its template variables; leave out gpus"):
        rights.Rights(queue_with("nothing")).check({}, {"gpus": 2})


class Pods(UnknownResource):
    """A resource with named lists and guards at any depth."""

    named_lists: ClassVar[Mapping[str, str]] = {"containers": "name", "volumes": "name"}
    guarded: ClassVar[Sequence[Guard]] = (
        Guard("/**/hostPID", "of the host"),
        Guard("/**/hostPath", "of the host"),
        Guard("/**/securityContext", "of the kernel"),
        Guard("/**/mountPropagation", "of the host", only="Bidirectional"),
    )
    insecure: ClassVar[Sequence[Guard]] = (
        Guard("/**/hostPID", "of the host"),
        Guard("/**/containers/*/command", "replaces the image's"),
    )


POD = {
    "containers": [{"name": "main", "securityContext": {"runAsNonRoot": True}, "mount": {"mountPropagation": "None"}}],
    "volumes": [{"name": "data", "emptyDir": {}}],
}


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "load", lambda name: Pods())


def pod_queue(overridable: Any = "all") -> Queue:
    return parse_queue({"name": "gpu", "resource": "pods", "config": {"spec": POD}, "overridable": overridable})


@pytest.mark.usefixtures("pods")
@pytest.mark.parametrize(
    ("spec", "overridable", "allowed"),
    [
        ({"hostPID": True}, "all", False),
        ({"hostPID": True}, ["/spec"], False),
        ({"hostPID": True}, ["/spec/hostPID"], True),
        ({"hostPID": True}, ["/spec/*"], False),
        ({"containers": [{"name": "main", "image": "a"}]}, "all", True),
        ({"containers": [{"image": "a"}]}, "all", False),
        ({"containers": None}, "all", False),
        (None, "all", False),
        ({"containers": [{"name": "main", "$patch": "delete"}]}, "all", False),
        ({"containers": [{"name": "new", "securityContext": {"privileged": True}}]}, "all", False),
        ({"containers": [{"name": "main", "securityContext": {"runAsNonRoot": False}}]}, "all", False),
        ({"containers": [{"name": "main", "securityContext": {"runAsUser": 1}}]}, "all", False),
        (
            {"containers": [{"name": "main", "securityContext": {"runAsUser": 1}}]},
            ["/spec/containers/main/securityContext/runAsUser"],
            True,
        ),
        (
            {"containers": [{"name": "main", "securityContext": {"runAsNonRoot": None}}]},
            ["/spec/containers/main/securityContext/runAsUser"],
            False,
        ),
        ({"containers": [{"name": "main", "securityContext": {"x": 1}}]}, ["/spec/*/*/securityContext"], True),
        ({"volumes": [{"name": "data", "hostPath": {"path": "/"}}]}, "all", False),
        ({"containers": [{"name": "main", "mount": {"mountPropagation": "Bidirectional"}}]}, "all", False),
        ({"containers": [{"name": "main", "mount": {"mountPropagation": "HostToContainer"}}]}, "all", True),
    ],
)
def test_guards_hold_at_any_depth_and_against_every_way_to_get_past_them(
    spec: Any, overridable: Any, allowed: bool
) -> None:
    assert is_allowed(pod_queue(overridable), {"spec": spec}) is allowed


@pytest.mark.usefixtures("pods")
def test_an_item_is_known_by_its_name_after_it_was_filled_in() -> None:
    # Given a container that is named by a variable and a macro, and an override that names it in full
    container = {"name": "{{team}}-${queue}", "securityContext": {"runAsNonRoot": True}}
    fields = {"config": {"spec": {"containers": [container]}}, "template_variables": {"team": {"type": "string"}}}
    rights_of_queue = rights.Rights(parse_queue({"name": "gpu", "resource": "pods", **fields}))
    macros = {"queue": "gpu"}

    # Then the override does not get past the guard by its other spelling
    for name in ("vision-gpu", "vision-${queue}"):
        overrides = {"spec": {"containers": [{"name": name, "securityContext": None}]}}
        with pytest.raises(InvalidRequest, match="/spec/containers/vision-gpu/securityContext"):
            rights_of_queue.check(overrides, {"team": "vision"}, macros)


@pytest.mark.usefixtures("pods")
def test_secure_mode_finds_what_it_refuses_wherever_it_stands() -> None:
    # Given
    config = merge({"spec": POD}, {"spec": {"hostPID": True, "containers": [{"name": "main", "command": ["sh"]}]}})

    # Then
    assert rights.insecure(Pods(), config) == [
        "/spec/containers/main/command: replaces the image's",
        "/spec/hostPID: of the host",
    ]
    assert rights.insecure(Pods(), {"spec": {"hostPID": False, "containers": [{"name": "main", "command": []}]}}) == []


SAGEMAKER = {
    "ResourceConfig": {"InstanceType": "ml.m5.large"},
    "Environment": {"lower_case": "a"},
    "RoleArn": "Trainer",
}


@pytest.mark.parametrize(
    "overrides",
    [
        {"RoleArn": "Admin"},
        {"role_arn": "Admin"},
        {"ProcessingJob": {"RoleArn": "Admin"}},
        {"processing_job": {"role_arn": "Admin"}},
    ],
)
def test_a_guarded_place_is_guarded_however_it_is_spelled(overrides: dict[str, Any]) -> None:
    queue = parse_queue({"name": "gpu", "resource": "sagemaker", "config": SAGEMAKER})

    with pytest.raises(InvalidRequest, match="RoleArn': it can give the job the rights of another role"):
        rights.Rights(queue).check(overrides, {})


@pytest.mark.parametrize(
    ("place", "overrides"),
    [
        ("/resource_config/instance_type", {"ResourceConfig": {"InstanceType": "ml.m5.xlarge"}}),
        ("/ResourceConfig/InstanceType", {"resource_config": {"instance_type": "ml.m5.xlarge"}}),
        ("/environment/lower_case", {"Environment": {"lower_case": "b"}}),
        ("/tags/team/value", {"Tags": [{"Key": "team", "Value": "vision"}]}),
    ],
)
def test_a_place_that_an_owner_names_is_meant_in_every_spelling(place: str, overrides: dict[str, Any]) -> None:
    # Given a queue with one place that jobs may change
    config = {**SAGEMAKER, "Tags": [{"Key": "team", "Value": "-"}]}
    queue = parse_queue({"name": "gpu", "resource": "sagemaker", "config": config, "overridable": [place]})

    # When a job changes it
    rights.Rights(queue).check(overrides, {})

    # Then it may, and nothing beside it
    with pytest.raises(InvalidRequest, match="may not override"):
        rights.Rights(queue).check({"StoppingCondition": {}, "HyperParameters": {"a": "b"}}, {})
