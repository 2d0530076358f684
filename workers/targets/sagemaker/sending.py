"""A job is made once, however often and by however many agents it is sent.

SageMaker gives a name once for an account and region, and keeps it. So a request whose answer was lost is sent again,
and finds the job that it made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.protocol import Request
from workers.targets.sagemaker import vault
from workers.targets.sagemaker.account import Refused
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.jobs import Job
from workers.targets.sagemaker.knowledge import VISIBLE_SECONDS
from workers.targets.sagemaker.marks import REQUEST, is_released, stamped
from workers.targets.sagemaker.places import Place
from workers.targets.sagemaker.secrets import program
from workers.targets.starting import PREFIX

QUOTA_SECONDS = 60.0
"""Until a job is sent again for which the account has no instances left."""

_LIMIT = re.compile(r"is (\d+) \w+, with current utilization of (\d+) \w+ and a request delta of (\d+)")


def create(place: Place, request: Request) -> None:
    """Create the job, or adopt the one that is there.

    Raises:
        RunFailed: NAME_TAKEN when another job has its name; what SageMaker says when it refuses.
        TemporaryError: when it does not answer, or the account's instances are all taken.
    """
    handle = Handle.parse(request.name)
    told: dict[str, Any] = dict(request.body["input"])
    told["Tags"] = stamped(told["Tags"], request.digest, request.passport)
    told["RoleArn"] = role_of(place, told)
    if any(name.startswith(PREFIX) for name in told["Environment"]):
        told["Environment"] = told["Environment"] | program(handle.operation.variable_characters)
    if request.body["secrets"]:
        vault.keep(place.account, handle.run, request.body["secrets"])
    try:
        arn = place.jobs.create(told)
    except Refused as error:
        if error.aws_code != "ResourceInUse":
            raise _explained(error) from error
        _adopt(place, handle, request)
    else:
        place.listing.put(Job(handle.name, arn, secondary="Starting"))


def role_of(place: Place, told: Mapping[str, Any]) -> str:
    """The ARN of the job's role, with the agent's own account where the queue has only its name."""
    role = str(told["RoleArn"])
    if "{" not in role:
        return role
    partition, number = place.account.identity()
    return role.format(partition=partition, account=number)


def _explained(error: Refused) -> RunFailed | TemporaryError:
    """What is to be done about a refusal. Where the account's instances are all taken, the run waits for them."""
    if error.aws_code != "ResourceLimitExceeded":
        return error
    limit = _LIMIT.search(error.words)
    if limit is not None and int(limit[3]) > int(limit[1]):
        return RunFailed(FailureClass.CONFIG, Reason.TARGET_REFUSED, f"{error}; no wait will help")
    return TemporaryError(f"{error}; the run waits until others have ended", delay_seconds=QUOTA_SECONDS)


def _adopt(place: Place, handle: Handle, request: Request) -> None:
    job = place.jobs.find(handle.name)
    if job is None:
        raise TemporaryError(f"SageMaker has a job named {handle.name}, and does not tell of it yet")
    tags = place.jobs.tags(job)
    digest = tags.get(REQUEST)
    if digest is None and _is_young(job):
        raise TemporaryError(f"SageMaker has a job named {handle.name}, and does not tell its tags yet")
    if digest == request.digest:
        if is_released(tags):
            # By another agent, which this one may know nothing of.
            place.listing.drop(handle.name)
            vault.drop(place.account, handle.run)
        return
    whose = "with another request" if digest else "and was not made by Launchyard"
    raise RunFailed(
        FailureClass.CONFIG,
        Reason.NAME_TAKEN,
        f"{job.arn} exists {whose}; look at it in SageMaker, and launch the run again: a name is given once",
    )


def _is_young(job: Job) -> bool:
    return job.created is not None and (datetime.now(UTC) - job.created).total_seconds() < VISIBLE_SECONDS
