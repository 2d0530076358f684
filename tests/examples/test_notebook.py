"""The notebook, executed as a reader would: with an agent, on the embedded broker, with real processes."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from broker_config.queues import Queue
from broker_config.settings import Settings, environment_for
from broker_config.store import Store
from tests.agents import AgentProcess

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook" / "launch.ipynb"


def test_the_notebook_is_kept_without_what_it_printed() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")


def test_the_notebook_runs_twice_and_launches_its_sweep_once(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an agent for its queue
    store.queues.create(Queue(name="notebook", resource="local-process"))
    for name, value in environment_for(settings).items():
        monkeypatch.setenv(name, value)
    agent = AgentProcess(settings, "notebook").start()

    # When the notebook runs, and runs again with a new kernel
    try:
        for _ in range(2):
            notebook = nbformat.read(NOTEBOOK, as_version=4)
            NotebookClient(
                notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}
            ).execute()
    finally:
        agent.stop()

    # Then it shows how its runs ended, why one failed, and which rate is best
    shown = [_text(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "succeeded" in shown[1]
    assert "exit-code" in shown[3]
    assert "it has to be above 0" in shown[3]
    assert shown[5].strip() == "1.0"

    # And the sweep was launched once
    names = [run.spec.name for run in store.runs.newest()]
    assert {name: names.count(name) for name in names} == {
        "first": 2,
        "broken": 2,
        **{f"rate-{rate}": 1 for rate in (0.03, 0.1, 0.3, 1.0)},
    }


def _text(cell: nbformat.NotebookNode) -> str:
    return "".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in cell.outputs)
