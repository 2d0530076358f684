"""The history: where finished runs are kept when they leave the broker.

Its kinds are found by entry point in the group `launchyard.histories`, by the scheme of the setting's URL.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from broker_config.errors import ConfigError, did_you_mean
from broker_config.history.protocol import History

EXTRAS = {"psycopg": "postgresql", "pyarrow": "parquet"}
"""Which extra of ours brings a package."""


@cache
def open_history(url: str) -> History:
    """The history of a URL such as `sqlite:///path/history.db`. What its kind imports is imported now, and not before.

    Raises:
        ConfigError: when there is no such kind, a package that it imports is missing, or the URL cannot be read.
    """
    scheme = url.partition("://")[0]
    members = {entry.name: entry for entry in entry_points(group="launchyard.histories")}
    if scheme not in members:
        raise ConfigError(f"LAUNCHYARD_HISTORY: {scheme}:// is no kind of history{did_you_mean(scheme, members)}")
    try:
        history: History = members[scheme].load()(url)
    except ModuleNotFoundError as error:
        package = error.name or ""
        raise ConfigError(
            f"LAUNCHYARD_HISTORY: {scheme}:// needs the package {package!r}; install it with: "
            f"pip install 'launchyard[{EXTRAS.get(package, package)}]'"
        ) from error
    return history
