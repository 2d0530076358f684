"""An agent, or a machine that only plans, renders a request without the SDK of the platform that it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client, LocalCode
from tests.agents import AgentProcess, eventually
from tests.workers.targets.telling import MODULES

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


SDKS = ("kubernetes", "boto3", "botocore", "s3transfer", "docker", "google", "grpc", "proto")
"""What is imported from those, whatever part of it."""


class TellingAgent(AgentProcess):
    """An agent that tells what it has imported."""

    app = "tests.workers.targets.telling"


def test_an_agent_that_has_run_a_local_job_has_imported_no_sdk(settings: Settings, home: Path) -> None:
    # Given an agent that serves a local queue
    (home / "code").mkdir()
    (home / "code" / "job.py").write_text("print('done')")
    client = Client(settings)
    client.queues.create(Queue(name="local", resource="local-process"))
    agent = TellingAgent(settings, "local").start()
    try:
        # When a job of it has ended, and the agent too
        run = client.launch(queue="local", source=LocalCode(home / "code"), entry_point=["python", "job.py"])
        eventually(lambda: run.state is State.SUCCEEDED, "the job has ended", 60)
        assert agent.stop() == 0
    finally:
        agent.kill()
        client.close()

    # Then it had all that such a job needs, and no part of any SDK
    modules = (home / MODULES).read_text().splitlines()
    assert "workers.targets.local_process.target" in modules
    assert [name for name in modules if name.partition(".")[0] in SDKS] == []
