"""`launchyard demo`: a real training job from queue to result, on a machine with nothing prepared."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
from pathlib import Path

import click
import psutil

from broker_config.errors import Conflict, InvalidRequest
from broker_config.queues import Queue
from producer import readable
from producer.cli import documents, output
from producer.cli.exits import DETACHED, fate
from producer.cli.following import shown
from producer.cli.session import Session, json_option, pass_session
from producer.cli.up import shower
from producer.cli.yard import Yard
from producer.handle import LogLine, RunHandle
from producer.sources import LocalCode

_PACKAGE = Path(__file__).parents[1]

EXAMPLE_PLACES = (_PACKAGE / "demo" / "digits", _PACKAGE.parent / "examples" / "digits")
"""The example in an installed package, and in a checkout."""

CANCEL_TIMEOUT_SECONDS = 30.0

_ACCURACY = re.compile(r"accuracy: (\d\.\d+)")


@click.command()
@click.option("--docker", is_flag=True, help="Build an image and run it on Docker, instead of a process here.")
@click.option("--no-flower", is_flag=True, help="Do without Flower.")
@json_option
@pass_session
def demo(session: Session, docker: bool, no_flower: bool) -> None:
    """Train a classifier of handwritten digits through a queue, and say how good it is.

    Starts the embedded broker, an agent and Flower if they do not run, and stops what it started.
    """
    queue = Queue(name="demo-docker", resource="docker") if docker else Queue(name="demo", resource="local-process")
    tell = shower(session)
    # A SIGTERM ends the demo as Ctrl-C does: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Yard(session.settings, tell) as yard:
        yard.start_broker()
        _ensure_queue(session, queue)
        if not _is_served(session, queue.full_name):
            _start_agent(session, yard, queue.full_name)
        if not no_flower:
            yard.start_flower()
        handle = session.client.launch(
            queue=queue.full_name, source=LocalCode(_example()), entry_point=["python", "train.py"]
        )
        tell("run", f"{handle.id} is queued on {queue.full_name}")
        accuracy = _follow(session, yard, handle)
        session.client.close()
    _tell_result(session, handle, accuracy)


def _example() -> Path:
    for place in EXAMPLE_PLACES:
        if place.is_dir():
            return place
    raise InvalidRequest(f"the example is not there: {EXAMPLE_PLACES[0]}; install launchyard again")


def _ensure_queue(session: Session, queue: Queue) -> None:
    try:
        session.client.queues.create(queue)
    except Conflict:
        return
    shower(session)("queue", f"{queue.full_name} created, on resource {queue.resource}")


def _is_served(session: Session, queue: str) -> bool:
    """Whether an agent serves the queue. One that was killed here a moment ago still holds its lease."""
    return any(
        alive and queue in info.queues and (info.host != socket.gethostname() or psutil.pid_exists(info.pid))
        for info, alive in session.client.agents.list()
    )


def _start_agent(session: Session, yard: Yard, queue: str) -> None:
    agent = yard.start_agent(queue, [queue], max_jobs=1)
    yard.wait_for_agent(session.store, agent)
    shower(session)("agent", f"serves {queue} (pid {agent.pid})")


def _follow(session: Session, yard: Yard, handle: RunHandle) -> float | None:
    """Show the run until it has ended. Returns the accuracy that the job printed."""
    accuracy = None
    yard.on_end_of("agent", _interrupt)
    try:
        for item in shown(session, handle):
            if isinstance(item, LogLine) and (match := _ACCURACY.fullmatch(item.text)):
                accuracy = float(match[1])
    except KeyboardInterrupt:
        yard.check("agent")
        output.note(f"interrupted; cancelling run {handle.id}")
        handle.cancel().wait(CANCEL_TIMEOUT_SECONDS)
        sys.exit(DETACHED)
    finally:
        yard.on_end_of("agent", None)
    return accuracy


def _interrupt() -> None:
    # To the thread itself: a signal to the process may be taken by another one, and leave a blocking read blocking.
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


def _tell_result(session: Session, handle: RunHandle, accuracy: float | None) -> None:
    run = handle.run
    if session.as_json:
        output.line({"type": "demo", "accuracy": accuracy, "run": documents.run(run)})
    elif accuracy is not None:
        took = readable.age(run.spec.created_at, run.ended_at)
        click.echo(f"\n{click.style('accuracy', bold=True)} {accuracy:.4f}  (run {run.id} {run.state} after {took})")
    else:
        click.echo(f"\nrun {run.id} {run.state}: {run.text}", err=True)
    if not session.as_json:
        output.next_command(
            f"launchyard show {run.id}",
            "launchyard queue create my-queue --resource local-process && launchyard up",
        )
    sys.exit(fate(run))
