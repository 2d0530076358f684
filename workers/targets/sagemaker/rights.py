"""What an agent has to be allowed at AWS, and what of that its credentials do not allow.

Source: the actions, resources and condition keys of each service in the Service Authorization Reference. A service
looks at the rights of a call before it looks for what the call names, so most can be asked about with a name that no
job has. Those that would make something are only listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workers.targets.protocol import Request
from workers.targets.sagemaker.account import Account, Refused
from workers.targets.sagemaker.events import Events
from workers.targets.sagemaker.knowledge import NAMES
from workers.targets.sagemaker.marks import MANAGED, PARAMETERS
from workers.targets.sagemaker.places import Place
from workers.targets.sagemaker.sending import role_of

NOBODY = "launchyard-check-0"
"""No run has such an id."""

_SECRETS = "launchyard/*"


def policy(place: Place, request: Request, events: Sequence[Events]) -> dict[str, Any]:
    """The smallest policy that lets an agent run jobs of a request's config, and hear of them by events.

    Raises:
        TemporaryError, ConfigError: when AWS does not say whose credentials these are.
    """
    return {"Version": "2012-10-17", "Statement": [*_statements(place, request), *_reading(place, events)]}


def missing(place: Place, request: Request, events: Sequence[Events]) -> list[str]:
    """What the credentials from here do not allow, of what can be asked about. Raises as `policy` does."""
    asked = [(place.account, *probe) for probe in _probes(place, request)]
    asked += [(one.account, *probe) for one in events for probe in one.probes()]
    return [permission for account, permission, call in asked if _is_denied(account, permission, call)]


def _statements(place: Place, request: Request) -> Iterator[Mapping[str, Any]]:
    noun = place.jobs.operation.noun
    told = request.body["input"]
    jobs = [f"sagemaker:{verb}{noun}" for verb in ("Create", "Describe", "Stop")]
    kind = place.jobs.operation.kind
    yield _allowed([*jobs, "sagemaker:AddTags", "sagemaker:ListTags"], _arn(place, "sagemaker", f"{kind}/*{NAMES}*"))
    # Neither can be allowed for some jobs only.
    yield _allowed([f"sagemaker:List{noun}s", "tag:GetResources"], "*")
    role = role_of(place, told)
    to_service = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    yield {**_allowed(["iam:PassRole"], role), "Condition": to_service}
    machines = told.get("ResourceConfig") or told["ProcessingResources"].get("ClusterConfig") or {}
    if key := machines.get("VolumeKmsKeyId"):
        is_arn = str(key).startswith("arn:")
        yield _allowed(["kms:CreateGrant", "kms:DescribeKey"], key if is_arn else _arn(place, "kms", f"key/{key}"))
    group = _arn(place, "logs", f"log-group:{place.jobs.operation.log_group}:*")
    yield _allowed(["logs:DescribeLogStreams", "logs:GetLogEvents"], group)
    names = ("PutParameter", "GetParameter", "GetParametersByPath", "DeleteParameter")
    yield _allowed([f"ssm:{name}" for name in names], _arn(place, "ssm", f"parameter{PARAMETERS}*"))
    if request.body["secrets"]:
        secrets = _arn(place, "secretsmanager", f"secret:{_SECRETS}")
        yield _allowed(["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"], secrets)


def _reading(place: Place, events: Sequence[Events]) -> Iterator[Mapping[str, Any]]:
    partition, _ = place.account.identity()
    for one in events:
        account, name = one.url.split("/")[-2:]
        queue = f"arn:{partition}:sqs:{one.account.region}:{account}:{name}"
        yield _allowed(["sqs:ReceiveMessage", "sqs:DeleteMessage"], queue)


def _allowed(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _arn(place: Place, service: str, resource: str) -> str:
    partition, account = place.account.identity()
    return f"arn:{partition}:{service}:{place.account.region}:{account}:{resource}"


def _probes(place: Place, request: Request) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Permissions, each with a call that needs it and changes nothing."""
    operation = place.jobs.operation
    job = {operation.job_name: NOBODY}
    arn = {"ResourceArn": _arn(place, "sagemaker", f"{operation.kind}/{NOBODY}")}
    yield f"sagemaker:List{operation.noun}s", {"MaxResults": 1}
    yield f"sagemaker:Describe{operation.noun}", job
    yield f"sagemaker:Stop{operation.noun}", job
    yield "sagemaker:ListTags", arn
    yield "sagemaker:AddTags", {**arn, "Tags": [{"Key": MANAGED, "Value": "true"}]}
    yield "tag:GetResources", {"ResourceTypeFilters": [f"sagemaker:{operation.kind}"]}
    group = {"logGroupName": operation.log_group}
    yield "logs:DescribeLogStreams", {**group, "logStreamNamePrefix": NOBODY}
    yield "logs:GetLogEvents", {**group, "logStreamName": NOBODY}
    yield "ssm:GetParameter", {"Name": f"{PARAMETERS}/{NOBODY}"}
    yield "ssm:GetParametersByPath", {"Path": PARAMETERS}
    yield "ssm:DeleteParameter", {"Name": f"{PARAMETERS}/{NOBODY}"}
    if request.body["secrets"]:
        yield "secretsmanager:DeleteSecret", {"SecretId": f"launchyard/{NOBODY}", "ForceDeleteWithoutRecovery": True}


def _is_denied(account: Account, permission: str, call: Mapping[str, Any]) -> bool:
    prefix, _, operation = permission.partition(":")
    try:
        account.call("resourcegroupstaggingapi" if prefix == "tag" else prefix, operation, **call)
    except Refused as error:
        # Anything else that it says is about a job that is not there.
        return error.is_denied
    return False
