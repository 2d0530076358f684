"""The order to carry out a run, in the public wire format that stock Celery workers consume.

Celery's task message protocol 2 (its documentation, "Message Protocol") inside the envelope of kombu's virtual
transports (`kombu.transport.virtual.base.Channel.prepare_message`). The store writes it in the same step as the run's
record, which kombu's own publish cannot do. A test compares it with what the installed kombu writes.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import uuid
from typing import Any

from broker_config.frozen import parse
from broker_config.runs import RunSpec

RUN_TASK = "launchyard.run"
"""Name of the one Celery task: the order to carry out a run."""

_ORIGIN = f"launchyard@{os.getpid()}@{socket.gethostname()}"


def encode(spec: RunSpec, spec_json: str) -> str:
    """The message for this run; `spec_json` is the run's spec as JSON, made once for record and message."""
    message = envelope(spec, spec_json)
    message["body"] = base64.b64encode(message["body"].encode()).decode()
    return json.dumps(message, separators=(",", ":"))


def envelope(spec: RunSpec, spec_json: str) -> dict[str, Any]:
    """The parts of the message, its body still plain JSON text.

    What Flower and Celery's events show (`kwargsrepr`) names the queue, the priority and the run, and nothing of the
    job's arguments or environment.
    """
    queue = spec.queue.name
    return {
        "body": f'[[],{{"spec":{spec_json}}},{{"callbacks":null,"errbacks":null,"chain":null,"chord":null}}]',
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": RUN_TASK,
            "id": spec.id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": spec.id,
            "parent_id": None,
            "argsrepr": "",
            "kwargsrepr": f"queue={queue} priority={spec.priority.label} name={spec.name}",
            "origin": _ORIGIN,
            # The store writes the result with the record, so the worker must not write one of its own.
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        },
        "properties": {
            "correlation_id": spec.id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": int(spec.priority),
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def decode(spec: dict[str, Any]) -> RunSpec:
    """The run's spec out of a message's keyword argument.

    Raises:
        InvalidRequest: when it is not one; for instance sent by hand through Flower's API.
    """
    return parse(RunSpec, spec, "message")


def run_id(message: str) -> str:
    """The id of the run that a message orders."""
    return str(json.loads(message)["headers"]["id"])
