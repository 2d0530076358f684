from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker_config.embedded import EmbeddedBroker
from tests.services import require

# An environment with scikit-learn is made in it, from a package index that may be slow.
pytestmark = pytest.mark.timeout(600)


def demo(home: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAUNCHYARD_")}
    return subprocess.Popen(
        [sys.executable, "-m", "producer.cli", "demo", "--no-flower", "--json", *arguments],
        env={**kept, "LAUNCHYARD_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_demo_trains_on_a_bare_machine_and_leaves_nothing_running(home: Path) -> None:
    # Given an empty home, when the demo runs
    process = demo(home)
    out, err = process.communicate(timeout=590)
    lines = [json.loads(line) for line in out.splitlines()]
    if lines and lines[-1].get("run", {}).get("failure") == "build":
        require(False, f"a package index with scikit-learn: {lines[-1]['run']['text']}")

    # Then a real training went through the queue, and its accuracy is told
    assert process.returncode == 0, err
    assert lines[-1]["run"]["state"] == "succeeded"
    assert 0.9 < lines[-1]["accuracy"] < 1
    assert sum(line.get("line", "").startswith("epoch ") for line in lines) == 20

    # And what it started is gone
    assert EmbeddedBroker(home).pid is None


def test_an_interrupted_demo_cancels_its_run_and_stops_what_it_started(home: Path) -> None:
    # Given a demo whose run is under way
    process = demo(home)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("new") in {"building", "running"}:
            break

    # When it gets Ctrl-C
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)

    # Then the run is cancelled, and what was started is gone
    assert process.returncode == 130, err
    assert "cancelling run" in err
    assert "Traceback" not in err
    assert EmbeddedBroker(home).pid is None
