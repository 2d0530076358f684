"""Jobs as containers of one Docker engine, as W&B Launch's `local-container` runs them, without its limits.

`render` (with `flags` and `flag_values`) translates a queue config into the body of the Engine API's container create
and needs no engine; everything else speaks to the engine through `engine`, and nothing outside this package does.
"""

from __future__ import annotations

from workers.targets.docker.render import render
from workers.targets.docker.target import DockerTarget

__all__ = ["DockerTarget", "render"]
