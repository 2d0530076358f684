"""An agent, or a machine that only plans, renders a request without the SDK of the platform that it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
from workers.targets.{target} import render
assert callable(render)
print(*sorted({{"kubernetes", "boto3", "botocore", "google.protobuf", "grpc"}} & sys.modules.keys()))
"""


@pytest.mark.parametrize("target", ["kubernetes", "sagemaker", "vertex"])
def test_a_request_is_rendered_without_the_platforms_sdk(target: str) -> None:
    # When a fresh interpreter imports what renders
    command = [sys.executable, "-c", SCRIPT.format(target=target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    # Then no SDK came with it
    assert done.stdout.split() == []
