"""Azure, with the credentials that `DefaultAzureCredential` finds ("Azure Identity library: credential chains")."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import CredentialUnavailableError, DefaultAzureCredential

from broker_config.errors import ConfigError, TemporaryError
from workers.config.cloud import AzureEnvironment

CURE = "run: az login, or give the agent a managed identity, or AZURE_CLIENT_ID with AZURE_TENANT_ID and a secret"
_ARM = "https://management.azure.com/.default"


class Azure:
    """Access tokens of Microsoft Entra ID."""

    def __init__(self, config: AzureEnvironment | None) -> None:
        self._credential = DefaultAzureCredential()

    def token(self, scope: str) -> str:
        """An access token for one of Azure's services."""
        try:
            return self._credential.get_token(scope).token
        except (CredentialUnavailableError, ClientAuthenticationError) as error:
            # Its text has a line for every way that was tried.
            raise ConfigError(f"Azure has no credentials here: {error}; {CURE}") from error
        except AzureError as error:
            raise TemporaryError(f"Azure does not answer: {error}; check the network") from error

    def identity(self) -> str:
        self.token(_ARM)
        return "Azure's default credential"
