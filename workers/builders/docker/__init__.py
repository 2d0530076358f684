"""Images built by a Docker engine, from the job's own Dockerfile or from one that is written for it."""

from __future__ import annotations

from workers.builders.docker.builder import DockerBuilder

__all__ = ["DockerBuilder"]
