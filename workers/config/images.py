"""Repositories of images, as configs name them: `registry/path/name`, with neither a tag nor a digest.

The shapes are those of the clouds' documentation: "Amazon ECR private registries", "Artifact Registry repository and
image names", "Azure Container Registry: repositories and images".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator


class RegistryKind(StrEnum):
    """Who keeps the images."""

    ECR = "ecr"  # Amazon Elastic Container Registry
    ACR = "acr"  # Azure Container Registry
    GCR = "gcr"  # Google Artifact Registry, under W&B Launch's name for it
    OCI = "oci"  # any other registry


HOSTS = {
    RegistryKind.ECR: re.compile(
        r"\d{12}\.(?:dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|dkr-ecr(?:-fips)?\.[a-z0-9-]+\.on\.aws)"
    ),
    RegistryKind.ACR: re.compile(r"[a-z0-9-]+\.azurecr\.(?:io|cn|us)"),
    RegistryKind.GCR: re.compile(r"[a-z0-9-]+-docker\.pkg\.dev"),
}

CLOUDS: Mapping[str, str] = {RegistryKind.ECR: "aws", RegistryKind.ACR: "azure", RegistryKind.GCR: "gcp"}
"""The environment with whose credentials a registry is used."""

SHAPES = {
    RegistryKind.ECR: "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY",
    RegistryKind.ACR: "NAME.azurecr.io/REPOSITORY",
    RegistryKind.GCR: "REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE",
    RegistryKind.OCI: "HOST/PATH/NAME",
}

# A name without a registry stays on the engine, or is Docker Hub's.
_NAME = re.compile(r"[a-z0-9][\w.-]*(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")


def kind_of(repository: str) -> RegistryKind:
    """Whose registry a repository is in, by its host."""
    host = repository.partition("/")[0]
    return next((kind for kind, pattern in HOSTS.items() if pattern.fullmatch(host)), RegistryKind.OCI)


def check_repository(text: str) -> str:
    """A repository; `https://` before it is taken off, as W&B Launch does.

    Raises:
        ValueError: when it has a tag or a digest, or lacks a part that its registry wants.
    """
    name = text.removeprefix("https://").rstrip("/")
    for mark, what in (("@", "a digest"), (":", "a tag")):
        head, found, tail = name.rpartition(mark)
        if found and "/" not in tail:
            raise ValueError(
                f"{text!r} has {what}, {mark}{tail}, which every image gets for itself; write {head.partition('@')[0]}"
            )
    kind = kind_of(name)
    if not _NAME.fullmatch(name) or name.count("/") < SHAPES[kind].count("/") - (kind is RegistryKind.OCI):
        raise ValueError(f"{text!r} is not a repository of images; write it as {SHAPES[kind]}, in lower case")
    return name


Repository = Annotated[str, AfterValidator(check_repository)]
