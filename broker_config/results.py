"""What `AsyncResult(run_id)` reads: a run's state in the form of Celery's result backends.

Celery's Redis backend keeps a JSON document under `celery-task-meta-<id>` and publishes it on the channel of the same
name (`celery.backends.base.Backend._get_result_meta`, `celery.backends.redis.RedisBackend._set`). The store writes it
in the same step as the run's record, so the two never tell different stories. A test reads it back with the installed
Celery.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from broker_config.errors import RunUnsuccessful
from broker_config.runs import RunId
from broker_config.states import State

STATUS = {State.SUCCEEDED: "SUCCESS", State.CANCELLED: "REVOKED", State.FAILED: "FAILURE", State.PREEMPTED: "FAILURE"}


def key(run_id: str) -> str:
    """Key, and channel, of a run's result."""
    return f"celery-task-meta-{run_id}"


def started(run_id: RunId, agent: str) -> str:
    """The document of a run that an agent has taken."""
    return _document(run_id, "STARTED", {"hostname": agent})


def ended(run_id: RunId, state: State, text: str, exit_code: int | None, at: datetime) -> str:
    """The document of a run that has ended: `get()` returns its result, or raises."""
    if state is State.SUCCEEDED:
        result: dict[str, Any] = {"run": run_id, "state": state, "exit_code": exit_code}
    elif state is State.CANCELLED:
        result = {"exc_type": "TaskRevokedError", "exc_message": [text], "exc_module": "celery.exceptions"}
    else:
        error = RunUnsuccessful
        result = {"exc_type": error.__name__, "exc_message": [f"{state}: {text}"], "exc_module": error.__module__}
    return _document(run_id, STATUS[state], result, at.isoformat())


def _document(run_id: RunId, status: str, result: dict[str, Any], date_done: str | None = None) -> str:
    return json.dumps(
        {
            "status": status,
            "result": result,
            "traceback": None,
            "children": [],
            "date_done": date_done,
            "task_id": run_id,
        }
    )
