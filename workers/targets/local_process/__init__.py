"""Target resource `local-process`: jobs as processes on the agent's own machine, in an environment built for them."""

from workers.targets.local_process.config import render
from workers.targets.local_process.target import LocalProcessTarget

__all__ = ["LocalProcessTarget", "render"]
