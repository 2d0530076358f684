"""The output of a job's containers from CloudWatch Logs, stream by stream, from a position on.

A job has a stream for each of its instances, named `JOB/algo-1-TIME`, and new ones when SageMaker starts it again. The
service finds lines by their time in milliseconds. So those of the last one are read again, and as many left out as were
taken; its own tokens would not outlive a day.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workers.targets.protocol import LogChunk
from workers.targets.sagemaker.account import Account, Refused
from workers.targets.sagemaker.jobs import Job, paged
from workers.targets.sagemaker.operations import Operation

STREAMS_SECONDS = 30.0
"""How often a running job's streams are looked for: a second instance may begin later than the first."""

FULL_PAGE = 10_000
"""Lines at most in one answer; one that is shorter has all there are, or as many as fit into a megabyte."""

MOST_PAGES = 50
"""Asked for in one read, where they bring nothing new."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where one stream was read: all before a time, and so many lines of that time."""

    at_ms: int = 0
    taken: int = 0

    def rest(self, lines: Sequence[Line]) -> list[Line]:
        """Those that were not read yet, of lines that begin with that time."""
        old = sum(line.at_ms == self.at_ms for line in lines[: self.taken])
        return list(lines[old:])

    def after(self, lines: Sequence[Line]) -> Place:
        """The place behind lines that were not read before."""
        if not lines:
            return self
        last = lines[-1].at_ms
        taken = sum(line.at_ms == last for line in lines) + (self.taken if last == self.at_ms else 0)
        return Place(last, taken)


class Logs:
    """The logs of one kind of jobs in one account and region."""

    def __init__(self, account: Account, operation: Operation) -> None:
        self._account = account
        self._group = operation.log_group
        self._streams: dict[str, tuple[float, list[str]]] = {}  # by job, when they were looked for, and which

    def read(self, job: Job, position: str) -> LogChunk:
        """The next chunk of a job's output."""
        places = {stream: Place(*place) for stream, place in json.loads(position or "{}").items()}
        requests, streams = self._streams_of(job)
        lines: list[str] = []
        more = False
        for stream in streams:
            place = places.get(stream, Place())
            asked, fresh, is_cut = self._fresh(f"{job.name}/{stream}", place, is_last=job.has_ended)
            requests, more = requests + asked, more or is_cut
            places[stream] = place.after(fresh)
            prefix = f"[{stream.rpartition('-')[0]}] " if len(streams) > 1 else ""
            lines += [prefix + line.text for line in fresh]
        if not lines:
            return LogChunk((), position, more, requests)
        told = {stream: (place.at_ms, place.taken) for stream, place in places.items()}
        return LogChunk(lines, json.dumps(told), more, requests)

    def drop(self, name: str) -> None:
        """Keep nothing of a job any more."""
        self._streams.pop(name, None)

    def _streams_of(self, job: Job) -> tuple[int, list[str]]:
        """How many requests it took, and the streams of a job, without its name before them."""
        at, known = self._streams.get(job.name, (float("-inf"), []))
        if known and not job.has_ended and time.monotonic() - at < STREAMS_SECONDS:
            return 0, known
        requests, found = 0, []
        for page in self._pages("DescribeLogStreams", "nextToken", logStreamNamePrefix=f"{job.name}/"):
            requests += 1
            found += [one["logStreamName"].partition("/")[2] for one in page["logStreams"] if _is_of(one, job.created)]
        if not job.has_ended:
            self._streams[job.name] = (time.monotonic(), sorted(found))
        return max(requests, 1), sorted(found)

    def _fresh(self, stream: str, place: Place, *, is_last: bool) -> tuple[int, list[Line], bool]:
        """How many requests it took, what a stream has that was not read yet, and whether there is more.

        A page may be empty before the last one, which leads to itself. While a job runs the next read comes to that.
        """
        lines: list[Line] = []
        given: dict[str, object] = {"startTime": place.at_ms}
        for requests in range(1, MOST_PAGES + 1):
            page = self._account.call(
                "logs",
                "GetLogEvents",
                logGroupName=self._group,
                logStreamName=stream,
                startFromHead=True,
                **given,
            )
            lines += [Line(event["timestamp"], event["message"].rstrip("\n")) for event in page["events"]]
            fresh = place.rest(lines)
            is_end = page["nextForwardToken"] == given.get("nextToken")
            if fresh or is_end or not (is_last or len(page["events"]) >= FULL_PAGE):
                return requests, fresh, bool(fresh) and (is_last or len(page["events"]) >= FULL_PAGE)
            given["nextToken"] = page["nextForwardToken"]
        return MOST_PAGES, [], False

    def _pages(self, operation: str, token: str, **given: object) -> Iterator[Any]:
        try:
            yield from paged(self._account, "logs", operation, token, logGroupName=self._group, **given)
        except Refused as error:
            # The group comes with the first job of the account.
            if not error.is_not_found:
                raise


def _is_of(stream: Mapping[str, Any], created: datetime | None) -> bool:
    """Whether a stream is not of an earlier job of that name, which was deleted."""
    return created is None or stream["creationTime"] >= int(created.timestamp()) * 1000
