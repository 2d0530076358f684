"""The installation as whoever asks may see and change it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from producer.installation import Installation


def installation(request: Request) -> Installation:
    """The installation for whoever sends this request."""
    found: Installation = request.app.state.installation_for(request)
    return found


Asked = Annotated[Installation, Depends(installation)]
