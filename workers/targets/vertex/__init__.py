"""Jobs on Vertex AI: custom jobs.

What is here makes the request for one, and needs neither a project nor an SDK.
"""

from __future__ import annotations

from workers.targets.vertex.render import render

__all__ = ["render"]
