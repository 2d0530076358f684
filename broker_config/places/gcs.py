"""Google Cloud Storage: `gs://bucket/folder`, with Google's application default credentials."""

from __future__ import annotations

from aiohttp import ClientError
from gcsfs.retry import HttpError
from google.auth.exceptions import GoogleAuthError

from broker_config.places.remote import Faults, RemotePlace


def gcs_place(url: str) -> RemotePlace:
    """The place of a `gs://` URL."""
    return RemotePlace(url, Faults((OSError, HttpError, GoogleAuthError, ClientError), _is_refusal))


def _is_refusal(error: Exception) -> bool:
    # gcsfs has no class of its own for an answer 403.
    return isinstance(error, GoogleAuthError | PermissionError) or str(error).startswith("Forbidden")
