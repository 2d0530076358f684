"""The way to AWS: one session for each profile, role and region, and AWS's exceptions in our own words.

Nothing is tried again here: what a lost answer has done, and how long to wait, is known only to whoever asks.
Formats: "Boto3: Credentials", the common errors of the SageMaker API, and those of the services that it is asked with.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.loaders import Loader

from broker_config.errors import ConfigError, TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.throttling import Throttled

_ANSWERS = Config(
    connect_timeout=5, read_timeout=20, max_pool_connections=16, retries={"mode": "standard", "total_max_attempts": 1}
)

_MODELS = Loader()
"""The descriptions of the services, which take many megabytes: one for all sessions."""

_SERVICES = {
    "sagemaker": "SageMaker",
    "logs": "CloudWatch Logs",
    "ssm": "Systems Manager",
    "secretsmanager": "Secrets Manager",
    "sts": "STS",
    "sqs": "SQS",
    "resourcegroupstaggingapi": "Resource Groups Tagging",
}

_PREFIXES = {"resourcegroupstaggingapi": "tag"}
"""Of permissions, where they are called otherwise than the service."""

_THROTTLED = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("RequestLimitExceeded", "TooManyRequestsException", "SlowDown"),
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEYS = frozenset(
    {"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_MISSING = ("not found", "could not find", "does not exist")

LOGIN = "give the agent a role or keys that boto3 finds: AWS_PROFILE, AWS_ACCESS_KEY_ID, or the machine's own role"
"""The cure where there are no credentials, or wrong ones."""


class Refused(RunFailed):
    """AWS will not do it, however often it is asked."""

    def __init__(self, code: str, words: str, text: str) -> None:
        super().__init__(FailureClass.CONFIG, Reason.TARGET_REFUSED, text)
        self.aws_code = code
        self.words = words  # AWS's own

    @property
    def is_denied(self) -> bool:
        return self.aws_code in _DENIED

    @property
    def is_not_found(self) -> bool:
        """Whether what was asked for is not there. SageMaker has one code for that and for what is wrong."""
        is_vague = self.aws_code == "ValidationException" and any(word in self.words.lower() for word in _MISSING)
        return is_vague or self.aws_code in {"ResourceNotFound", "ResourceNotFoundException", "ParameterNotFound"}


class Account:
    """AWS's services in one region, with one set of credentials. Safe to use from all threads."""

    def __init__(self, profile: str = "", role: str = "", region: str = "") -> None:
        """An empty `profile`, `region`, or `role` to assume, is what the library finds by itself. Asks nobody."""
        self._profile, self._role, self._region = profile, role, region
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._identity: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"AWS region {self._region}" if self._region else "AWS"

    def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        """What a service answers to one operation, by the names of its API.

        Raises:
            Refused: when it will not do that.
            Throttled: when it was asked too often.
            TemporaryError: when it does not answer, or the credentials do not hold now.
            ConfigError: when there are no credentials, or no region.
        """
        with self._answering(service):
            answer: dict[str, Any] = getattr(self._client(service), _method(operation))(**given)
        return answer

    def identity(self) -> tuple[str, str]:
        """The partition and the number of the account whose credentials these are. Raises as `call` does."""
        if self._identity is None:
            _, partition, _, _, number, _ = self.call("sts", "GetCallerIdentity")["Arn"].split(":", 5)
            self._identity = (partition, number)
        return self._identity

    @property
    def region(self) -> str:
        """The region, or "" where none is found."""
        with self._lock:
            return self._region or str(self._made_session().get_config_variable("region") or "")

    def _client(self, service: str) -> Any:
        # Clients may be shared by threads, and the session that makes them may not.
        with self._lock:
            if service not in self._clients:
                region = self._region or None
                made = self._made_session().create_client(service, region_name=region, config=_ANSWERS)
                self._clients[service] = made
            return self._clients[service]

    def _made_session(self) -> Any:
        if self._session is None:
            session = botocore.session.Session(profile=self._profile or None)
            session.register_component("data_loader", _MODELS)
            if self._role:
                session = _assuming(session, self._role, self._region)
            self._session = session
        return self._session

    def _forget_credentials(self) -> None:
        """Have them found anew with the next call: a file or a variable may have others by then."""
        with self._lock:
            self._session, self._clients = None, {}

    @contextmanager
    def _answering(self, service: str) -> Iterator[None]:
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise ConfigError(f"AWS has no credentials here: {error}; {LOGIN}") from error
        except NoRegionError as error:
            raise ConfigError(
                "the queue config names no region, and the agent has none; write region: into the queue config, or set "
                "AWS_DEFAULT_REGION for the agent"
            ) from error
        except ClientError as error:
            # The role is assumed on the way to another service.
            asked = "sts" if error.operation_name == "AssumeRole" else service
            raise self._translated(asked, error) from error
        except BotoCoreError as error:
            raise TemporaryError(
                f"{_SERVICES[service]} does not answer: {error}; check the network and the region"
            ) from error

    def _translated(self, service: str, error: ClientError) -> Exception:
        told = error.response.get("Error", {})
        code, words = str(told.get("Code", "")), str(told.get("Message") or "")
        metadata = error.response.get("ResponseMetadata", {})
        status = int(metadata.get("HTTPStatusCode", 400))
        name, operation = _SERVICES[service], error.operation_name
        text = f"{name} does not do {operation} now: {words or code}"
        if code in _THROTTLED or status == 429:
            return Throttled(text, _hint(metadata.get("HTTPHeaders", {})))
        if code in _EXPIRED:
            self._forget_credentials()
            return TemporaryError(f"{text}; renew the agent's AWS credentials, which it then finds by itself")
        if code in _UNKNOWN_KEYS:
            self._forget_credentials()
            return TemporaryError(f"{text}; {LOGIN}")
        if status >= 500:
            return TemporaryError(text)
        text = f"{name} refuses {operation}: {words or code}"
        if code in _DENIED:
            permission = f"{_PREFIXES.get(service, service)}:{operation}"
            text = f"{text}; allow the agent {permission}: `launchyard agent check` prints the policy that it needs"
        return Refused(code, words, text)


def server_time(answer: Mapping[str, Any]) -> datetime:
    """When AWS gave an answer, by its own clock: times of its objects are not to be compared with this machine's."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def _assuming(source: Any, role: str, region: str) -> Any:
    """A session whose credentials are those of a role, which the ones of another session may assume."""

    def client(service: str, **given: Any) -> Any:
        return source.create_client(service, region_name=region or None, config=_ANSWERS, **given)

    credentials = source.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=client,
        source_credentials=credentials,
        role_arn=role,
        extra_args={"RoleSessionName": "launchyard"},
    )
    session = botocore.session.Session()
    session.register_component("data_loader", _MODELS)
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return session


def _method(operation: str) -> str:
    return str(botocore.xform_name(operation))


def _hint(headers: Mapping[str, str]) -> float:
    """The seconds that an answer asks to wait, where it says so in seconds."""
    given = headers.get("retry-after", "")
    return float(given) if given.isdigit() else 0.0
