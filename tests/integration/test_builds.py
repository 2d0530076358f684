"""Builds of real agents: one for all runs that want the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_config.images import ImageOrigin
from broker_config.queues import Queue
from broker_config.runs import RunId
from broker_config.settings import Settings
from broker_config.states import FailureClass, State
from broker_config.store import Store
from producer import Client, LocalCode
from tests.agents import AgentProcess, eventually
from tests.integration.conftest import Runs

AgentMaker = Callable[..., AgentProcess]

LEASE_SECONDS = 3.0
QUEUE = "builds"


class Yard:
    """Launches code on the stub target, whose images the stub builds."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.home = settings.home
        self.store = store
        self._client = Client(settings)
        self._client.queues.create(Queue(name=QUEUE, resource="stub", config={"seconds": 0.1}))

    def configure(self, **builder: Any) -> None:
        """Write the config of the agents that start afterwards."""
        block = {"type": "stub", **builder}
        (self.home / "launch-config.yaml").write_text(json.dumps({"lease_seconds": LEASE_SECONDS, "builder": block}))

    def launch(self, content: str = "print('hello')", **overrides: Any) -> RunId:
        """One run of code with that content."""
        folder = self.home / "code"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(content)
        return self._client.launch(
            queue=QUEUE, source=LocalCode(folder), entry_point=["python", "train.py"], overrides=overrides
        ).id

    def launch_image(self, **overrides: Any) -> RunId:
        """One run for which nothing is built."""
        return self._client.launch(queue=QUEUE, source="python:3.11", overrides=overrides).id

    @property
    def begun(self) -> list[int]:
        """The process of each build that began."""
        path: Path = self.home / "stub-images" / "begun"
        return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []

    def lines(self, run_id: RunId) -> list[str]:
        return [line for entry in self.store.logs.read(run_id) for line in entry.lines]

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def yard(settings: Settings, store: Store) -> Iterator[Yard]:
    made = Yard(settings, store)
    yield made
    made.close()


def test_runs_of_the_same_code_on_several_agents_share_a_build_also_when_its_agent_is_killed(
    yard: Yard, runs: Runs, agent: AgentMaker
) -> None:
    # Given three agents with a run each
    yard.configure(seconds=4)
    for number in range(3):
        agent(QUEUE, max_jobs=1, name=f"agent{number}@test").start()
    ids = [yard.launch() for _ in range(3)]
    runs.wait(ids, State.BUILDING)
    eventually(lambda: len(yard.begun) == 1, "one of them builds")
    eventually(lambda: sum("waiting for agent" in "".join(yard.lines(run_id)) for run_id in ids) == 2, "two wait")

    # When
    os.kill(yard.begun[0], signal.SIGKILL)
    ended = runs.wait_ended(ids)

    # Then
    assert {(run.state, run.attempt) for run in ended} == {(State.SUCCEEDED, 1)}
    assert len({run.image for run in ended}) == 1
    assert len(yard.begun) == 2


def test_code_that_cannot_be_built_is_tried_once_for_all_runs_that_were_launched_with_it(
    yard: Yard, runs: Runs, agent: AgentMaker
) -> None:
    # Given runs in the queue of an agent that holds one at a time
    yard.configure(error="no such package")
    ids = [yard.launch() for _ in range(3)]

    # When
    agent(QUEUE, max_jobs=1).start()
    ended = runs.wait_ended(ids)

    # Then
    assert [(run.state, run.failure) for run in ended] == [(State.FAILED, FailureClass.BUILD)] * 3
    assert all("no such package" in run.text for run in ended)
    assert len(yard.begun) == 1


def test_the_images_of_runs_that_wait_are_there_before_they_are_claimed(
    yard: Yard, runs: Runs, agent: AgentMaker
) -> None:
    # Given three runs of different code, of which the agent may hold one
    yard.configure(ahead=True, seconds=0.5)
    first, *others = [yard.launch(f"print({number})", seconds=30 if number == 0 else 0.1) for number in range(3)]
    agent(QUEUE, max_jobs=1).start()

    # When the first one runs
    runs.wait([first], State.RUNNING)
    eventually(lambda: len(yard.store.images.all()) == 3, "all are built")

    # Then the others wait in their queue still, and are not built again when they leave it
    assert {run.state for run in yard.store.runs.get_many(others)} == {State.QUEUED}
    assert "building ahead on agent agent@test" in yard.lines(others[0])[0]
    yard.store.runs.request_cancel(yard.store.runs.get(first), "tester")
    ended = runs.wait_ended(others)
    assert [(run.state, run.image_origin) for run in ended] == [(State.SUCCEEDED, ImageOrigin.REUSED)] * 2
    assert len(yard.begun) == 3


def test_a_run_whose_build_failed_ahead_tells_of_it_when_it_is_claimed(
    yard: Yard, runs: Runs, agent: AgentMaker
) -> None:
    # Given an agent that holds a run of an image, and one of code that cannot be built behind it
    yard.configure(ahead=2, error="no such package")
    holding = yard.launch_image(seconds=30)
    agent(QUEUE, max_jobs=1).start()
    runs.wait([holding], State.RUNNING)
    broken = yard.launch()
    eventually(lambda: len(yard.begun) == 1, "its build was tried")

    # When
    yard.store.runs.request_cancel(yard.store.runs.get(holding), "tester")
    (run,) = runs.wait_ended([broken])

    # Then
    assert (run.state, run.failure) == (State.FAILED, FailureClass.BUILD)
    assert "no such package" in run.text
    assert len(yard.begun) == 1


def test_agents_remove_what_an_operator_wants_to_be_gone_but_not_what_a_live_run_runs(
    yard: Yard, runs: Runs, agent: AgentMaker
) -> None:
    # Given an image of an ended run, and one of a run that goes on
    yard.configure()
    agent(QUEUE).start()
    ended, live = yard.launch("print(1)"), yard.launch("print(2)", seconds=30)
    runs.wait_ended([ended])
    runs.wait([live], State.RUNNING)
    images = yard.store.images

    # When
    for image in images.all():
        images.request_removal(image.id, "tester")

    # Then
    eventually(lambda: all(wish.outcome for wish in images.removals().values()), "each wish has an outcome")
    (kept,) = images.all()
    outcomes = {wish.outcome for wish in images.removals().values()}
    assert kept.run == live
    assert outcomes == {"removed", f"kept: run {live} runs it"}
    assert len([path for path in (yard.home / "stub-images").iterdir() if path.name != "begun"]) == 1
