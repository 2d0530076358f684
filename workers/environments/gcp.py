"""Google Cloud, with its application default credentials ("How Application Default Credentials works")."""

from __future__ import annotations

import google.auth
import google.auth.credentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request

from broker_config.errors import ConfigError, TemporaryError
from workers.config.cloud import GcpEnvironment

CURE = "run: gcloud auth application-default login, or give the agent's machine or cluster a service account"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Gcp:
    """Access tokens of Google Cloud."""

    def __init__(self, config: GcpEnvironment | None) -> None:
        self._project = config.project if config else None

    def token(self) -> str:
        """An access token; Google's last about an hour."""
        return str(self._credentials().token)

    def identity(self) -> str:
        found = self._credentials()
        return str(getattr(found, "service_account_email", None) or "application default credentials")

    def _credentials(self) -> google.auth.credentials.Credentials:
        try:
            found, _ = google.auth.default(scopes=[_SCOPE], quota_project_id=self._project)
            found.refresh(Request())  # type: ignore[no-untyped-call]
        except GoogleAuthError as error:
            if isinstance(error, TransportError) or error.retryable:
                raise TemporaryError(f"Google Cloud does not answer: {error}; check the network") from error
            raise ConfigError(f"Google Cloud has no credentials here: {error}; {CURE}") from error
        return found
