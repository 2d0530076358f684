"""The agent with a fuse that also removes what a dead one has left at the target, at once instead of in two minutes."""

from __future__ import annotations

from datetime import timedelta

import workers.agent
import workers.sweep
from tests.faults.killer import app

workers.agent.FORGET_SECONDS = 1.0
workers.sweep.SETTLED = timedelta(seconds=1)

__all__ = ["app"]
