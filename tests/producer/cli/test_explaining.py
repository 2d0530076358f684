from __future__ import annotations

import pytest

from broker_config.queues import QueueRecord
from producer import Client, RunHandle
from tests.producer.cli.conftest import Call
from tests.producer.conftest import HandAgent


@pytest.fixture
def run(client: Client, queue: QueueRecord) -> RunHandle:
    return client.launch(queue="gpu-queue", source="python:3.11", name="try")


def test_explain_shows_the_reasons_as_a_tree_with_what_helps(launchyard: Call, run: RunHandle) -> None:
    # Given a run on a paused queue
    launchyard("queue", "pause", "gpu-queue", "--reason", "new driver")

    # When
    answer = launchyard("explain", run.id)

    # Then the most decisive reason comes first, and its command is the first that is told
    lines = answer.out.splitlines()
    assert lines[0].startswith(f"run-queued: Run {run.id} (try) waits on queue 'gpu-queue' for")
    assert lines[1].startswith("  queue-paused: Queue 'gpu-queue' was paused by")
    assert lines[2] == "      what helps: Resume it when that is over."
    assert answer.err.splitlines()[0] == "next: launchyard queue resume gpu-queue"


def test_explain_shows_lines_of_the_log(launchyard: Call, run: RunHandle, agent: HandAgent) -> None:
    started = agent.start(run.id)
    agent.print(started, "Traceback", "ValueError: x")
    agent.finish(started, exit_code=1)

    assert "      | ValueError: x" in launchyard("explain", run.id[:8]).out.splitlines()


def test_explain_answers_in_json_and_refuses_what_is_not_there(launchyard: Call, run: RunHandle) -> None:
    document = launchyard("explain", "gpu-queue", "--json").json
    assert (document["code"], document["causes"][0]["code"]) == ("queue-waits", "no-agent")
    answer = launchyard("explain", "nothing-like-it")
    assert answer.code == 4
    assert "no run, queue or agent is called 'nothing-like-it'" in answer.err
