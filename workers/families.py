"""The plug-in families: members are found by entry point, and imported when a config or a job names them.

A built-in member and a third party's are found in the same way: an entry point in the group `launchyard.<family>`
whose name is what configs and jobs write.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from broker_config.errors import ConfigError, did_you_mean

NOUNS = {"registries": "registry"}
"""Names of members whose families have none by leaving out the last letter."""

EXTRAS = {
    "docker": "docker",
    "kubernetes": "kubernetes",
    "boto3": "aws",
    "botocore": "aws",
    "google": "gcp",
    "azure": "azure",
}
"""Which extra of ours brings a package that a member imports."""


def names(family: str) -> set[str]:
    """The members of a family that are installed."""
    return {entry.name for entry in entry_points(group=f"launchyard.{family}")}


def load(family: str, name: str) -> Any:
    """The class of a family's member.

    Raises:
        ConfigError: when no installed package has such a member, or a package that it imports is missing.
    """
    members = {entry.name: entry for entry in entry_points(group=f"launchyard.{family}")}
    noun = NOUNS.get(family, family[:-1])
    if name not in members:
        raise ConfigError(f"{noun} {name!r} does not exist{did_you_mean(name, members)}")
    try:
        return members[name].load()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == members[name].module.partition(".")[0]:
            raise
        extra = EXTRAS.get(package, name)
        raise ConfigError(
            f"{noun} {name!r} needs the package {package!r}; install it with: pip install 'launchyard[{extra}]'"
        ) from error
