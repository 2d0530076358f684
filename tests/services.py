"""Services that a test needs: skip with a reason where one is missing, fail where CI says that it must be there."""

from __future__ import annotations

import os

import pytest


def require(available: bool, missing: str) -> None:
    """Go on with the test if the service is `available`; `missing` says what to install or start."""
    if available:
        return
    if os.environ.get("LAUNCHYARD_TEST_REQUIRE") == "1":
        pytest.fail(f"required here: {missing}")
    pytest.skip(missing)
