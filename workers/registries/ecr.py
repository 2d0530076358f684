"""Amazon Elastic Container Registry, by its own API ("Amazon ECR API Reference")."""

from __future__ import annotations

import base64
from contextlib import AbstractContextManager
from typing import Any, Protocol

from broker_config.errors import ConfigError
from broker_config.oci.logins import Login
from broker_config.oci.references import host_of, path_of
from workers.config.registry import RegistryConfig


class Clients(Protocol):
    """What it needs of its environment."""

    def asking(self, service: str, region: str | None = None) -> AbstractContextManager[Any]: ...


class EcrRegistry:
    """A repository of the account and the region in its address, whatever the environment's region is."""

    def __init__(self, config: RegistryConfig, environment: Clients) -> None:
        self.repository = config.uri
        # ACCOUNT.dkr.ecr.REGION.amazonaws.com, or ACCOUNT.dkr-ecr.REGION.on.aws
        self._account, _, self._region = host_of(config.uri).replace("dkr.ecr", "dkr-ecr").split(".")[:3]
        self._name = path_of(config.uri)
        self._is_created = config.create_repository
        self._environment = environment

    def digest(self, tag: str) -> str | None:
        with self._asking() as client:
            try:
                found = client.describe_images(
                    registryId=self._account, repositoryName=self._name, imageIds=[{"imageTag": tag}]
                )
            except (client.exceptions.ImageNotFoundException, client.exceptions.RepositoryNotFoundException):
                return None
            return str(found["imageDetails"][0]["imageDigest"])

    def login(self) -> Login | None:
        with self._asking() as client:
            # Good for 12 hours, and for every registry that the identity may use.
            given = client.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return Login(user, password)

    def prepare(self) -> None:
        if self._is_created and not self._is_there():
            with self._asking() as client:
                try:
                    client.create_repository(registryId=self._account, repositoryName=self._name)
                except client.exceptions.RepositoryAlreadyExistsException:
                    # Another agent was faster.
                    return

    def check(self) -> str:
        self.login()
        if self._is_there():
            with self._asking() as client:
                # The first call of a push; what is refused is named in the words of the refusal.
                client.initiate_layer_upload(registryId=self._account, repositoryName=self._name)
            return "is there, gives a login, and takes images"
        if self._is_created:
            return "gives a login, and has its repository created with the first push"
        raise ConfigError(
            f"repository {self._name} is not in account {self._account}, region {self._region}; create it, or write "
            "create_repository: true in the block registry"
        )

    def check_pull(self) -> str:
        if not self._is_there():
            return "has its repository created with the first push"
        with self._asking() as client:
            # The first call of a pull. An image that is not there is no error of this call.
            client.batch_get_image(
                registryId=self._account, repositoryName=self._name, imageIds=[{"imageTag": "launchyard-check"}]
            )
        return "gives images"

    def remove(self, digest: str) -> str:
        with self._asking() as client:
            done = client.batch_delete_image(
                registryId=self._account, repositoryName=self._name, imageIds=[{"imageDigest": digest}]
            )
        why = [one for one in done.get("failures", ()) if one["failureCode"] != "ImageNotFound"]
        return str(why[0]["failureReason"]) if why else ""

    def _is_there(self) -> bool:
        with self._asking() as client:
            try:
                client.describe_repositories(registryId=self._account, repositoryNames=[self._name])
            except client.exceptions.RepositoryNotFoundException:
                return False
            return True

    def _asking(self) -> AbstractContextManager[Any]:
        return self._environment.asking("ecr", self._region)
