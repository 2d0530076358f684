from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from producer.cli.programs import AgentOptions, agent_arguments, flower_arguments
from tests.agents import eventually
from tests.producer.cli.conftest import Processes
from workers.targets.protocol import Request
from workers.targets.stub import StubTarget

SOON = 30.0


def alive_agents(processes: Processes) -> list[dict[str, object]]:
    return [agent for agent in processes.call("agents", "--json").json["agents"] if agent["alive"]]


def wait_for_agent(processes: Processes) -> dict[str, object]:
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if found := alive_agents(processes):
            return found[0]
        time.sleep(0.2)
    pytest.fail("no agent announced itself")


def test_the_agents_command_line_holds_no_setting(tmp_path: Path) -> None:
    # Given options, when the command line is made, then they are there and nothing else is
    options = AgentOptions(
        queues=["a", "b"], entity="", max_jobs=5, config=tmp_path / "c.yaml", name="mine", verbosity=2
    )
    arguments = agent_arguments(options)
    assert arguments[-10:] == [
        *("-Q", "a,b", "--verbosity", "2", "--entity", "", "--max-jobs", "5"),
        *("--launch-config", str(tmp_path / "c.yaml")),
    ]
    assert "mine@%h" in arguments
    assert not any("redis" in word for word in arguments + flower_arguments(5555))


def test_an_agent_replaces_the_command_carries_out_runs_and_stops_when_asked(processes: Processes) -> None:
    # Given a queue and an agent for it
    processes.call("queue", "create", "q", "-r", "stub")
    agent = processes.start("agent", "-q", "q", "--max-jobs", "2")
    found = wait_for_agent(processes)

    # Then it is the process that the command was
    assert (found["pid"], found["queues"], found["max_jobs"]) == (agent.pid, ["q"], 2)

    # And when a run is launched and followed, then it is carried out
    answer = processes.call("launch", "-q", "q", "--image", "a:b", "--override", "lines=[hello]", "-f")
    assert (answer.code, answer.out) == (0, "hello\n")

    # And when the agent is asked to stop, then it does
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=SOON)
    assert not alive_agents(processes)


def test_an_agent_for_an_unknown_queue_is_refused(processes: Processes) -> None:
    # Given one queue, when an agent is to serve another one, then a near miss is named
    processes.call("queue", "create", "gpu", "-r", "stub")
    answer = processes.call("agent", "-q", "gpuu")
    assert (answer.code, "did you mean 'gpu'" in answer.err) == (4, True)


def test_an_agent_of_another_entity_refuses_a_queue_and_names_the_cure(processes: Processes) -> None:
    # Given a queue of one team
    processes.call("queue", "create", "gpu", "-r", "stub", "--entity", "vision")

    # When an agent of another team is to serve it
    answer = processes.call("agent", "-q", "gpu", "-e", "language")

    # Then it is told whose queue has that name
    assert answer.code == 4
    assert "queue 'language/gpu' does not exist; there is 'vision/gpu', of another entity" in answer.err

    # And asked for by that name it ends with the code of a config that cannot work
    answer = processes.call("agent", "-q", "vision/gpu", "-e", "language")
    assert answer.code == 78
    assert "queue 'vision/gpu' belongs to entity 'vision', and this agent serves entity 'language'; set" in answer.err

    # And one of the team serves it
    processes.start("agent", "-q", "gpu", "-e", "vision", "-j", "2", "-v")
    assert wait_for_agent(processes)["queues"] == ["vision/gpu"]


def test_a_check_of_an_agents_config_has_a_line_each_and_an_exit_code(processes: Processes) -> None:
    # Given
    processes.call("queue", "create", "q", "-r", "stub")

    # When
    good = processes.call("agent", "check", "-q", "q")
    bad = processes.call("agent", "check", "-q", "q", "-e", "vision", "--json")

    # Then
    assert (good.code, bad.code) == (0, 6)
    assert "ok       queue q: of entity default, on resource stub" in good.out
    assert [line["subject"] for line in bad.json["checks"] if line["status"] == "failed"] == ["queue vision/q"]


def test_ctrl_c_while_following_leaves_the_run_alone(processes: Processes) -> None:
    # Given a run that nobody takes, followed
    processes.call("queue", "create", "q", "-r", "stub")
    run_id = processes.call("launch", "-q", "q", "--image", "a:b").out.strip()
    follower = processes.start("logs", "-f", run_id)
    assert follower.stderr is not None
    assert "queued" in follower.stderr.readline()

    # When it gets Ctrl-C
    follower.send_signal(signal.SIGINT)
    _, err = follower.communicate(timeout=SOON)

    # Then it says how to come back, and the run goes on
    assert follower.returncode == 130
    assert f"next: launchyard logs -f {run_id}" in err
    assert processes.call("show", run_id, "--json").json["state"] == "queued"


def test_up_runs_everything_in_the_foreground_and_stops_what_it_started(processes: Processes) -> None:
    # Given a queue, and no broker running
    processes.call("queue", "create", "q", "-r", "stub")
    processes.call("broker", "stop")

    # When everything is brought up
    up = processes.start("up", "--max-jobs", "3", "--no-flower", "--json")
    assert up.stdout is not None
    assert json.loads(up.stdout.readline())["line"].startswith("embedded, started")
    agent = wait_for_agent(processes)

    # Then jobs are carried out
    assert processes.call("launch", "-q", "q", "--image", "a:b", "-f").code == 0

    # And when it is ended, then nothing of it is left
    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=SOON)
    assert up.returncode == 0
    assert not psutil.pid_exists(int(str(agent["pid"])))
    assert processes.call("broker", "status").code == 7


def test_up_without_a_queue_says_how_to_make_one(processes: Processes) -> None:
    # Given an empty installation, when it is brought up, then the command that helps is named
    answer = processes.call("up")
    assert (answer.code, "launchyard queue create" in answer.err) == (3, True)


def test_up_leaves_a_broker_alone_that_ran_before(processes: Processes) -> None:
    # Given a running broker with a queue
    processes.call("queue", "create", "q", "-r", "stub")

    # When everything is brought up and ended
    up = processes.start("up", "--no-flower")
    wait_for_agent(processes)
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=SOON)

    # Then the broker still runs
    assert processes.call("broker", "status").code == 0


def test_an_agent_is_paused_with_a_reason_that_everybody_sees_and_drained(processes: Processes) -> None:
    # Given an agent
    processes.call("queue", "create", "q", "-r", "stub")
    agent = processes.start("agent", "-q", "q", "--name", "gpu")
    wait_for_agent(processes)

    # When it is paused, then everybody sees why
    assert processes.call("agent", "pause", "gpu", "--reason", "new driver").code == 0
    deadline = time.monotonic() + SOON
    while "new driver" not in processes.call("agents").out:
        assert time.monotonic() < deadline, "the agent has not heard"

    # And when it is resumed and drained, then it carries out what waits, or leaves it, and stops
    assert processes.call("agent", "resume", "gpu").code == 0
    assert processes.call("agent", "drain", "gpu", "--wait").code == 0
    assert agent.wait(SOON) == 0
    assert not alive_agents(processes)


def test_an_unknown_agent_is_named_with_near_misses(processes: Processes) -> None:
    # Given no agent, when one is paused, then the error says so
    answer = processes.call("agent", "pause", "gpu")
    assert (answer.code, "agent 'gpu' does not exist" in answer.err) == (4, True)


def test_an_orphan_is_listed_and_removed_by_the_agent_that_reaches_it(processes: Processes, home: Path) -> None:
    # Given an object that runs and belongs to no run, and an agent that has had no run yet
    processes.call("queue", "create", "q", "-r", "stub")
    stub, name = StubTarget(home), "launchyard-aaaaaaaaaaaa-1"
    stub.submit(Request(name, {"seconds": 600.0, "exit_code": 0, "lines": [], "ignores_cancel": False}))
    processes.start("agent", "-q", "q")
    wait_for_agent(processes)

    # Then it is listed, with who sees it
    def listed() -> Any:
        return processes.call("agent", "orphans", "--json").json

    eventually(lambda: bool(listed()["orphans"]), "the agent has told of the orphan")
    (orphan,) = listed()["orphans"]
    assert (orphan["name"], orphan["resource"]) == (name, "stub")
    assert orphan["agent"].startswith("agent@")
    assert "launchyard agent orphans" in processes.call("agents").err

    # And when its removal is wanted, then it is ended and removed, and the list says so
    assert processes.call("agent", "orphans", "--remove", name).code == 0
    eventually(lambda: not listed()["orphans"], "the orphan is removed")
    assert stub.inventory() == []
    assert "removed" in processes.call("agent", "orphans").out


def test_the_removal_of_what_no_agent_sees_is_refused(processes: Processes) -> None:
    # Given no orphan, when one is to be removed, then the error says so
    answer = processes.call("agent", "orphans", "--remove", "launchyard-aaaaaaaaaaaa-1")
    assert (answer.code, "no agent sees an orphan" in answer.err) == (4, True)
