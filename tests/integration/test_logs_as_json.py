"""What a real agent and a real server write as JSON: nothing else, and who and what each record is about."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broker_config.queues import QueueRecord
from broker_config.settings import Settings, environment_for
from broker_config.states import State
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs
from tests.ports import free_port


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_each_record_of_an_agent_says_the_agent_and_the_run(
    settings: Settings, agent: Callable[..., AgentProcess], queue: QueueRecord, runs: Runs
) -> None:
    # Given
    log = settings.home / "agent.json"
    process = agent(queue.name).start("--log-format", "json", "--logfile", str(log))

    # When
    (run_id,) = runs.enqueue(queue, seconds=0.1)
    (run,) = runs.wait([run_id], State.SUCCEEDED)
    process.stop()

    # Then
    lines = _lines(log)
    assert {line["agent"] for line in lines} == {process.name}
    assert {"celery.apps.worker", "workers.claim"} <= {line["logger"] for line in lines}
    of_run = {line["action"]: line for line in lines if line.get("run") == run_id}
    assert {"run-claimed", "run-ended"} <= of_run.keys()
    assert all((line["queue"], line["target"]) == (queue.name, "stub") for line in of_run.values())
    ended = of_run["run-ended"]
    assert (ended["attempt"], ended["state"], ended["reason"]) == (run.attempt, "succeeded", run.reason)


def test_every_line_of_a_server_is_json(settings: Settings, tmp_path: Path) -> None:
    # Given
    log, port = tmp_path / "server.json", free_port()
    environment = environment_for(settings, LAUNCHYARD_LOG_FORMAT="json")
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "producer.server", "127.0.0.1", str(port)],
            stdout=output, stderr=output, env=environment,
        )  # fmt: skip

    # When
    try:
        eventually(lambda: "startup complete" in log.read_text(), "the server has started; see its log")
    finally:
        server.terminate()
        server.wait(30)

    # Then
    assert "uvicorn.error" in {line["logger"] for line in _lines(log)}
