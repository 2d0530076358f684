"""Every golden request, compared whole. `make golden` writes them anew; what changed is then read in the diff."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from tests.golden.requests import FILES, RENDERS, Golden, difference, workload
from tests.golden.spoiled import spoiled
from workers.failures import RunFailed


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_a_workload_gives_exactly_this_request(path: Path, pytestconfig: pytest.Config) -> None:
    # Given what is launched, and the request that was agreed on
    golden = Golden.read(path)

    # When the target renders it
    request = golden.render()

    # Then not one field is different
    if pytestconfig.getoption("rewrite_golden"):
        golden.write(request)
    elif request != golden.request:
        pytest.fail(f"\n{difference(golden, request)}\n\nIf this is what you want: make golden", pytrace=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_a_request_is_json_that_does_not_come_back_changed(path: Path) -> None:
    request = Golden.read(path).render()

    assert json.loads(json.dumps(request)) == request


@pytest.mark.parametrize("target", RENDERS)
def test_every_target_has_golden_requests(target: str) -> None:
    assert [path for path in FILES if path.parents[1].name == target]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_rendering_leaves_the_config_as_it_was(path: Path) -> None:
    # Given a config that is also the record's
    golden = Golden.read(path)
    launched = golden.workload()
    before = deepcopy(launched.config)

    # When it is rendered
    RENDERS[golden.target](launched)

    # Then nothing was written into it
    assert launched.config == before


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_whatever_stands_in_a_config_there_is_a_request_or_one_clear_error(path: Path) -> None:
    # Given a job with something for every place, and a config that is wrong in one of them
    launched = yaml.safe_load(Golden.read(path).launched)
    job = {"entry_point": ["python"], "args": ["-V"], "env": {"A": "1"}, "labels": {"a": "1"}, **launched}
    for config in spoiled(launched.get("config", {})):
        # When it is rendered, then nothing else is raised than that the config cannot work
        with suppress(RunFailed):
            request = RENDERS[path.parents[1].name](workload({**job, "config": config, "overrides": {}}))
            assert json.dumps(request.body)
