"""Events of SageMaker's jobs, as EventBridge puts them into a queue of SQS.

Formats: "Events that Amazon SageMaker AI sends to Amazon EventBridge", Training and Processing job state change, and
the SQS API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from broker_config.platforms import Hint
from workers.targets.push import Message, Told
from workers.targets.sagemaker.account import Account
from workers.targets.sagemaker.handles import Handle
from workers.targets.sagemaker.jobs import place_name
from workers.targets.sagemaker.operations import BY_KIND

WAIT_SECONDS = 10
MOST = 10
"""Messages that SQS gives at once."""

_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.")


class _Event(BaseModel):
    """As much of an event as is read."""

    model_config = ConfigDict(frozen=True)

    source: Literal["aws.sagemaker"]
    resources: Annotated[tuple[str, ...], Field(min_length=1)]  # ARNs
    detail: Mapping[str, Any]


class Events:
    """One queue of SQS, asked with the agent's own credentials."""

    def __init__(self, url: str, region: str) -> None:
        """`region`: where the URL does not say it."""
        self.url = url
        found = _REGION.match(url)
        self.account = Account(region=found[1] if found else region)
        self._queue = {"QueueUrl": url}

    def receive(self) -> Sequence[Message]:
        answer = self.account.call(
            "sqs", "ReceiveMessage", **self._queue, MaxNumberOfMessages=MOST, WaitTimeSeconds=WAIT_SECONDS
        )
        return [Message(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages", [])]

    def remove(self, messages: Sequence[Message]) -> None:
        entries = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(messages)]
        # One that is not removed comes again.
        self.account.call("sqs", "DeleteMessageBatch", **self._queue, Entries=entries)

    def read(self, text: str) -> Sequence[Told]:
        told = read(text)
        return () if told is None else (told,)

    def probes(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Permissions, each with a call that needs it and leaves all messages where they are."""
        return [
            ("sqs:ReceiveMessage", {**self._queue, "MaxNumberOfMessages": 1, "VisibilityTimeout": 0}),
            ("sqs:DeleteMessage", {**self._queue, "ReceiptHandle": "launchyard-check"}),
        ]


def read(text: str) -> Told | None:
    """What an event says of a job; None for one that is not ours.

    Raises:
        ValueError: when it is no event of SageMaker's.
    """
    event = _Event.model_validate_json(text)
    parts = event.resources[0].split(":", 5)
    if len(parts) != 6:
        raise ValueError(f"{event.resources[0]!r} is no ARN")
    _, partition, _, region, number, resource = parts
    kind = resource.partition("/")[0]
    operation = BY_KIND.get(kind)
    if operation is None:
        return None
    name, status = (event.detail.get(key) for key in (operation.job_name, f"{operation.noun}Status"))
    if not isinstance(name, str) or not isinstance(status, str):
        raise ValueError(f"its detail has no {operation.job_name} or no {operation.noun}Status")
    if Handle.parse("").beside(name) is None:
        return None
    state = event.detail.get("SecondaryStatus") or status
    return Told(place_name(partition, number, region, kind), Hint(name, str(state)))
