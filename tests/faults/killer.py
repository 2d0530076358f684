"""The agent with a fuse: `celery -A tests.faults.killer worker` is `celery -A workers worker` that can be struck.

The product knows nothing of it: its methods are wrapped from outside, in this process only.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from celery.signals import worker_shutting_down

import workers.agent
from tests.faults.api_server import note_calls
from tests.faults.fuse import Fuse
from tests.faults.steps import places
from workers.celery import app, task
from workers.targets.pace import Bounds

# A lost order is found at its second sight, which by the product's own period would take a test 20 seconds.
workers.agent.RECONCILE_SECONDS = 1.0

_fuse = Fuse(task.settings.home)
for _step, _place in places(_fuse.target).items():
    _place.wrap(partial(_fuse.meet, _step))
if _fuse.target in {"sagemaker", "vertex"}:
    # A job of a second is followed by a target that otherwise asks every three of them.
    _module = importlib.import_module(f"workers.targets.{_fuse.target}.target")
    vars(_module)["BOUNDS"] = Bounds(fastest=0.2, slowest=0.5, settled=-1.0)
if _fuse.target == "kubernetes":
    note_calls(task.settings.home)


@worker_shutting_down.connect
def _tell(**_: Any) -> None:
    _fuse.stopping()


__all__ = ["app"]
