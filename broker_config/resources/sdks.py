"""What a platform's own client knows of its types. Loaded when a config is checked, and only if it is installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from broker_config.findings import Finding, warning

_SDKS = {"kubernetes": ("kubernetes", "kubernetes"), "sagemaker": ("botocore", "aws")}
"""By resource: the package that has the types, and the extra that brings it."""


@cache
def load(resource: str) -> Any:
    """The module `RESOURCE_types`, or None where its package is not installed."""
    package, _ = _SDKS[resource]
    return import_module(f"broker_config.resources.{resource}_types") if find_spec(package) else None


def missing(resource: str) -> Finding:
    """That a config could be checked better."""
    package, extra = _SDKS[resource]
    cure = f"pip install 'launchyard[{extra}]'"
    return warning("", f"the fields are not checked, since {package} is not installed here; install it with: {cure}")
