"""What the tests of every `render` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from broker_config.states import FailureClass
from tests.golden.requests import FILES, Golden, workload
from workers.failures import RunFailed
from workers.targets.protocol import Request, Workload


def golden_requests(target: str) -> list[Any]:
    """All golden requests of a target, as parameters named after their files."""
    return [pytest.param(golden, id=golden.path.stem) for golden in map(Golden.read, FILES) if golden.target == target]


def refusal(render: Callable[[Workload], Request], config: Mapping[str, Any], **launched: Any) -> str:
    """What is told about a config that cannot work."""
    with pytest.raises(RunFailed) as failed:
        render(workload({"config": config, **launched}))
    assert failed.value.failure is FailureClass.CONFIG
    return str(failed.value)
