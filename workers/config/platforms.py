"""The platforms of images, as configs name them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from broker_config.errors import did_you_mean

PLATFORMS = ("linux/amd64", "linux/arm64")


def _check(text: str) -> str:
    named = sorted({word.strip() for word in text.split(",")})
    for word in named:
        if word not in PLATFORMS:
            raise ValueError(f"{word!r} is no platform of images{did_you_mean(word, PLATFORMS)}")
    return ",".join(named)


Platforms = Annotated[str, AfterValidator(_check)]
"""One platform, or several with commas between them; in one order, as it is part of an image's key."""
