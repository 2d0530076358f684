"""Places: where bytes are kept beside the broker, found by entry point in the group `launchyard.places`."""

from __future__ import annotations

from importlib.metadata import entry_points
from urllib.parse import urlsplit

from broker_config.errors import ConfigError, did_you_mean
from broker_config.places.protocol import ListedPlace

EXTRAS = {"s3": "s3", "gs": "gcs", "abfs": "azure-blob"}
"""Which extra of ours brings what a place imports."""


def open_place(url: str) -> ListedPlace:
    """The place of a URL such as `s3://bucket/folder`. What its kind imports is imported now, and not before.

    Raises:
        ConfigError: when there is no place of that kind, a package that it imports is missing, or it cannot be used.
    """
    scheme = urlsplit(url).scheme
    members = {entry.name: entry for entry in entry_points(group="launchyard.places")}
    if scheme not in members:
        raise ConfigError(f"{url!r} names no place for code{did_you_mean(scheme, members)}")
    try:
        place: ListedPlace = members[scheme].load()(url)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(scheme, scheme)
        raise ConfigError(
            f"{scheme}:// needs the package {error.name!r}; install it with: pip install 'launchyard[{extra}]'"
        ) from error
    return place
