"""What is asked of the program that builds a job's image for a person, and what it answers."""

from __future__ import annotations

from broker_config.frozen import Frozen
from broker_config.runs import RunSpec


class BuildRequest(Frozen):
    """Make the image of a launch that is not made; or tell the Dockerfile alone, which needs no builder."""

    spec: RunSpec
    dockerfile_only: bool = False


class BuildAnswer(Frozen):
    """What came of it. Exactly one of `error`, `dockerfile` and `reference` is there."""

    error: str = ""
    dockerfile: str = ""
    origin: str = ""  # of the Dockerfile, in words
    reference: str = ""  # of the image
    key: str = ""
    is_reused: bool = False  # it was there before
    seconds: float = 0.0  # from the question to the answer, the source's fetch included
    size_bytes: int | None = None
