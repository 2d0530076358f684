"""The Celery app of the agent: what `celery -A workers` finds.

celery -A workers worker -Q gpu-queue --max-jobs 5 --launch-config launch-config.yaml
celery -A workers flower
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from celery import Task
from celery.exceptions import SecurityWarning
from celery.signals import after_setup_logger, after_setup_task_logger, celeryd_after_setup, celeryd_init
from click import Choice, IntRange, Option

from broker_config.celery_app import create_app
from broker_config.errors import ConfigError, InvalidRequest
from broker_config.log_format import write_json
from broker_config.messages import RUN_TASK, decode
from broker_config.settings import Settings, load_settings
from workers.agent import Agent
from workers.config import AgentConfig, load_config
from workers.requests import Ledger
from workers.steps import AgentStep
from workers.subject import about_spec

logger = logging.getLogger(__name__)

THREADS = 8
"""Runs that are prepared and submitted at a time, unless `--concurrency` says otherwise."""


class RunTask(Task):  # type: ignore[type-arg]
    """The one task: an order to carry out a run."""

    name = RUN_TASK
    Request = "workers.requests:RunRequest"
    # The store writes results together with the record; a second delivery of an order must not change them.
    track_started = False
    ignore_result = True
    # A message that is not ours ends as a failed task, and is no fault that needs a traceback.
    throws = (InvalidRequest,)
    typing = False
    settings: Settings
    node: str = ""
    """The agent's name, as Celery has it."""
    config: AgentConfig
    notes: tuple[str, ...] = ()
    agent: Agent
    ledger: Ledger

    def run(self, spec: dict[str, Any], signature: str = "") -> None:
        try:
            order = decode(spec, signature)
        except InvalidRequest as error:
            logger.warning("order-refused: %s", error)
            raise
        with about_spec(order.spec):
            self.agent.take(order)


task = RunTask()
task.settings = load_settings()
app = create_app(task.settings)
# Flower asks for results through the current app.
app.set_default()
app.conf.worker_concurrency = THREADS
app.conf.worker_consumer = "workers.steps:AgentConsumer"
app.register_task(task)
# They would tell of orders what the agent tells of runs, and of every run that it "succeeded" when it was submitted.
for name in ("celery.app.trace", "celery.worker.strategy"):
    logging.getLogger(name).setLevel(logging.WARNING)
app.steps["consumer"].add(AgentStep)
# Celery warns of root because of pickle, which this app does not accept.
warnings.filterwarnings("ignore", category=SecurityWarning)
app.user_options["worker"].add(Option(["--max-jobs"], type=int, help="Most runs at once; -1: no limit."))
app.user_options["worker"].add(Option(["--launch-config"], help="Path of launch-config.yaml."))
app.user_options["worker"].add(Option(["--entity"], help="Serve queues of this entity only; an empty one: of any."))
app.user_options["worker"].add(Option(["--verbosity"], type=IntRange(0, 2), help="How much is logged."))
app.user_options["worker"].add(Option(["--log-format"], type=Choice(["text", "json"]), help="How it is logged."))


@celeryd_init.connect
def read_config(sender: str, conf: Any, options: dict[str, Any], **_: Any) -> None:
    """Read the agent's config before the worker sets itself up.

    Raises:
        SystemExit: with one sentence, when the config cannot work.
    """
    task.node = sender
    if options.get("log_format"):
        task.settings = task.settings.model_copy(update={"log_format": options["log_format"]})
    path = options.get("launch_config")
    try:
        loaded = load_config(
            Path(path) if path else None,
            task.settings.home,
            queues=options.get("queues") or None,
            **{key: options.get(key) for key in ("entity", "max_jobs", "verbosity")},
        )
        task.config, task.notes = loaded.config, loaded.notes
        if not task.config.queues:
            raise ConfigError("the agent has no queue to serve; name one with -Q, or list queues in launch-config.yaml")
        if conf.worker_pool != "threads":
            raise ConfigError("the agent runs on Celery's threads pool only; leave out --pool")
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error


@after_setup_logger.connect
@after_setup_task_logger.connect
def set_log_format(logger: logging.Logger, **_: Any) -> None:
    """Celery has set up its logging, which takes in ours."""
    if task.settings.log_format == "json":
        write_json(logger, agent=task.node)


@celeryd_after_setup.connect
def follow_config(**_: Any) -> None:
    """Serve the queues of the config, wherever it got them from, and say what its reader should know."""
    app.amqp.queues.select(list(task.config.queues))
    if task.config.verbosity == 2:
        logging.getLogger().setLevel(logging.DEBUG)
    # Only now does what is logged reach anybody.
    for note in task.notes:
        logger.warning("config-note: %s", note)
