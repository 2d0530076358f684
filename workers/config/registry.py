"""The block `registry` of the agent's config: where images go when the builder names no destination of its own."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from broker_config.frozen import Frozen
from workers.config.images import SHAPES, RegistryKind, Repository, kind_of

PARTS = {"account_id", "region", "project", "repo_name", "repository", "image-name"}
"""Keys with which W&B Launch once named a repository; `former` makes an address of them where they suffice."""


class RegistryConfig(Frozen):
    """One repository."""

    type: RegistryKind
    """Absent: as the address says."""

    uri: Repository
    """Repository to push images to, without a tag."""

    @model_validator(mode="before")
    @classmethod
    def _type_by_address(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(uri := data.get("uri", ""), str):
            return data
        kind = data.get("type") or kind_of(uri.removeprefix("https://"))
        if not uri and PARTS & data.keys() and kind in SHAPES:
            raise ValueError(f"its parts do not say which repository it is; write uri: {SHAPES[RegistryKind(kind)]}")
        return {**data, "type": kind}

    @model_validator(mode="after")
    def _is_an_address_of_the_type(self) -> RegistryConfig:
        if self.type is not RegistryKind.OCI and kind_of(self.uri) is not self.type:
            raise ValueError(
                f"uri: {self.uri!r} is not an address of type {self.type}, {SHAPES[self.type]}; "
                f"write type {kind_of(self.uri)}, or leave the type out"
            )
        return self
