"""Runs as Celery sees them: detached requests.

The task that carries an order out is short: it returns when the job is submitted, its message is acknowledged, and its
request stays in the worker's active set until the target says how the job ended. So `inspect active` and Flower show a
run as STARTED while it runs, and `AsyncResult(run_id).get()` returns at its end.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from typing import Any, Protocol

from celery.exceptions import Ignore
from celery.worker import state as worker_state
from celery.worker.request import Request
from kombu import Message

from broker_config import messages
from broker_config.messages import RUN_TASK
from broker_config.runs import Run
from broker_config.states import State
from workers.gate import Gate


class Dropped(Ignore):
    """The order is not to be carried out: another delivery was first, or the run has ended."""


class CancelsRuns(Protocol):
    """Who writes the wish to cancel a run."""

    def cancel(self, run_id: str, actor: str) -> None: ...


class RunRequest(Request):
    """A request that outlives its task: the task's return detaches the run, and does not end it."""

    is_detached = False
    is_closed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        task: Any = self.task
        self.ledger: Ledger = task.ledger
        self.ledger.received(self)

    def __init_subclass__(cls) -> None:
        # Celery makes a subclass for each worker whose `on_success` knows nothing of ours.
        cls.on_success = RunRequest.on_success  # type: ignore[method-assign]

    def on_success(self, failed__retval__runtime: Any, **_: Any) -> Any:
        """The task has returned (a failed one comes here as well): the run is followed, or has ended meanwhile.

        Ending the task by an exception would do too, but Celery's traceback of it cost a third of the agent's rate.
        """
        failed, outcome, _ = failed__retval__runtime
        if failed:
            return self.on_failure(outcome, return_ok=True)
        self.ledger.detach(self)
        self.acknowledge()
        self.ledger.shed(self)
        return None

    def shed(self, eventer: Any) -> None:
        """Be a request without its order, which was carried out: keep what Celery shows of the run, and no more.

        Thousands of runs go on for days, and an order, as bytes and decoded twice, is most of what one would take.
        """
        message = Message(delivery_info=self.delivery_info, properties={"priority": self.delivery_info["priority"]})
        super().__init__(
            message,
            headers={"id": self.id, "task": RUN_TASK, "kwargsrepr": self.kwargsrepr},
            body=((), {}, {}),
            decoded=True,
            app=self.app,
            task=self.task,
            hostname=self.hostname,
            eventer=eventer,
        )

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """The order was dropped."""
        result = super().on_failure(exc_info, send_failed_event, return_ok)
        self.ledger.dropped(self)
        return result

    def terminate(self, pool: Any, signal: Any = None) -> None:  # noqa: ARG002
        """Flower's Terminate and `revoke(terminate=True)`: the run is cancelled at its target."""
        self.ledger.cancels.cancel(self.id, "revoke")

    def info(self, safe: bool = False) -> Any:  # noqa: ARG002
        """What `inspect` shows. Never the arguments: they hold the job's environment."""
        return super().info(safe=True)


class Ledger:
    """Celery's side of the runs that the agent holds. Safe to use from all threads."""

    def __init__(self, task: Any, gate: Gate) -> None:
        self._task = task
        self._gate = gate
        self._requests: dict[str, RunRequest] = {}
        self._lock = threading.Lock()
        self._eventer: Any = None
        self.cancels: CancelsRuns

    def received(self, request: RunRequest) -> None:
        """An order came. A second one for a run that is held does not take the first one's place."""
        self._gate.fetched(request.id)
        with self._lock:
            self._requests.setdefault(request.id, request)

    def detach(self, request: RunRequest) -> None:
        """The order's task has ended, and its run may have as well."""
        request.is_detached = True
        self._gate.handed_over(request.id)

    def shed(self, request: RunRequest) -> None:
        """The order of a detached run is acknowledged, and nobody needs it any more."""
        # The lock is for the dispatcher: the worker may connect anew at this moment.
        with self._lock:
            request.shed(self._eventer)

    def dropped(self, request: RunRequest) -> None:
        """The order came to nothing."""
        with self._lock:
            if self._requests.get(request.id) is request:
                del self._requests[request.id]
            elif held := self._requests.get(request.id):
                # Celery forgot the id with the second request.
                worker_state.requests[request.id] = held
        self._gate.handed_over(request.id)

    def close(self, run: Run) -> None:
        """The run has ended: tell Celery's events, and free the request."""
        with self._lock:
            request = self._requests.pop(run.id, None)
        if request is None:
            return
        request.is_closed = True
        worker_state.task_ready(request, successful=run.state is State.SUCCEEDED)
        if run.state is State.SUCCEEDED:
            request.send_event("task-succeeded", result=run.text, runtime=time.time() - (request.time_start or 0))
        elif run.state is State.CANCELLED:
            request.send_event("task-revoked", terminated=True, signum="TERM", expired=False)
        elif run.state is State.QUEUED:
            request.send_event("task-retried", exception=f"{run.reason}: {run.text}", traceback="")
        elif run.state.is_terminal:
            request.send_event("task-failed", exception=f"{run.reason}: {run.text}", traceback="")

    def adopt(self, run: Run, hostname: str) -> None:
        """Hold a run that an earlier session submitted, without a message."""
        envelope = json.loads(messages.encode(run.spec, "null", priority=run.priority))
        message = Message(
            body=base64.b64decode(envelope["body"]).decode(),
            headers=envelope["headers"],
            properties=envelope["properties"],
            content_type=envelope["content-type"],
            content_encoding=envelope["content-encoding"],
            delivery_info=envelope["properties"]["delivery_info"],
            accept=["application/json"],
        )
        request = RunRequest(message, app=self._task.app, hostname=hostname, task=self._task)
        request.acknowledged = True
        request.worker_pid = os.getpid()  # type: ignore[assignment]  # an int wherever Celery sets it
        request.time_start = (run.started_at or run.since).timestamp()
        self.detach(request)
        self.shed(request)
        self._show(request)

    def reconnect(self, eventer: Any) -> None:
        """The worker connected, perhaps anew: its event dispatcher is another one, and it forgot who is active."""
        with self._lock:
            self._eventer = eventer
            # An order that came just before the connection broke, and that no thread got: it is sent again, here or to
            # another agent, and its place must not stay taken.
            lost = [run_id for run_id, request in self._requests.items() if request.time_start is None]
            for run_id in lost:
                del self._requests[run_id]
            held = list(self._requests.values())
            for request in held:
                request.eventer = eventer
        for run_id in lost:
            self._gate.handed_over(run_id)
        for request in held:
            if request.is_detached and not request.is_closed:
                self._show(request)

    def _show(self, request: RunRequest) -> None:
        worker_state.task_reserved(request)
        worker_state.active_requests.add(request)
