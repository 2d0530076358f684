"""Who asks, and the installation as that one sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from producer.installation import Installation

Identify = Callable[[Request], str]
"""The author who sends a request.

Raises:
    NotPermitted: when the request does not say who sends it, or says so without proof.
"""


def installation(request: Request) -> Installation:
    """The installation for whoever sends this request."""
    author = request.app.state.identify(request)
    found: Installation = request.app.state.installation_of(author)
    return found


Asked = Annotated[Installation, Depends(installation)]
