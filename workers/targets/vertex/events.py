"""What Vertex AI says of its jobs in Cloud Logging, as a sink puts it into Pub/Sub.

Custom jobs have no events of their own. But what the service itself says of a job is in the log, under the task
`service`, when the job's state changes. An entry names the job and its project, and no location.

Formats: `LogEntry` of the Logging API, version 2, with the resource `ml_job`; "Route logs to Pub/Sub"; `pull`,
`acknowledge` and `testIamPermissions` of subscriptions in the Pub/Sub API, version 1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from broker_config.platforms import Hint
from workers.targets.push import Message, Told
from workers.targets.vertex.account import Account, Late

CONSUME = "pubsub.subscriptions.consume"
WAIT_SECONDS = 30.0
MOST = 100
"""Messages of one answer."""


class _Labels(BaseModel):
    model_config = ConfigDict(frozen=True)

    job_id: str
    project_id: str


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: Literal["ml_job"]
    labels: _Labels


class _Entry(BaseModel):
    """As much of an entry as is read."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(alias="insertId")
    resource: _Resource


class Events:
    """One subscription, asked with the agent's own credentials."""

    def __init__(self, name: str, places: Callable[[str], Iterable[str]]) -> None:
        """`name`: `projects/PROJECT/subscriptions/NAME`. `places` gives those of a project, as all agents call them."""
        self.name = name
        self.account = Account()
        self._places = places

    def receive(self) -> Sequence[Message]:
        try:
            answer = self.account.rest(
                CONSUME, "POST", f"v1/{self.name}:pull", seconds=WAIT_SECONDS, json={"maxMessages": MOST}
            )
        except Late:
            # It waits for the first message, and nobody says how long.
            return ()
        return [
            Message(base64.b64decode(one["message"].get("data", "")).decode(errors="replace"), one["ackId"])
            for one in answer.get("receivedMessages", [])
        ]

    def remove(self, messages: Sequence[Message]) -> None:
        receipts = [message.receipt for message in messages]
        self.account.rest(CONSUME, "POST", f"v1/{self.name}:acknowledge", json={"ackIds": receipts})

    def read(self, text: str) -> Sequence[Told]:
        entry = _Entry.model_validate_json(text)
        labels = entry.resource.labels
        # Each entry is news: what it says of the job's state is in words for people.
        hint = Hint(labels.job_id, entry.id)
        return [Told(place, hint) for place in self._places(labels.project_id)]
