"""Azure Blob Storage: `abfs://container@account.dfs.core.windows.net/folder`, with Azure's default credentials."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from broker_config.places.remote import Faults, RemotePlace


def azure_place(url: str) -> RemotePlace:
    """The place of an `abfs://` URL."""
    # adlfs wraps what goes wrong with an upload into a RuntimeError.
    return RemotePlace(url, Faults((OSError, AzureError, RuntimeError), _is_refusal))


def _is_refusal(error: Exception) -> bool:
    known = error.__cause__ if isinstance(error, RuntimeError) else error
    return isinstance(known, ClientAuthenticationError | PermissionError | ResourceNotFoundError) or (
        isinstance(known, HttpResponseError) and known.status_code == 403
    )
