"""The block `registry` of the agent's config: where images go when the builder names no destination of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from broker_config.frozen import Frozen, JsonObject
from workers.config.images import SHAPES, RegistryKind, Repository, kind_of

PARTS = {"account_id", "region", "project", "repo_name", "repository", "image-name"}
"""Keys with which W&B Launch once named a repository; `former` makes an address of them where they suffice."""


class RegistryConfig(Frozen):
    """One repository."""

    type: RegistryKind
    """Absent: as the address says."""

    uri: Repository
    """Repository to push images to, without a tag."""

    plain_http: bool = False
    """Speak to it without TLS, as is done anyway to a registry on loopback. The Docker engine must be told the same."""

    ca_file: Path | None = None
    """File with the authority of its certificate, where Python does not know that. The Docker engine has its own."""

    create_repository: bool = False
    """Whether a repository that lacks is created with the first push. For ECR; others do so, or cannot."""

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

    @model_validator(mode="after")
    def _has_what_its_type_knows(self) -> RegistryConfig:
        if self.create_repository and self.type is not RegistryKind.ECR:
            raise ValueError(f"create_repository is for ecr, and this registry is of type {self.type}; leave it out")
        if self.plain_http and self.type is not RegistryKind.OCI:
            raise ValueError(f"plain_http is for oci, and a registry of type {self.type} always has TLS; leave it out")
        return self


class OtherRegistryConfig(Frozen):
    """A registry of another package, which reads its options itself."""

    type: str
    uri: Repository
    options: JsonObject = Field(default_factory=dict)


AnyRegistryConfig = RegistryConfig | OtherRegistryConfig
