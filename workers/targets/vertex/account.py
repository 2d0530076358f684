"""The way to Google Cloud: one identity in one location, and Google's exceptions in our own words.

Jobs are asked for over gRPC, with the published client; logs and secrets over REST, for which no package is needed that
an agent on Google Cloud does not have. Nothing is tried again here: what a lost answer has done, and how long to wait,
is known only to whoever asks. Formats: "google.rpc.Code", "google.rpc.RetryInfo", and how JSON answers write both.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import google.auth
from google.api_core.exceptions import GoogleAPICallError
from google.auth import impersonated_credentials
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
from google.rpc.error_details_pb2 import RetryInfo
from requests import ReadTimeout, RequestException, Response

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.throttling import Throttled
from workers.targets.vertex.endpoints import endpoint

ANSWER_SECONDS = 20.0
LOGIN = "run: gcloud auth application-default login, or give the agent's machine or cluster a service account"
"""The cure where there are no credentials, or wrong ones."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SERVICES = {
    "aiplatform": "Vertex AI",
    "logging": "Cloud Logging",
    "secretmanager": "Secret Manager",
    "iam": "IAM",
    "cloudresourcemanager": "Resource Manager",
    "pubsub": "Pub/Sub",
}
_NO_TOKEN = "metadata from plugin failed"
"""In the words of gRPC when the credentials give no token; it calls that UNAVAILABLE."""

_TEMPORARY = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "ABORTED", "CANCELLED", "DATA_LOSS"})


class Refused(RunFailed):
    """Google Cloud will not do it, however often it is asked."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(FailureClass.CONFIG, Reason.TARGET_REFUSED, text)
        self.status = status  # a name of `google.rpc.Code`

    @property
    def is_not_found(self) -> bool:
        return self.status == "NOT_FOUND"


class Late(TemporaryError):
    """A service has taken a call, and not answered it."""


class Account:
    """Google Cloud in one location, as one identity. Safe to use from all threads."""

    def __init__(self, impersonated: str = "", location: str = "") -> None:
        """`impersonated`: a service account as which the agent asks; empty: its own. Asks nobody."""
        self._impersonated, self._location = impersonated, location
        self._lock = threading.Lock()
        self._found: tuple[Credentials, str] | None = None
        self._client: JobServiceClient | None = None
        self._session: AuthorizedSession | None = None

    def __str__(self) -> str:
        return f"Google Cloud in {self._location}" if self._location else "Google Cloud"

    @property
    def location(self) -> str:
        """Of all that is asked for.

        Raises:
            ConfigError: when nobody says.
        """
        if not self._location:
            raise ConfigError(
                "the queue config names no location, and the agent has none; write location: under spec of the queue "
                "config, or environment: {type: gcp, region: ...} into the agent's"
            )
        return self._location

    @property
    def project(self) -> str:
        """The project of the credentials.

        Raises:
            ConfigError: when there are none, or they have none.
        """
        with self._answering("aiplatform", ""), self._lock:
            _, project = self._credentials()
        if not project:
            raise ConfigError(
                "the queue config names no project, and the agent's credentials have none; write project: under spec "
                "of the queue config, or set GOOGLE_CLOUD_PROJECT for the agent"
            )
        return project

    def jobs(self, permission: str, method: str, request: Mapping[str, Any]) -> Any:
        """What Vertex AI's JobService answers to one of its methods, for which one needs that permission.

        Raises:
            Refused: when it will not do that.
            Throttled: when it was asked too often.
            TemporaryError: when it does not answer, or the credentials do not hold now.
            ConfigError: when there are no credentials, or no location.
        """
        with self._answering("aiplatform", permission):
            return getattr(self._job_service(), method)(request=request, retry=None, timeout=ANSWER_SECONDS)

    def rest(
        self, permission: str, verb: str, path: str, seconds: float = ANSWER_SECONDS, **given: Any
    ) -> dict[str, Any]:
        """The JSON that a service answers; `permission` begins with its name. `given`: `json` and `params`.

        Raises as `jobs` does, and `Late` when it has taken the call, and does not answer within these seconds.
        """
        service = permission.partition(".")[0]
        with self._answering(service, permission):
            url = f"{endpoint(service)}/{path}"
            answer: Response = self._authorized().request(  # type: ignore[no-untyped-call]
                verb, url, timeout=seconds, **given
            )
            if not answer.ok:
                raise self._of_rest(service, permission, answer)
            told: dict[str, Any] = answer.json()
            return told

    def _job_service(self) -> JobServiceClient:
        with self._lock:
            if self._client is None:
                address = urlsplit(endpoint("aiplatform", self.location)).netloc
                found, _ = self._credentials()
                self._client = JobServiceClient(credentials=found, client_options={"api_endpoint": address})
            return self._client

    def _authorized(self) -> AuthorizedSession:
        with self._lock:
            if self._session is None:
                found, _ = self._credentials()
                self._session = AuthorizedSession(found)  # type: ignore[no-untyped-call]
            return self._session

    def _credentials(self) -> tuple[Credentials, str]:
        """The credentials, and their project or ""."""
        if self._found is None:
            found, project = google.auth.default(scopes=[_SCOPE])
            if self._impersonated:
                path = f"v1/projects/-/serviceAccounts/{self._impersonated}:generateAccessToken"
                found = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
                    source_credentials=found,
                    target_principal=self._impersonated,
                    target_scopes=[_SCOPE],
                    iam_endpoint_override=f"{endpoint('iamcredentials')}/{path}",
                )
            self._found = (found, project or "")
        return self._found

    def _forget_credentials(self) -> None:
        """Have them found anew with the next call: a file may have others by then."""
        with self._lock:
            self._found = self._client = self._session = None

    @contextmanager
    def _answering(self, service: str, permission: str) -> Iterator[None]:
        try:
            yield
        except DefaultCredentialsError as error:
            raise ConfigError(f"Google Cloud has no credentials here: {error}; {LOGIN}") from error
        except GoogleAuthError as error:
            self._forget_credentials()
            raise TemporaryError(f"Google Cloud gives the agent no token now: {error}; {self._cure}") from error
        except GoogleAPICallError as error:
            status = error.grpc_status_code.name if error.grpc_status_code is not None else "UNKNOWN"
            hint = next((one.retry_delay.ToSeconds() for one in error.details if isinstance(one, RetryInfo)), 0)
            raise self._translated(service, permission, status, str(error.message), hint) from error
        except ReadTimeout as error:
            raise Late(f"{_SERVICES[service]} has not answered in time") from error
        except RequestException as error:
            raise TemporaryError(f"{_SERVICES[service]} does not answer: {error}; check the network") from error

    @property
    def _cure(self) -> str:
        if not self._impersonated:
            return LOGIN
        return f"the agent needs iam.serviceAccounts.getAccessToken on {self._impersonated}"

    def _of_rest(self, service: str, permission: str, answer: Response) -> Exception:
        try:
            told = answer.json()["error"]
        except (ValueError, LookupError, TypeError):
            told = {}
        delays = [str(one.get("retryDelay", "")) for one in told.get("details", [])]
        given = [*(delay.removesuffix("s") for delay in delays), answer.headers.get("retry-after", "")]
        hint = next((float(one) for one in given if one.replace(".", "", 1).isdigit()), 0.0)
        status = told.get("status") or ("UNAVAILABLE" if answer.status_code >= 500 else "UNKNOWN")
        return self._translated(service, permission, status, told.get("message") or str(answer.reason), hint)

    def _translated(self, service: str, permission: str, status: str, words: str, hint_seconds: float) -> Exception:
        name = _SERVICES[service]
        if status == "RESOURCE_EXHAUSTED":
            return Throttled(f"{name} does not do {permission} now: {words}", hint_seconds)
        if status == "UNAUTHENTICATED" or _NO_TOKEN in words:
            self._forget_credentials()
            return TemporaryError(f"{name} is not reached with the agent's credentials: {words}; {self._cure}")
        if status in _TEMPORARY:
            return TemporaryError(f"{name} does not do {permission} now: {words}")
        text = f"{name} refuses {permission}: {words}"
        # An API that the project has not enabled is denied too, with the address at which to do that.
        if status == "PERMISSION_DENIED" and "is disabled" not in words:
            text = f"{text}; give the agent that permission: `launchyard agent check` prints the role that it needs"
        return Refused(status, text)
