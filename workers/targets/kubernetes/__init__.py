"""Jobs as objects of a Kubernetes cluster, of any kind that has pods.

What is here makes the request for one, and needs no cluster.
"""

from __future__ import annotations

from workers.targets.kubernetes.render import render

__all__ = ["render"]
