"""The Celery app that agents, Flower and `AsyncResult` share."""

from __future__ import annotations

from typing import Any

from celery import Celery

from broker_config import priorities, sentinels
from broker_config.connection import REPLY_TIMEOUT_SECONDS, broker_url, sentinel_options, tls_options
from broker_config.settings import Settings


def create_app(settings: Settings) -> Celery:
    """A Celery app for this broker, with everything that correctness needs pinned.

    Messages and results are JSON only. A message is acknowledged late and never prefetched, so that a late critical
    run overtakes everything that has not started. Producers do not need this: they write messages through the store.
    """
    found = sentinels.read(settings.broker_url)
    url = found.celery_url if found else broker_url(settings)
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
        # An agent outlives every broker; Celery's own limit would end it after an hour.
        broker_connection_max_retries=None,
        # A server that becomes a replica, or is full, answers with an error on a connection that still stands.
        broker_channel_error_retry=True,
        # Threads, because the watchers of all runs live in the worker's process.
        worker_pool="threads",
    )
    _set_transport(app, {"master_name": found.master, "sentinel_kwargs": sentinel_options(settings)} if found else {})
    if options := tls_options(settings):
        app.conf.update(broker_use_ssl=options, redis_backend_use_ssl=options)
    return app


def _set_transport(app: Celery, behind_sentinel: dict[str, Any]) -> None:
    app.conf.broker_transport_options = {
        "priority_steps": list(priorities.STEPS),
        "sep": priorities.SEPARATOR,
        "queue_order_strategy": "round_robin",
        # A network that drops packets silently must not hold an agent for ever.
        "socket_keepalive": True,
        "socket_timeout": REPLY_TIMEOUT_SECONDS,
        **behind_sentinel,
    }
    app.conf.result_backend_transport_options = behind_sentinel
