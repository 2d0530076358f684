"""The key `builder` of a queue config: what a queue wants of the images that are built for its jobs.

The agent reads it, and the target never sees it. Source of the format: the queue config of W&B Launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from broker_config.findings import Finding, error
from broker_config.frozen import Frozen, parse
from broker_config.jobs import ImageName
from broker_config.resources import models

KEY = "builder"

_WITHOUT_IMAGES = ("local-process",)


class Accelerator(Frozen):
    """An image with the drivers' libraries of an accelerator, on which jobs without a Dockerfile are built."""

    base_image: ImageName


class QueueBuilder(Frozen):
    """What stands under the key."""

    accelerator: Accelerator | None = None
    cuda: Accelerator | None = None  # W&B Launch's older word for it
    base_image: ImageName | None = None  # in which code runs that no builder builds an image for

    @property
    def accelerator_image(self) -> str | None:
        """The base image that jobs without a Dockerfile are built upon, if it is not the usual one."""
        chosen = self.accelerator or self.cuda
        return chosen.base_image if chosen else None


def queue_builder(config: Mapping[str, Any]) -> QueueBuilder:
    """What a queue config says under the key.

    Raises:
        InvalidRequest: when it cannot be that: overrides of a run are not refused before an agent sees them.
    """
    return parse(QueueBuilder, config.get(KEY) or {}, f"the queue config's {KEY!r}")


def without(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a queue config is for the target."""
    return {name: value for name, value in config.items() if name != KEY}


def check(resource: str, config: Mapping[str, Any]) -> Sequence[Finding]:
    """What the owner of a queue should know of what stands under the key."""
    given = config.get(KEY)
    if given is None:
        return []
    if resource in _WITHOUT_IMAGES:
        return [error(f"/{KEY}", f"no image is built for resource {resource!r}; leave it out")]
    if not isinstance(given, Mapping):
        return [error(f"/{KEY}", "it must be an object, such as {accelerator: {base_image: IMAGE}}")]
    return [found._replace(pointer=f"/{KEY}{found.pointer}") for found in models.check(QueueBuilder, given)]
