"""The checks over the configs of the golden requests: those work, and nothing that stands in one stops a check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from broker_config import resources
from tests.golden.requests import FILES, Golden
from tests.golden.spoiled import spoiled


def config_of(path: Path) -> tuple[str, dict[str, Any]]:
    golden = Golden.read(path)
    return golden.target.replace("_", "-"), yaml.safe_load(golden.launched).get("config", {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_a_config_that_gives_a_request_has_no_error(path: Path) -> None:
    resource, config = config_of(path)
    assert [one for one in resources.load(resource).check(config) if one.is_error] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_whatever_stands_in_a_config_its_check_ends_with_findings(path: Path) -> None:
    # Given a config with something else in one place, when it is checked, then every finding names a place and a cure
    resource, config = config_of(path)
    for other in spoiled(config):
        assert all(one.text and one.pointer[:1] in {"", "/"} for one in resources.load(resource).check(other))
