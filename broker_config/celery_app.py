"""The Celery app that agents, Flower and `AsyncResult` share."""

from __future__ import annotations

from celery import Celery

from broker_config import priorities
from broker_config.connection import REPLY_TIMEOUT_SECONDS, broker_url, tls_options
from broker_config.settings import Settings


def create_app(settings: Settings) -> Celery:
    """A Celery app for this broker, with everything that correctness needs pinned.

    Messages and results are JSON only. A message is acknowledged late and never prefetched, so that a late critical
    run overtakes everything that has not started. Producers do not need this: they write messages through the store.
    """
    url = broker_url(settings)
    app = Celery("launchyard", broker=url, backend=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        result_expires=settings.retention_seconds,
        task_acks_late=True,
        task_track_started=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # Runs are detached from their messages, so a lost connection must not cancel or count them.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "priority_steps": list(priorities.STEPS),
            "sep": priorities.SEPARATOR,
            "queue_order_strategy": "round_robin",
            # A network that drops packets silently must not hold an agent for ever.
            "socket_keepalive": True,
            "socket_timeout": REPLY_TIMEOUT_SECONDS,
        },
        # Threads, because the watchers of all runs live in the worker's process.
        worker_pool="threads",
    )
    if options := tls_options(settings):
        app.conf.update(broker_use_ssl=options, redis_backend_use_ssl=options)
    return app
