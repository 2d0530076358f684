"""What routes are given: the installation as whoever asks may see and change it, and how to wait for news."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from producer.installation import Installation
from producer.server.watching import ListWatcher, RunWatcher


def installation(request: Request) -> Installation:
    """The installation for whoever sends this request."""
    state = request.app.state
    found: Installation = state.installation_of(state.identify(request))
    return found


Asked = Annotated[Installation, Depends(installation)]


def _run_watcher(request: Request) -> RunWatcher:
    found: RunWatcher = request.app.state.run_watcher
    return found


def _list_watcher(request: Request) -> ListWatcher:
    found: ListWatcher = request.app.state.list_watcher
    return found


Watching = Annotated[RunWatcher, Depends(_run_watcher)]
WatchingLists = Annotated[ListWatcher, Depends(_list_watcher)]
