"""Where the agent is tied to Celery's worker: its start and stop, the gate, and the control commands."""

from __future__ import annotations

import logging
import threading
from functools import partial
from time import sleep
from types import MethodType
from typing import Any

from celery import bootsteps
from celery.bootsteps import RUN  # type: ignore[attr-defined]  # not in the stubs
from celery.platforms import EX_OK
from celery.worker import state as worker_state
from celery.worker.consumer import Consumer
from celery.worker.control import control_command
from redis.exceptions import NoPermissionError, ResponseError

from broker_config.errors import BrokerUnavailable, LaunchyardError
from broker_config.messages import RUN_TASK
from workers.agent import Agent
from workers.gate import Gate
from workers.requests import Ledger

logger = logging.getLogger(__name__)

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h
EVENT_PERIOD_SECONDS = 0.1
REFUSED_SECONDS = 2.0


class AgentConsumer(Consumer):
    """Celery's side of the broker: what it does when the broker answers with an error instead of an order.

    Celery connects anew at once, as the connection stands. That helps with a server that has become a replica.
    """

    gate: Gate | None = None
    """None until the agent has started."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        # Runs that are held go on, and are followed, when rights are changed under an agent.
        if isinstance(exc, NoPermissionError) and (self.gate is None or self.gate.is_idle):
            cure = "give the broker's user what `launchyard broker acl agent` says, for every queue of this agent"
            logger.critical("agent-refused: %s; %s", exc, cure)
            raise SystemExit(EXIT_CONFIG) from exc
        if isinstance(exc, ResponseError):
            # It needs somebody's help: memory, or the rights that were taken away.
            logger.warning("broker-refuses: %s", exc)
            sleep(REFUSED_SECONDS)
        super().on_connection_error_after_connected(exc)


class AgentStep(bootsteps.StartStopStep):
    """Starts the agent with the worker's first connection, and ties it to every later one."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        task = consumer.app.tasks[RUN_TASK]
        self._gate = Gate(task.config.max_jobs)
        self._ledger = task.ledger = Ledger(task, self._gate)
        self._agent = task.agent = Agent(task.settings, task.config, consumer.hostname, self._ledger, self._gate)
        self._started = False

    def start(self, consumer: Any) -> None:
        """The worker has connected, for the first time or again."""
        self._consumer = consumer
        self._ledger.reconnect(consumer.event_dispatcher)
        if not self._started:
            self._start_agent()
            consumer.gate = self._gate
        self._install_gate(consumer)
        self._batch_events(consumer)

    def stop(self, consumer: Any) -> None:
        """The worker lost its connection, or ends."""
        if self._started and consumer.blueprint.state != RUN:
            self._started = False
            self._agent.stop()

    def _start_agent(self) -> None:
        try:
            self._agent.start(self)
        except BrokerUnavailable as error:
            # For Celery a lost connection: it connects anew, and starts this step again.
            raise ConnectionError(str(error)) from error
        except LaunchyardError as error:
            logger.critical("agent-refused: %s", error)
            raise SystemExit(EXIT_CONFIG) from error
        self._started = True

    def _install_gate(self, consumer: Any) -> None:
        # As Celery's own `worker_disable_prefetch` does: the transport asks before each BRPOP. What is asked here
        # counts runs, and stands in front of the transport's own limit.
        qos = consumer.task_consumer.channel.qos
        of_transport = type(qos).can_consume
        gate, pool = self._gate, consumer.pool

        def can_consume(qos: Any) -> bool:
            return gate.is_open(pool.num_processes) and bool(of_transport(qos))

        qos.can_consume = MethodType(can_consume, qos)
        # Any callback makes the loop ask again.
        gate.wake = partial(consumer.hub.call_soon, bool)

    def _batch_events(self, consumer: Any) -> None:
        # Celery flushes its buffer of events with every turn of the loop, which costs a busy agent more than the runs.
        pending = threading.Event()

        def flush() -> None:
            pending.clear()
            consumer.event_dispatcher.flush()

        def flush_later() -> None:
            if not pending.is_set():
                pending.set()
                consumer.hub.call_soon(consumer.timer.call_after, EVENT_PERIOD_SECONDS, flush)

        consumer.event_dispatcher.on_send_buffered = flush_later

    def serve(self, queues: frozenset[str]) -> None:
        self._consumer.call_soon(serve_only, self._consumer, queues)

    def finish(self, reason: str) -> None:
        logger.info("agent-finished: %s", reason)
        worker_state.should_stop = EX_OK  # type: ignore[assignment]
        self._gate.wake()

    def abort(self, reason: str) -> None:
        logger.critical("agent-aborted: %s", reason)
        worker_state.should_stop = EXIT_CONFIG  # type: ignore[assignment]  # Celery's own exit code, None until set
        self._gate.wake()


def serve_only(consumer: Any, queues: frozenset[str]) -> None:
    """Have the worker consume from these queues and from no others.

    The worker's loop carries out what it was asked in any order, so what is asked is a whole and never a change.
    """
    served = frozenset(consumer.app.amqp.queues.consume_from)
    for queue in served - queues:
        consumer.cancel_task_queue(queue)
    for queue in queues - served:
        consumer.add_task_queue(queue)


@control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **_: Any) -> dict[str, str]:  # noqa: ARG001
    """Cancel runs. In place of Celery's own, which forgets with the worker's memory: this wish is on the record."""
    ids = [task_id] if isinstance(task_id, str) else list(task_id or [])
    for run_id in ids:
        state.app.tasks[RUN_TASK].agent.cancel(run_id, "revoke")
    return {"ok": f"runs {', '.join(ids)}: cancel requested"}
