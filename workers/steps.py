"""Where the agent is tied to Celery's worker: its start and stop, the gate, and the control commands."""

from __future__ import annotations

import logging
import os
from types import MethodType
from typing import Any

from celery import bootsteps
from celery.exceptions import WorkerTerminate
from celery.worker import state as worker_state
from celery.worker.control import control_command

from broker_config.errors import LaunchyardError
from broker_config.messages import RUN_TASK
from workers.agent import Agent
from workers.config import AgentConfig
from workers.gate import Gate
from workers.requests import Ledger

logger = logging.getLogger(__name__)

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


class AgentStep(bootsteps.StartStopStep):
    """Starts the agent with the worker's first connection, and ties it to every later one."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        app = consumer.app
        config: AgentConfig = app.agent_config
        self._gate = Gate(config.max_jobs)
        task = app.tasks[RUN_TASK]
        self._ledger = task.ledger = Ledger(task, self._gate)
        self._agent = task.agent = Agent(app.settings, config, consumer.hostname, self._ledger, self._gate)
        self._started = False
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        os.set_blocking(self._wake_reader, False)
        self._gate.wake = self._wake

    def start(self, consumer: Any) -> None:
        """The worker has connected, for the first time or again."""
        self._consumer = consumer
        self._ledger.reconnect(consumer.event_dispatcher)
        if not self._started:
            self._start_agent()
        self._install_gate(consumer)
        consumer.hub.add_reader(self._wake_reader, self._drain_wakes)

    def stop(self, consumer: Any) -> None:
        """The worker lost its connection, or ends."""
        consumer.hub.remove(self._wake_reader)
        if self._started and consumer.blueprint.state != bootsteps.RUN:
            self._started = False
            self._agent.stop()

    terminate = stop

    def _start_agent(self) -> None:
        try:
            self._agent.start(self)
        except LaunchyardError as error:
            logger.critical("agent-refused: %s", error)
            worker_state.should_terminate = EXIT_CONFIG
            raise WorkerTerminate(EXIT_CONFIG) from error
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

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"!")
        except BlockingIOError:
            # The pipe is full of wakes that the loop has not seen yet.
            pass

    def _drain_wakes(self) -> None:
        os.read(self._wake_reader, 65536)

    def serve(self, queue: str) -> None:
        self._consumer.call_soon(self._consumer.add_task_queue, queue)
        self._wake()

    def cease(self, queue: str) -> None:
        self._consumer.call_soon(self._consumer.cancel_task_queue, queue)
        self._wake()

    def abort(self, reason: str) -> None:
        logger.critical("agent-aborted: %s", reason)
        worker_state.should_terminate = EXIT_CONFIG
        self._wake()


@control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **_: Any) -> dict[str, str]:  # noqa: ARG001
    """Cancel runs. In place of Celery's own, which forgets with the worker's memory: this wish is on the record."""
    ids = [task_id] if isinstance(task_id, str) else list(task_id or [])
    for run_id in ids:
        state.app.tasks[RUN_TASK].agent.cancel(run_id, "revoke")
    return {"ok": f"runs {', '.join(ids)}: cancel requested"}
