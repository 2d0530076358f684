"""The lines that Cloud Logging has of jobs, and up to where each replica of a job was read.

Formats: `LogEntry` and `entries.list` of the Logging API, version 2; "View training logs" for the resource `ml_job`.
Entries come in the order of their time, and those of one time in the order of their ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workers.targets.vertex.account import Account

PAGE = 1000
"""The most that an answer has."""

_JOBS = 'resource.type="ml_job" AND resource.labels.task_name!="service"'
"""What Vertex AI itself says of a job is in its state."""

_NS = 10**9

Spot = tuple[int, str]
"""The time in nanoseconds and the id of an entry: before it are all that come before it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of one replica."""

    job: str  # its id
    replica: str
    spot: Spot
    received_ns: int
    text: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Entry:
        labels = said["resource"]["labels"]
        payload = said.get("jsonPayload")
        text = said.get("textPayload", "")
        if payload is not None:
            message = payload.get("message")
            text = message if isinstance(message, str) else json.dumps(payload, ensure_ascii=False)
        return cls(
            labels.get("job_id", ""),
            labels.get("task_name", ""),
            (nanoseconds(said["timestamp"]), said["insertId"]),
            nanoseconds(said["receiveTimestamp"]),
            text.rstrip("\n"),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    entries: list[Entry]
    token: str  # leads to the next; "" behind the last


class Entries:
    """The entries of one project."""

    def __init__(self, account: Account, project: str) -> None:
        self._account = account
        self._project = project

    def of_job(self, job: str, since_ns: int, token: str = "") -> Page:
        """A page of one job's entries from a time on."""
        return self._page(f'{_JOBS} AND resource.labels.job_id="{job}" AND timestamp>="{moment(since_ns)}"', token)

    def received(self, since_ns: int, token: str = "") -> Page:
        """A page of all jobs' entries that have arrived from a time on."""
        return self._page(f'{_JOBS} AND receiveTimestamp>="{moment(since_ns)}"', token)

    def _page(self, filter_: str, token: str) -> Page:
        body = {
            "resourceNames": [f"projects/{self._project}"],
            "filter": filter_,
            "orderBy": "timestamp asc",
            "pageSize": PAGE,
            **({"pageToken": token} if token else {}),
        }
        said = self._account.rest("logging.logEntries.list", "POST", "v2/entries:list", json=body)
        return Page([Entry.read(one) for one in said.get("entries", [])], said.get("nextPageToken", ""))


def nanoseconds(stamp: str) -> int:
    """A time as the service writes it: in UTC, with up to nine digits of a second."""
    whole, _, digits = stamp.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * _NS + int(digits.ljust(9, "0") or 0)


def moment(at_ns: int) -> str:
    """A time as the service reads it."""
    return f"{datetime.fromtimestamp(at_ns // _NS, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % _NS:09}Z"
