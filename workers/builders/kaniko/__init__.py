"""Images built by kaniko, as Jobs of a Kubernetes cluster: no engine, and no privileged container."""

from __future__ import annotations

from workers.builders.kaniko.builder import KanikoBuilder

__all__ = ["KanikoBuilder"]
