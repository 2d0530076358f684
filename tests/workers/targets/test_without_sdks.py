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


AGENT = """
import sys
import workers.agent, workers.celery, workers.check, workers.plan, workers.recover, producer
from workers.members import runs_images
assert runs_images("stub")
sdks = {"kubernetes", "boto3", "botocore", "docker", "google.auth", "google.protobuf", "grpc"}
print(*sorted(sdks & sys.modules.keys()))
"""


def test_an_agent_that_no_queue_needs_one_for_imports_no_sdk() -> None:
    # When a fresh interpreter has all of an agent, and a target that needs none
    done = subprocess.run(
        [sys.executable, "-c", AGENT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    # Then its memory and its start know nothing of clouds
    assert done.stdout.split() == []
