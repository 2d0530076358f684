"""Trainings that have their checkpoints evaluated: the plain loop, and the callback of PyTorch Lightning."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.store import Store
from producer import Client
from tests.agents import AgentProcess

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "pipeline"


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(EXAMPLE)
    yield importlib.import_module("evaluations")
    del sys.modules["evaluations"]


def start(settings: Settings, script: Path, *arguments: str) -> str:
    path = os.pathsep.join([str(ROOT), str(EXAMPLE)])
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment_for(settings, PYTHONPATH=path),
        timeout=150,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_training_that_is_tried_again_has_each_epoch_evaluated_once(settings: Settings, store: Store) -> None:
    # Given an agent that runs evaluations
    store.queues.create(Queue(name="evaluations", resource="local-process"))
    agent = AgentProcess(settings, "evaluations").start()

    # When the loop of the example runs, and its orchestrator tries it again
    try:
        arguments = ("--queue", "evaluations", "--training", "nightly", "--folder", str(settings.home / "checkpoints"))
        first, second = (start(settings, EXAMPLE / "train.py", *arguments) for _ in range(2))
    finally:
        agent.stop()

    # Then each of its epochs has one run, whose result the training read
    runs = list(store.runs.newest())
    assert [run.spec.name for run in runs] == ["nightly-epoch-2", "nightly-epoch-1", "nightly-epoch-0"]
    assert f"run {runs[0].id} found for epoch 2: 8.80" in first
    assert second == first


def test_only_a_new_best_is_evaluated_unless_all_are_wanted(
    settings: Settings, store: Store, evaluations: ModuleType, tmp_path: Path
) -> None:
    # Given trainings whose third epoch is worse than their second
    store.queues.create(Queue(name="evaluations", resource="stub"))
    losses = (3.0, 2.0, 5.0, 1.0)
    with Client(settings) as client:
        picky = evaluations.Evaluations(client, "evaluations", "picky")
        curious = evaluations.Evaluations(client, "evaluations", "curious", only_best=False)

        # When their epochs end
        for epoch, loss in enumerate(losses):
            picky.after_epoch(epoch, loss, tmp_path)
            curious.after_epoch(epoch, loss, tmp_path)

    # Then that one is left out, or not
    assert list(picky.runs) == [0, 1, 3]
    assert list(curious.runs) == [0, 1, 2, 3]


def test_a_training_outlives_its_broker_and_enqueues_later_what_it_owes(
    settings: Settings, store: Store, evaluations: ModuleType, tmp_path: Path, home: Path
) -> None:
    # Given a queue that is full after one run
    store.queues.create(Queue(name="evaluations", resource="stub", max_queued=1))
    with Client(settings) as client:
        training = evaluations.Evaluations(client, "evaluations", "patient")
        training.after_epoch(0, 3.0, tmp_path)

        # When a second epoch ends, then it goes on
        training.after_epoch(1, 2.0, tmp_path)
        assert list(training.runs) == [0]

        # And when there is room after the third, then both are enqueued
        store.queues.edit(Queue(name="evaluations", resource="stub"))
        training.after_epoch(2, 2.5, tmp_path)
        assert list(training.runs) == [0, 1]


def test_the_callback_of_lightning_has_new_bests_evaluated_and_knows_its_best_after_a_restart(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    # Given Lightning, whose torch is gigabytes large, and so is not among what the tests install
    if find_spec("lightning") is None:
        pytest.skip("PyTorch Lightning is not installed: pip install lightning")
    store.queues.create(Queue(name="evaluations", resource="stub"))
    script = Path(__file__).with_name("lightning_training.py")

    # When a training is stopped after three epochs, and another process goes on from its checkpoint
    start(settings, script, "evaluations", str(tmp_path), "3")
    start(settings, script, "evaluations", str(tmp_path), "4", str(tmp_path / "epoch-2.ckpt"))

    # Then each new best is evaluated once; the third epoch was none
    names = [run.spec.name for run in store.runs.newest()]
    assert names == ["lightning-epoch-3", "lightning-epoch-1", "lightning-epoch-0"]
