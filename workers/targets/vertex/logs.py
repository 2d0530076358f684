"""The output of jobs, replica by replica, from a position on: one call a period brings the new lines of all of them.

A project may list entries 60 times a minute, whoever asks (Cloud Logging, "Quotas and limits"), so no job is asked for
by itself, but for one that was quiet for long, or has ended, when this agent took it up.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from broker_config.errors import TemporaryError
from workers.targets.pace import Bounds, Pace
from workers.targets.protocol import LogChunk
from workers.targets.throttling import Throttled
from workers.targets.vertex.account import Refused
from workers.targets.vertex.entries import Entries, Entry, Page, Spot
from workers.targets.vertex.jobs import Job

_SECOND = 10**9
LATE_NS = 60 * _SECOND
"""An entry may be found that long after it has arrived, and arrive that long after it was written."""

RECENT_NS = 600 * _SECOND
"""One that is taken up has the entries of all jobs read again from that long ago at most."""

MOST_PAGES = 20
"""Read at once; the next call goes on."""

MOST_LINES = 20_000
"""Kept of one job for its reader; with more it is read by itself."""


@dataclass
class Reading:
    """One job, by the reader that is at a position."""

    position: str
    places: dict[str, Spot]  # up to where its lines were taken, by replica
    entries: list[Entry] = field(default_factory=list)  # taken, and not given out

    def take(self, entry: Entry) -> bool:
        """Take an entry; False when it was taken before."""
        if entry.spot <= self.places.get(entry.replica, (0, "")):
            return False
        self.entries.append(entry)
        self.places[entry.replica] = entry.spot
        return True

    def give(self) -> list[str]:
        """All lines that were taken; the position is behind them then."""
        lines = _lines(self.entries, self.places)
        if self.entries:
            self.entries = []
            self.position = json.dumps(self.places)
        return lines


class Logs:
    """The logs of the jobs of one project and location."""

    def __init__(self, entries: Entries, bounds: Bounds) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}  # by the job's id
        self._pace = Pace(bounds)
        self._since_ns = 0  # what has arrived before was read
        self._token = ""  # of the page from which to go on
        self._began_at = 0.0  # when the first of those pages was asked for
        self._heard_at = float("-inf")  # the same of the last ones that were read to their end
        self._silence = ""  # why there was no answer

    def read(self, job: Job, position: str) -> LogChunk:
        """The next chunk of a job's output.

        Raises:
            TemporaryError: when Cloud Logging does not answer.
        """
        with self._lock:
            reading = self._readings.get(job.id)
            if reading is None or reading.position != position or len(reading.entries) > MOST_LINES:
                reading = self._joined(job, position)
            if reading is None:
                return self._alone(job, position)
            requests = self._listen(is_last=job.has_ended)
            lines = reading.give()
            if job.has_ended and not self._token:
                self.drop(job)
            return LogChunk(lines, reading.position, job.has_ended and bool(self._token), requests)

    def drop(self, job: Job) -> None:
        """Keep nothing of a job any more."""
        self._readings.pop(job.id, None)

    def _joined(self, job: Job, position: str) -> Reading | None:
        """A reading from that position, by what comes for all jobs; None for one that is to be read by itself first."""
        begin = _begin(job, _places(position))
        # Clocks differ by less than that.
        if job.has_ended or begin < time.time_ns() - RECENT_NS:
            return None
        return self._join(job, position, begin)

    # --- one job ------------------------------------------------------------------------------------------------------

    def _alone(self, job: Job, position: str) -> LogChunk:
        """What one job has printed since, up to a page of it."""
        if self._pace.is_pausing:
            raise TemporaryError(self._silence, delay_seconds=self._pace.seconds_left)
        reading = Reading(position, _places(position))
        since, token, requests = _begin(job, reading.places), "", 0
        while True:
            page = self._asked(partial(self._entries.of_job, job.id, since, token))
            requests, token = requests + 1, page.token
            for entry in page.entries:
                reading.take(entry)
            if reading.entries or not token:
                break
        lines = reading.give()
        if not token and not job.has_ended:
            self._join(job, reading.position, self._since_ns or time.time_ns() - RECENT_NS)
        return LogChunk(lines, reading.position, bool(token), requests)

    # --- all jobs -----------------------------------------------------------------------------------------------------

    def _join(self, job: Job, position: str, since_ns: int) -> Reading:
        """Have a job's reader go on with what comes for all jobs, from what has arrived since then."""
        if not self._since_ns or since_ns < self._since_ns:
            # Pages up to here were of a list that begins later.
            self._since_ns, self._token = since_ns, ""
        made = self._readings[job.id] = Reading(position, _places(position))
        return made

    def _listen(self, *, is_last: bool) -> int:
        """Take what has arrived for all jobs, if it is time to; how many requests that took.

        `is_last`: a job has ended. Its end was held back while its last lines came, and an answer from then has them.
        """
        if is_last and self._pace.is_pausing:
            raise TemporaryError(self._silence, delay_seconds=self._pace.seconds_left)
        is_due = self._pace.seconds_left <= 0 or bool(self._token)
        is_missing = is_last and time.monotonic() - self._heard_at > self._pace.bounds.settled - 1
        if self._pace.is_pausing or not (is_due or is_missing):
            return 0
        if not self._token:
            self._began_at = time.monotonic()
        newest, news = self._since_ns, False
        for requests in range(1, MOST_PAGES + 1):
            page = self._asked(partial(self._entries.received, self._since_ns - LATE_NS, self._token))
            newest = max([newest, *(entry.received_ns for entry in page.entries)])
            news = self._take(page.entries) or news
            self._token = page.token
            if not self._token:
                self._since_ns, self._heard_at = newest, self._began_at
                self._pace.answered(with_news=news)
                return requests
        return MOST_PAGES

    def _take(self, entries: Sequence[Entry]) -> bool:
        """Give entries to the readings that they are for; whether any was new."""
        taken = [reading.take(one) for one in entries if (reading := self._readings.get(one.job)) is not None]
        return any(taken)

    def _asked(self, ask: Callable[[], Page]) -> Page:
        try:
            return ask()
        except (TemporaryError, Refused) as error:
            self._silence = str(error)
            self._pace.failed(error.hint_seconds if isinstance(error, Throttled) else 0.0)
            raise TemporaryError(self._silence, delay_seconds=self._pace.seconds_left) from error


def _places(position: str) -> dict[str, Spot]:
    return {replica: (at_ns, id_) for replica, (at_ns, id_) in json.loads(position or "{}").items()}


def _begin(job: Job, places: dict[str, Spot]) -> int:
    """From when on a job's entries may be new: replicas write at the same time, and one may be late."""
    times = [at_ns for at_ns, _ in places.values()]
    if times:
        return max(min(times), max(times) - LATE_NS)
    return int(job.created.timestamp()) * _SECOND if job.created else 0


def _lines(entries: list[Entry], places: dict[str, Spot]) -> list[str]:
    """With the replica in front where there are several."""
    return [f"[{one.replica}] {one.text}" if len(places) > 1 else one.text for one in entries]
