"""Jobs as objects of a Kubernetes cluster, of any kind that has pods.

`render` makes the request for one, and needs neither a cluster nor the client. What speaks to clusters is `target`, and
what that stands on.
"""

from __future__ import annotations

from workers.targets.kubernetes.render import render

__all__ = ["render"]
