"""The Celery app: what correctness rests on is pinned."""

from __future__ import annotations

import pytest
from kombu.exceptions import EncodeError

from broker_config.celery_app import create_app
from broker_config.settings import Settings


def test_what_correctness_rests_on_is_pinned(settings: Settings) -> None:
    # When
    conf = create_app(settings).conf

    # Then
    assert conf.accept_content == ["json"]
    assert (conf.task_serializer, conf.result_serializer) == ("json", "json")
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier, conf.worker_disable_prefetch) == (True, 1, True)
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.worker_pool == "threads"
    assert conf.broker_transport_options["priority_steps"] == [0, 1, 2, 3]
    assert conf.broker_transport_options["sep"] == ":"
    assert conf.broker_transport_options["queue_order_strategy"] == "round_robin"
    assert conf.result_expires == settings.retention_seconds


def test_two_apps_of_one_process_do_not_share_their_settings(settings: Settings) -> None:
    # Given
    other = settings.model_copy(update={"retention_seconds": 100})

    # Then
    assert create_app(other).conf.result_expires != create_app(settings).conf.result_expires


def test_what_json_cannot_hold_is_never_sent(settings: Settings) -> None:
    with pytest.raises(EncodeError):
        create_app(settings).send_task("x", args=[object()], queue="gpu-queue")


def test_without_tls_no_tls_option_is_set(settings: Settings) -> None:
    assert not create_app(settings).conf.broker_use_ssl
