"""One build under way: its pod is awaited, its log followed, and its end read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

from broker_config.errors import LaunchyardError, TemporaryError
from workers.builders.kaniko import verdict
from workers.builders.kaniko.job import BuildJob
from workers.builders.kaniko.output import Output
from workers.builders.kaniko.render import CONTAINER
from workers.images.steps import Ended
from workers.kubernetes.changes import changes
from workers.kubernetes.cluster import Cluster, Object
from workers.kubernetes.lines import lines
from workers.kubernetes.pods import PodPhase, PodState, Trouble, read
from workers.kubernetes.resource import EVENTS, PODS

_WATCH_SECONDS = 10
_SILENCE_SECONDS = 60.0
"""Of a log that is followed. A build may say nothing for longer: then its pod is looked at, and the log goes on."""

_LOST_SECONDS = 120.0
"""How long a cluster may not answer until the build is left to the next try, which takes it over."""

_PAUSE_SECONDS = 0.5


class KanikoBuild:
    """A Job that was made, until its end."""

    def __init__(self, cluster: Cluster, job: BuildJob, namespace: str) -> None:
        self._cluster = cluster
        self._job = job
        self._namespace = namespace
        self._output = Output()
        self._pod: PodState | None = None
        self._trouble: Trouble | None = None  # the last one of any of its pods
        self._ended: Ended | None = None
        self._error: LaunchyardError | None = None

    def lines(self) -> Iterator[str]:
        """Its output until its end; what goes wrong meanwhile is raised by `ended`."""
        heard = time.monotonic()
        while self._ended is None and self._error is None:
            try:
                yield from self._wait() if self._pod is None else self._log(self._pod)
                self._look()
                heard = time.monotonic()
            except LaunchyardError as error:
                is_passing = isinstance(error, TemporaryError) and not isinstance(error, verdict.JobGone)
                if not is_passing or time.monotonic() - heard > _LOST_SECONDS:
                    self._error = error
                time.sleep(_PAUSE_SECONDS)

    def end(self) -> None:
        self._job.remove()

    def ended(self) -> Ended:
        """How it went.

        Raises:
            RunFailed, TemporaryError: when it was not kaniko that ended it.
        """
        if self._error is not None:
            raise self._error
        assert self._ended is not None
        return self._ended

    def _wait(self) -> Iterator[str]:
        """Until the pod has a log, telling what holds it up."""
        begin = since = time.monotonic()
        said = ""
        selection = {"labelSelector": f"batch.kubernetes.io/job-name={self._job.name}"}
        while self._ended is None:
            for change in changes(self._cluster, PODS.path(self._namespace), selection, _WATCH_SECONDS):
                self._pod = self._seen(None if change.is_deleted else change.found)
                if self._pod is None:
                    break
                if self._pod.has_ended or _has_begun(self._pod):
                    return
                if (words := self._pod.trouble.text if self._pod.trouble else "") != said:
                    said, since = words, time.monotonic()
                    yield f"waiting: {said}" if said else "the build has a node"
            self._check(begin, since)

    def _check(self, begin: float, since: float) -> None:
        """Raise what ends the waiting of a pod that will never run."""
        self._look()
        now = time.monotonic()
        if self._pod is not None:
            error = verdict.held_up(self._pod.trouble, now - since) if self._pod.trouble else None
        else:
            query = {"fieldSelector": f"involvedObject.name={self._job.name}"}
            events = self._cluster.get(EVENTS.path(self._namespace), query)["items"]
            error = verdict.never_made(self._job.name, events, now - begin)
        if error is not None:
            raise error

    def _log(self, pod: PodState) -> Iterator[str]:
        """What the log has, from where it was read to, until it ends or breaks off."""
        query: dict[str, str | bool] = {"container": CONTAINER, "follow": True, "timestamps": True}
        if self._output.read_until:
            query["sinceTime"] = self._output.read_until.partition(".")[0] + "Z"
        path = PODS.path(self._namespace, pod.name, "log")
        with suppress(TemporaryError), self._cluster.stream(path, query, _SILENCE_SECONDS) as stream:
            yield from self._output.follow(lines(stream))
        # The pod says a moment later that it has ended, and a log that breaks off is not asked for in a hurry.
        time.sleep(_PAUSE_SECONDS)

    def _look(self) -> None:
        """See whether the build has ended."""
        job = self._job.find()
        if job is None or job["metadata"].get("deletionTimestamp"):
            raise verdict.JobGone(self._job.name)
        pod = self._cluster.find(PODS.path(self._namespace, self._pod.name)) if self._pod else None
        self._pod = self._seen(pod)
        if (error := verdict.of_job(job, self._trouble, self._pod)) is not None:
            raise error
        if pod and self._pod and self._pod.has_ended:
            self._ended = self._outcome(_last_words(pod), self._pod)
        elif (job.get("status") or {}).get("succeeded"):
            self._ended = Ended(self._output.steps)

    def _seen(self, pod: Object | None) -> PodState | None:
        state = read(pod) if pod else None
        # A Job that is out of time takes its pod with it, and says nothing of what the pod waited for.
        self._trouble = (state.trouble if state else None) or self._trouble
        return state

    def _outcome(self, words: str, pod: PodState) -> Ended:
        if pod.phase is PodPhase.SUCCEEDED:
            self._output.end()
            return Ended(self._output.steps, pushed=f"{self._job.repository}@{words}" if words else None)
        if (error := verdict.of_pod(pod)) is not None:
            raise error
        # Where the log could not be read, the pod has its last lines.
        said = words.rpartition("\n")[2] or (pod.trouble.text if pod.trouble else "kaniko failed")
        return Ended(self._output.steps, self._output.failure(said))


def _has_begun(pod: PodState) -> bool:
    """A cluster may put containers of its own beside kaniko, and before it."""
    return any(one.name == CONTAINER for one in pod.containers)


def _last_words(pod: Object) -> str:
    """Kaniko's termination message: the image's digest, or the end of its log."""
    for one in pod["status"].get("containerStatuses") or []:
        if one["name"] == CONTAINER:
            return str(((one.get("state") or {}).get("terminated") or {}).get("message") or "").strip()
    return ""
