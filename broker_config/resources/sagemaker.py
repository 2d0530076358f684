"""Training and processing jobs of Amazon SageMaker: a queue config is the body of `CreateTrainingJob`.

A config for processing jobs holds the body of `CreateProcessingJob` under `processing_job`. Fields may be written as
the service does, `ResourceConfig`, or as W&B Launch does too, `resource_config`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from broker_config.findings import Finding, error, warning
from broker_config.resources import sdks
from broker_config.resources.protocol import Guard
from broker_config.resources.shapes import TEXT, MapOf

SESSION_KEYS = ("region", "profile", "assume_role_arn")
"""Keys that choose where and as whom the service is called; the first two are W&B Launch's."""

SECRETS_KEY = "secrets"
"""Variables of the job, each with a reference to its value in Secrets Manager or Systems Manager."""

DROPPED = "EcrRepoName"
"""W&B Launch takes it, and leaves it out of the request."""

PROCESSING_KEY = "ProcessingJob"
"""A config for processing jobs holds the body of `CreateProcessingJob` under it."""

_MAPS = frozenset(
    {
        *("Environment", "HyperParameters", "HookParameters", "CollectionParameters"),
        *("RuleParameters", "ProfilingParameters"),
    }
)
"""Fields whose keys are the user's own."""

_ODD = {"volume_size_in_gb": "VolumeSizeInGB"}
_IDENTITY = "it can give the job the rights of another role"
_ELSEWHERE = "it can send the job to another account or region"
_NETWORK = "it can let the job into another network"
_NETWORKS = ("/VpcConfig", "/EnableNetworkIsolation", f"/{PROCESSING_KEY}/NetworkConfig")


class SageMakerResource:
    """Every field is checked, on every level: the service takes none that it does not know."""

    named_lists: ClassVar[Mapping[str, str]] = {"Tags": "Key", "InputDataConfig": "ChannelName"}
    guarded: ClassVar[Sequence[Guard]] = (
        *(Guard(f"{place}/RoleArn", _IDENTITY) for place in ("", f"/{PROCESSING_KEY}")),
        *(Guard(f"/{key}", _ELSEWHERE) for key in SESSION_KEYS),
        *(Guard(path, _NETWORK) for path in _NETWORKS),
    )
    insecure: ClassVar[Sequence[Guard]] = ()
    is_rehearsed: ClassVar[bool] = False

    def canonical(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return spelled(config)

    def check(self, config: Mapping[str, Any]) -> Sequence[Finding]:
        return list(_check(config))


def member(key: str) -> str:
    """A field's name as the service writes it: `resource_config` is `ResourceConfig`."""
    return _ODD.get(key) or "".join(word[:1].upper() + word[1:] for word in key.split("_"))


def spelled(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with every field, on every level, as the service writes it."""
    session = {key: config[key] for key in (*SESSION_KEYS, SECRETS_KEY) if key in config}
    body: dict[str, Any] = _spelled({key: value for key, value in config.items() if key not in session})
    return body | session


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    fields = {member(key): item for key, item in value.items()}
    return {name: item if name in _MAPS else _spelled(item) for name, item in fields.items()}


def _check(config: Mapping[str, Any]) -> Iterator[Finding]:
    body: dict[str, Any] = {}
    for key, value in config.items():
        if key in SESSION_KEYS:
            yield from TEXT.check(value, (key,))
        elif key == SECRETS_KEY:
            yield from MapOf(TEXT).check(value, (key,))
        elif member(key) == DROPPED:
            yield warning(f"/{key}", f"{key!r} has no effect; the image's own registry is used")
        else:
            body[key] = value
    types = sdks.load("sagemaker")
    if types is None:
        yield sdks.missing("sagemaker")
        return
    processing = [key for key in body if member(key) == PROCESSING_KEY]
    if not processing:
        yield from types.shape_of("CreateTrainingJob").check(body, ())
    elif len(body) > 1:
        yield error(
            "", f"{processing[0]!r} is for processing jobs, the fields beside it are for training jobs; keep one"
        )
    else:
        yield from types.shape_of("CreateProcessingJob").check(body[processing[0]], (processing[0],))
