"""Jobs on Vertex AI: custom jobs.

`render` makes the request for one, and needs neither a project nor an SDK. What speaks to Google Cloud is `target`, and
what that stands on.
"""

from __future__ import annotations

from workers.targets.vertex.render import doubts, render

__all__ = ["doubts", "render"]
