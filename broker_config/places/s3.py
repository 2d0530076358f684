"""S3 and what speaks like it: `s3://bucket/folder`, with the credentials and the endpoint of the AWS SDKs."""

from __future__ import annotations

from aiohttp import ClientError
from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError, TokenRetrievalError

from broker_config.places.remote import Faults, RemotePlace

_REFUSALS = (PermissionError, NoCredentialsError, PartialCredentialsError, TokenRetrievalError)


def s3_place(url: str) -> RemotePlace:
    """The place of an `s3://` URL."""
    faults = (OSError, BotoCoreError, ClientError)
    return RemotePlace(url, Faults(faults, lambda error: isinstance(error, _REFUSALS)))
