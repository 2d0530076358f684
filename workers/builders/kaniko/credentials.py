"""What a build may use: a login for its registry, credentials of a cloud, and the secrets of its Dockerfile.

Sources: the README of kaniko ("Pushing to Different Registries", "Using Azure Blob Storage"), and the documentation of
each cloud for the files and variables that its credentials are in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker_config.oci.logins import Login, docker_config
from broker_config.oci.references import host_of
from broker_config.states import FailureClass, Reason
from workers.config.image_builder import BuildSecret
from workers.config.images import CLOUDS, RegistryKind, kind_of
from workers.config.kaniko import KanikoBuilderConfig, cloud_of
from workers.failures import RunFailed

Object = dict[str, Any]

SECRETS = "/kaniko/launchyard-secrets"

_DOCKER_CONFIG = ".dockerconfigjson"
"""The name of docker's config in a Secret, which no id of a build's secret can be."""

_CLOUD_FILES = {"aws": ("/root/.aws", "credentials"), "gcp": ("/kaniko/.config/gcloud", "config.json")}
"""Where the library of a cloud, in kaniko's image, looks for its file: the folder, and the file's name."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of one build. Values are in `files` alone, for a Secret that goes when the build goes."""

    config: KanikoBuilderConfig
    repository: str  # that is pushed to
    login: Login | None = None
    secrets: Mapping[str, BuildSecret] = field(default_factory=dict)

    @property
    def cloud(self) -> str | None:
        """The cloud that the registry is in, else that of the store."""
        store = self.config.build_context_store
        return CLOUDS.get(kind_of(self.repository)) or (cloud_of(store) if store else None)

    @property
    def labels(self) -> Mapping[str, str]:
        return {"azure.workload.identity/use": "true"} if self.cloud == "azure" else {}

    @property
    def files(self) -> Mapping[str, bytes]:
        """What the build's own Secret holds.

        Raises:
            RunFailed: class CONFIG, when the agent has no such variable or file.
        """
        files = {name: _value(name, secret) for name, secret in self.secrets.items()}
        if self.login is None or self.config.docker_config_secret:
            return files
        logins = docker_config({host_of(self.repository): self.login})
        return {_DOCKER_CONFIG: json.dumps(logins).encode(), **files}

    @property
    def variables(self) -> Iterator[Object]:
        if kind_of(self.repository) is RegistryKind.ECR:
            # ACCOUNT.dkr.ecr.REGION.amazonaws.com
            yield {"name": "AWS_REGION", "value": self.repository.split(".")[3]}
        if self.config.secret_name and self.cloud == "gcp":
            yield {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/".join(_CLOUD_FILES["gcp"])}
        if self.config.secret_name and self.cloud == "azure":
            reference = {"name": self.config.secret_name, "key": self.config.secret_key}
            yield {"name": "AZURE_STORAGE_ACCESS_KEY", "valueFrom": {"secretKeyRef": reference}}

    def volumes(self, own_secret: str) -> Iterator[Object]:
        login = [{"key": _DOCKER_CONFIG, "path": "config.json"}]
        if (logins := self._logins(own_secret)) is not None:
            yield _volume("docker-config", logins, login)
        if self.secrets:
            yield _volume("secrets", own_secret, [{"key": name, "path": name} for name in self.secrets])
        if self.config.secret_name and self.cloud in _CLOUD_FILES:
            _, file = _CLOUD_FILES[self.cloud]
            yield _volume("cloud", self.config.secret_name, [{"key": self.config.secret_key, "path": file}])

    @property
    def mounts(self) -> Iterator[Object]:
        if self.config.docker_config_secret or self.login:
            yield _mount("docker-config", "/kaniko/.docker")
        if self.secrets:
            yield _mount("secrets", SECRETS)
        if self.config.secret_name and self.cloud in _CLOUD_FILES:
            yield _mount("cloud", _CLOUD_FILES[self.cloud][0])

    def _logins(self, own_secret: str) -> str | None:
        """The Secret with docker's config."""
        return self.config.docker_config_secret or (own_secret if self.login else None)


def _volume(name: str, secret: str, items: Sequence[Mapping[str, str | None]]) -> Object:
    return {"name": name, "secret": {"secretName": secret, "items": list(items), "defaultMode": 0o400}}


def _mount(name: str, path: str) -> Object:
    return {"name": name, "mountPath": path, "readOnly": True}


def _value(name: str, secret: BuildSecret) -> bytes:
    if secret.env is not None:
        if secret.env in os.environ:
            return os.environ[secret.env].encode()
        where = f"the variable {secret.env}, which is not set"
    else:
        assert secret.file is not None
        try:
            return secret.file.read_bytes()
        except OSError as error:
            where = f"a file that cannot be read: {error}"
    text = f"the build's secret {name!r} is in {where}; correct builder.secrets in the agent's config"
    raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, text)
