"""What every measurement needs: an empty broker, a queue on the stub target, a job of usual size, and workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker_config.embedded import EmbeddedBroker
from broker_config.queues import Queue
from broker_config.settings import environment_for
from producer import Client, ImageSource

QUEUE = "bench"
ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0

JOB: dict[str, Any] = {
    "source": {"type": "image", "image": "registry.example.com/team/train:2026-11"},
    "entry_point": ["python", "-m", "train"],
    "args": ["--learning-rate", "0.001", "--batch-size", "128", "--epochs", "40"],
    "env": {f"SETTING_{number}": "value " * 8 for number in range(20)},
}
"""About 1.6 KB as JSON, 2 KB with its queue: what a training job with a few settings takes."""


@contextmanager
def yard() -> Iterator[Client]:
    """A client on an embedded broker of its own, with one prioritized stub queue."""
    home = Path(tempfile.mkdtemp(prefix="ly-"))
    try:
        with Client(home=home) as client:
            client.queues.create(Queue(name=QUEUE, resource="stub", prioritization=True))
            yield client
    finally:
        EmbeddedBroker(home).stop()
        shutil.rmtree(home)


def launch_fields() -> dict[str, Any]:
    """Keyword arguments of `Client.launch` for the usual job."""
    source = ImageSource(image=JOB["source"]["image"])
    return {"queue": QUEUE, **JOB, "source": source}


@contextmanager
def worker(client: Client, app: str, *arguments: str) -> Iterator[int]:
    """A Celery worker process on the yard's broker. Gives its process id."""
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "--loglevel", "ERROR", "--without-mingle"]
    environment = environment_for(client.settings, PYTHONPATH=str(ROOT))
    with (client.settings.home / f"{app}.log").open("ab") as log:
        process = subprocess.Popen([*command, *arguments], env=environment, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(START_SECONDS)


def until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Poll quickly until the condition holds.

    Raises:
        TimeoutError: when it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"a benchmark waited {seconds:.0f} s in vain; the workers' logs may tell why")
        time.sleep(0.005)
