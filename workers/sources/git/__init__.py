"""Code from git repositories, by the git program: one commit, without its history."""

from workers.sources.git.source import GitSource

__all__ = ["GitSource"]
