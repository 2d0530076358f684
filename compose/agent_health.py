"""Tells Docker whether the agent of this container is well: whether it holds the lease on its name."""

from __future__ import annotations

import socket
import sys

from broker_config.errors import LaunchyardError
from broker_config.settings import load_settings
from broker_config.store import Store


def complaint() -> str | None:
    """What is wrong; None when an agent of this host has renewed its lease in time."""
    store = Store(load_settings())
    try:
        if any(alive and info.host == socket.gethostname() for info, alive in store.agents.list()):
            return None
        return "no agent of this host holds its name"
    except LaunchyardError as error:
        return str(error)
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(complaint())
