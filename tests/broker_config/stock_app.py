"""A Celery app as anybody would write it, without Launchyard: it must be able to take our messages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from celery import Celery

app = Celery("stock", broker=os.environ["STOCK_BROKER"])
app.conf.broker_transport_options = {"priority_steps": [0, 1, 2, 3], "sep": ":", "queue_order_strategy": "round_robin"}
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1


@app.task(name="launchyard.run", bind=True)
def run(self: Any, spec: dict[str, Any]) -> None:
    line = json.dumps({"id": self.request.id, "spec": spec})
    with Path(os.environ["STOCK_OUT"]).open("a") as out:
        out.write(line + "\n")
