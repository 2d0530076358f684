"""Target resources as both sides know them, found by entry point in the group `launchyard.resources`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from broker_config.resources.protocol import Resource
from broker_config.resources.unknown import UnknownResource


@cache
def load(name: str) -> Resource:
    """What is known of the resource of that name."""
    for entry in entry_points(group="launchyard.resources", name=name):
        member: Resource = entry.load()()
        return member
    return UnknownResource()
