"""The order to carry out a run, in the public wire format that stock Celery workers consume.

Celery's task message protocol 2 (its documentation, "Message Protocol") inside the envelope of kombu's virtual
transports (`kombu.transport.virtual.base.Channel.prepare_message`). The store writes it in the same step as the run's
record, which kombu's own publish cannot do. A test compares it with what the installed kombu writes.
"""

from __future__ import annotations

import base64
import json
import os
import random
import socket
from dataclasses import dataclass
from typing import Any

from broker_config.frozen import parse
from broker_config.priorities import Priority
from broker_config.runs import RunSpec

RUN_TASK = "launchyard.run"
"""Name of the one Celery task: the order to carry out a run."""

_ORIGIN = f"launchyard@{os.getpid()}@{socket.gethostname()}"


# Written out, because this is the hot path of bulk enqueue: a template is filled ten times faster than `json.dumps`
# runs. Every value that is put in is of a charset that JSON need not escape: ids, names (see `queues.NAME`), base64
# and signatures.
_ENVELOPE = (
    '{"body":"%(body)s","content-encoding":"utf-8","content-type":"application/json",'
    '"headers":{"lang":"py","task":"%(task)s","id":"%(id)s","shadow":null,"eta":null,"expires":null,"group":null,'
    '"group_index":null,"retries":0,"timelimit":[null,null],"root_id":"%(id)s","parent_id":null,"argsrepr":"",'
    '"kwargsrepr":"queue=%(queue)s priority=%(label)s name=%(name)s","origin":"%(origin)s",'
    # The store writes the result with the record, so the worker must not write one of its own.
    '"ignore_result":true,"replaced_task_nesting":0,"stamped_headers":null,"stamps":{}},'
    '"properties":{"correlation_id":"%(id)s","reply_to":"","delivery_mode":2,'
    '"delivery_info":{"exchange":"","routing_key":"%(queue)s"},"priority":%(priority)d,"body_encoding":"base64",'
    '"delivery_tag":"%(tag)s"}}'
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a message says: which run is to be carried out, and the signature that came with it."""

    spec: RunSpec
    signature: str = ""


def encode(spec: RunSpec, spec_json: str, signature: str = "", priority: Priority | None = None) -> str:
    """The message for this run; `spec_json` is the run's spec as JSON, made once for record and message.

    `priority` is the one that the run has now; None: that of its spec. An order that comes back to the broker goes into
    the list of the priority that its message says.

    What Flower and Celery's events show (`kwargsrepr`) names the queue, the priority and the run, and nothing of the
    job's arguments or environment.
    """
    # One that is not signed is as it was before there were signatures, so that an older agent takes it.
    signed = f',"signature":"{signature}"' if signature else ""
    priority = spec.priority if priority is None else priority
    body = f'[[],{{"spec":{spec_json}{signed}}},{{"callbacks":null,"errbacks":null,"chain":null,"chord":null}}]'
    return _ENVELOPE % {
        "body": base64.b64encode(body.encode()).decode(),
        "task": RUN_TASK,
        "id": spec.id,
        "queue": spec.queue.full_name,
        "label": priority.label,
        "name": spec.name,
        "origin": _ORIGIN,
        "priority": priority,
        "tag": f"{random.getrandbits(128):032x}",
    }


def decode(spec: dict[str, Any], signature: str = "") -> Order:
    """The order out of a message's keyword arguments.

    Raises:
        InvalidRequest: when it is not one; for instance sent by hand through Flower's API.
    """
    return Order(parse(RunSpec, spec, "message"), signature)


def run_id(message: str) -> str:
    """The id of the run that a message orders."""
    return str(json.loads(message)["headers"]["id"])
