"""Images built by a BuildKit daemon by itself, without a Docker engine, and pushed from there."""

from __future__ import annotations

from workers.builders.buildkit.builder import BuildkitBuilder

__all__ = ["BuildkitBuilder"]
