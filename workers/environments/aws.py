"""AWS, with the credentials that boto3 finds ("Boto3: Credentials")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound

from broker_config.errors import ConfigError, TemporaryError
from workers.config.cloud import AwsEnvironment

CURE = "give the agent a role or keys that boto3 finds: AWS_PROFILE, AWS_ACCESS_KEY_ID, or the machine's own role"

_ANSWERS = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
_REFUSALS = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
"""Codes that another try will not change."""


class Aws:
    """Clients of AWS's services."""

    def __init__(self, config: AwsEnvironment | None) -> None:
        self._region = config.region if config else None

    @contextmanager
    def asking(self, service: str, region: str | None = None) -> Iterator[Any]:
        """boto3's client of a service, for one region or for the environment's, with its exceptions translated.

        Whoever knows a better word for one of them catches it inside.

        Raises:
            ConfigError: when there are no credentials, or AWS refuses them.
            TemporaryError: when AWS does not answer, or fails.
        """
        try:
            # boto3's default session is not for several threads at once.
            yield boto3.Session(region_name=region or self._region).client(service, config=_ANSWERS)
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise ConfigError(f"AWS has no credentials here: {error}; {CURE}") from error
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _REFUSALS:
                raise ConfigError(f"AWS refuses: {error}; {CURE}") from error
            raise TemporaryError(f"AWS does not do it: {error}") from error
        except BotoCoreError as error:
            raise TemporaryError(f"AWS does not answer: {error}; check the network and the region") from error

    def identity(self) -> str:
        with self.asking("sts") as client:
            return str(client.get_caller_identity()["Arn"])
