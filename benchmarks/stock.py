"""The named peer: a stock Celery app on the same broker, with the same settings as ours.

celery -A benchmarks.stock worker -Q stock
"""

from __future__ import annotations

import time
from typing import Any

from broker_config.celery_app import create_app
from broker_config.settings import load_settings

QUEUE = "stock"
THREADS = 8

app = create_app(load_settings())
app.conf.worker_concurrency = THREADS


@app.task(name="noop")
def noop(job: dict[str, Any]) -> float:  # noqa: ARG001
    """Do nothing, and tell when."""
    return time.time()
