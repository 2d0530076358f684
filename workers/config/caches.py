"""Caches of layers, in the words of `docker buildx build --cache-from` and `--cache-to`.

Source of the syntax: "Cache storage backends" of Docker's documentation.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from broker_config.errors import did_you_mean

_TYPES = ("azblob", "gcs", "gha", "inline", "local", "registry", "s3")
_SECRETS = ("secret_access_key", "session_token", "token")


def _check(text: str) -> str:
    if "=" not in text:
        text = f"type=registry,ref={text}"
    fields = dict(field.partition("=")[::2] for field in text.split(","))
    kind = fields.get("type", "")
    if kind not in _TYPES:
        raise ValueError(f"{text!r} names no type of cache that there is{did_you_mean(kind, _TYPES)}")
    if kind == "registry" and not fields.get("ref"):
        raise ValueError(f"{text!r} does not say where; write type=registry,ref=REGISTRY/PATH/NAME:TAG")
    for secret in _SECRETS:
        if secret in fields:
            raise ValueError(
                f"{secret} of a cache belongs into the environment of whoever builds, and not into a config"
            )
    return text


Cache = Annotated[str, AfterValidator(_check)]
"""One cache, such as `type=registry,ref=registry.example.com/team/cache,mode=max`."""
