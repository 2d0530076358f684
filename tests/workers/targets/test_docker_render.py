"""What a docker queue config becomes, and what is refused. The golden requests are in `tests/golden`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden.requests import workload
from tests.workers.targets.workloads import refusal
from workers.failures import RunFailed
from workers.targets.docker.render import render


def test_the_order_of_variables_does_not_change_the_request() -> None:
    one = render(workload({"env": {"A": "1", "B": "2"}}))
    other = render(workload({"env": {"B": "2", "A": "1"}}))
    assert one.digest == other.digest


def _refusal(**config: Any) -> str:
    return refusal(render, config)


def test_an_unknown_flag_is_named_with_its_near_miss() -> None:
    assert "'memroy' does not exist" in _refusal(memroy="2g")
    assert "did you mean 'memory'" in _refusal(memroy="2g")
    assert "did you mean" not in _refusal(zzzzz=1)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"name": "mine"}, "names the container"),
        ({"rm": True}, "removes the container"),
        ({"d": True}, "detached"),
        ({"restart": "always"}, "twice"),
        ({"env_file": "/etc/env"}, "list what it holds"),
        ({"t": True}, "no terminal"),
        ({"log-driver": "syslog"}, "json-file, local, journald"),
    ],
)
def test_flags_that_are_launchyards_own_are_refused_with_the_reason(config: dict[str, Any], why: str) -> None:
    assert why in _refusal(**config)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"memory": "lots"}, "'lots' is not a size"),
        ({"memory": ["1g", "2g"]}, "one value, not 2"),
        ({"memory": True}, "needs a value"),
        ({"m": "1g", "memory": "2g"}, "one value, not 2"),
        ({"cpus": "two"}, "number of CPUs"),
        ({"cpus": 0}, "number of CPUs"),
        ({"cpu-shares": 1.5}, "whole number"),
        ({"privileged": "yes"}, "neither true nor false"),
        ({"env": ["TOKEN"]}, "must be NAME=value"),
        ({"env": {"A": "B"}}, "is an object"),
        ({"env": None}, "is null"),
        ({"env": [["A=B"]]}, "is a list"),
        ({"label": "launchyard.managed=false"}, "taken"),
        ({"volume": "./data:/data"}, "absolute"),
        ({"volume": "/data:data"}, "absolute"),
        ({"mount": "type=bind,source=/a"}, "needs target"),
        ({"mount": "type=bind,source=a,target=/a"}, "source=/path/on/the/host"),
        ({"mount": "type=bind,sorce=/a,target=/a"}, "did you mean 'source'"),
        ({"mount": "type=floppy,target=/a"}, "not one of bind"),
        ({"tmpfs": "tmp"}, "absolute path"),
        ({"ulimit": "nofile"}, "soft:hard"),
        ({"device": "fuse"}, "/dev/fuse"),
        ({"gpus": "device=0,count=1"}, "'all', a number"),
        ({"gpus": "some"}, "whole number"),
        ({"publish": "8080-8090:80"}, "several ports"),
        ({"add-host": "db"}, "NAME:address"),
        ({"pull": "sometimes"}, "always, missing, never"),
        ({"security-opt": "seccomp=/etc/profile.json"}, "file of the agent's machine"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_the_cure(config: dict[str, Any], why: str) -> None:
    assert why in _refusal(**config)


def test_two_entry_points_are_refused() -> None:
    with pytest.raises(RunFailed, match="entry point of its own"):
        render(workload({"entry_point": ["python"], "config": {"entrypoint": "sh"}}))


def test_an_environment_is_not_an_image() -> None:
    with pytest.raises(RunFailed, match="runs images"):
        render(workload({"environment": "/home/agent/environments/3f2a"}))
