"""`celery -A tests.workers.targets.telling worker`: an agent that writes down, when it stops, what it has imported."""

from __future__ import annotations

import sys

from celery.signals import worker_shutdown

from workers.celery import app, task

MODULES = "modules"
"""The file in the agent's home."""


@worker_shutdown.connect
def _tell(**_: object) -> None:
    # Those of files: a namespace such as `google` is made in every process, by the .pth file of a package in it.
    names = sorted(name for name, module in sys.modules.items() if getattr(module, "__file__", None))
    (task.settings.home / MODULES).write_text("\n".join(names))


__all__ = ["MODULES", "app"]
