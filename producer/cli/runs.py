"""`launchyard runs`, `show`, `logs`, `cancel` and `prioritize`: what became of launched jobs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click

from broker_config.images import ImageOrigin
from broker_config.priorities import parse_priority
from broker_config.runs import Event, Run
from broker_config.states import FailureClass, State
from broker_config.wanted import Wanted
from producer import phases, readable
from producer.cli import documents, output, pairs
from producer.cli.following import as_document, follow
from producer.cli.following import show as show_item
from producer.cli.job_fields import job_fields
from producer.cli.run_filters import filters, wanted_of
from producer.cli.session import Session, json_option, pass_session
from producer.handle import LogLine, RunHandle
from producer.phases import Phase
from producer.readable import source_text

BAR = 50
"""Characters that a whole run is wide."""


@click.command()
@filters
@click.option("--history", is_flag=True, help="Finished runs that have left the broker.")
@click.option("--limit", "-n", default=20, show_default=True, type=click.IntRange(min=1), help="Most runs to show.")
@json_option
@pass_session
def runs(session: Session, /, limit: int, history: bool, **given: Any) -> None:
    """List runs, newest first."""
    wanted = wanted_of(**given)
    if wanted.queue and not history:
        # A mistyped name is told. One of the history may be gone.
        session.client.queues.get(wanted.queue)
    handles = session.client.runs(history=history, **wanted.model_dump())
    found = [handle.run for handle in islice(handles, limit)]
    if session.as_json:
        output.document({"runs": [documents.run(run) for run in found]})
        return
    output.table(
        ("ID", "NAME", "QUEUE", "PRIORITY", "STATE", "SINCE", "AGE", "REASON"),
        [_row(run) for run in found],
        empty="There is no such run." if history or wanted != Wanted() else "There is no run yet.",
    )
    output.next_command(
        f"launchyard show {found[0].id}"
        if found
        else f"launchyard launch -q {wanted.queue or 'QUEUE'} -- python train.py"
    )


def _row(run: Run) -> tuple[str, ...]:
    spec = run.spec
    return (
        spec.id,
        spec.name,
        spec.queue.full_name,
        run.priority.label,
        run.state.value,
        readable.age(run.since),
        readable.age(spec.created_at),
        run.reason.value + (f" ({run.exit_code})" if run.exit_code else ""),
    )


@click.command()
@click.argument("run")
@click.option("--timeline", "in_phases", is_flag=True, help="Show how long it stayed in each state, as bars.")
@json_option
@pass_session
def show(session: Session, run: str, in_phases: bool) -> None:
    """Show all about a run. RUN is its id, or as much of it as is unique."""
    handle = session.client.run(run)
    events = handle.events()
    if session.as_json:
        output.document(documents.run_with_all(handle.run, events))
        return
    if in_phases:
        _bars(phases.of(events))
    else:
        output.fields(_fields(handle.run))
        click.echo()
        _events(events)
    output.next_command(*_useful(handle.run))


def _fields(run: Run) -> list[tuple[str, str]]:
    spec = run.spec
    return [
        ("run", f"{spec.id} ({spec.name})"),
        ("state", run.state.value),
        ("since", f"{output.clock(run.since)} ({readable.age(run.since)} ago)"),
        ("history", f"it left the broker at {output.clock(run.in_history_since)}" if run.in_history_since else ""),
        ("because", f"{run.reason}{f': {run.text}' if run.text else ''}"),
        ("failure", run.failure.value if run.failure else ""),
        ("exit code", "" if run.exit_code is None else str(run.exit_code)),
        ("cancel asked", run.cancel_requested_by),
        ("queue", f"{spec.queue.full_name} (resource {spec.queue.resource}, revision {spec.queue_revision})"),
        ("priority", run.priority.label),
        ("agent", run.agent),
        ("attempt", _attempt(run)),
        ("not before", output.clock(run.not_before) if run.hold and run.not_before else ""),
        ("after", ", ".join(spec.after)),
        ("launched", f"{output.clock(spec.created_at)} by {spec.author}"),
        ("took", readable.age(run.started_at, run.ended_at)),
        ("project", spec.project),
        ("job", spec.job_version),
        *job_fields(spec.job),
        ("pinned source", source_text(run.pinned_source) if run.pinned_source else ""),
        ("labels", pairs.to_yaml(spec.labels) if spec.labels else ""),
        ("variables", pairs.to_yaml(spec.template_values) if spec.template_values else ""),
        ("resource config", pairs.to_yaml(spec.resource_config) if spec.resource_config else ""),
        ("image", run.image),
        ("came by it", _origin(run)),
    ]


def _origin(run: Run) -> str:
    """How the run came by its image."""
    took = f" in {run.build_seconds:.1f} s" if run.build_seconds is not None else ""
    return {
        None: "",
        ImageOrigin.BUILT: f"built for it{took}",
        ImageOrigin.AWAITED: f"waited{took.replace(' in', '')} for another build of the same",
        ImageOrigin.REUSED: "it was there already",
        ImageOrigin.BASE: "a base image; the code and what it needs are brought in at the start",
    }[run.image_origin]


def _attempt(run: Run) -> str:
    """Which attempt it is, and after which failures; nothing for the first."""
    counts = {failure: run.retries(failure) for failure in FailureClass}
    told = ", ".join(f"{count} after {failure}" for failure, count in counts.items() if count)
    return f"{run.attempt} ({told})" if told else ""


def _events(events: list[Event]) -> None:
    rows = [(output.clock(event.at), event.new.value, event.reason.value, event.actor, event.text) for event in events]
    output.table(("TIME", "STATE", "REASON", "ACTOR", "TEXT"), rows, empty="Its events have expired.")


def _bars(found: Sequence[Phase]) -> None:
    rows = []
    for phase in found:
        first, width = round(phase.start * BAR / 1000), max(round(phase.width * BAR / 1000), 1)
        bar = " " * min(first, BAR - width) + "█" * width
        took = readable.age(phase.began_at, phase.ended_at)
        rows.append((phase.state.value, str(phase.attempt), output.clock(phase.began_at), took, bar))
    output.table(("PHASE", "ATTEMPT", "BEGAN", "TOOK", ""), rows, empty="Its events have expired.")


def _useful(run: Run) -> list[str]:
    explain = [f"launchyard explain {run.id}"] if run.state in {State.QUEUED, State.FAILED} else []
    if run.state.is_terminal:
        return [*explain, f"launchyard logs {run.id}"]
    return [*explain, f"launchyard logs -f {run.id}", f"launchyard cancel {run.id}"]


@click.command()
@click.argument("run")
@click.option("--follow", "-f", "follows", is_flag=True, help="Go on until the run has ended, and exit as it does.")
@click.option("--tail", "-n", type=click.IntRange(min=0), help="The last so many lines only.")
@json_option
@pass_session
def logs(session: Session, run: str, follows: bool, tail: int | None) -> None:
    """Show what a run's build and job printed."""
    handle = session.client.run(run)
    if follows:
        sys.exit(follow(session, handle))
    lines = list(handle.log_lines())
    shown = lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
    if session.as_json:
        output.document({"run": handle.id, "lines": [_log_document(line) for line in shown]})
        return
    if handle.run.in_history_since:
        output.note(f"run {handle.id} has left the broker; this is its log from the history")
    for line in shown:
        show_item(session, line)
    if not lines:
        output.note(f"run {handle.id} is {handle.run.state} and has printed nothing yet")
    output.next_command(*_after_logs(handle))


def _log_document(line: LogLine) -> dict[str, object]:
    return {key: value for key, value in as_document(line).items() if key != "type"}


def _after_logs(handle: RunHandle) -> list[str]:
    over = handle.run.state.is_terminal
    return [f"launchyard show {handle.id}" if over else f"launchyard logs -f {handle.id}"]


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@json_option
@pass_session
def cancel(session: Session, runs: tuple[str, ...]) -> None:
    """Cancel runs: queued ones at once, others as soon as their target has ended them."""
    # All names are looked up first, so that a mistyped one cancels nothing.
    handles = [session.client.run(run) for run in runs]
    cancelled = [handle.cancel() for handle in handles]
    if session.as_json:
        output.document({"runs": [documents.run(handle.run) for handle in cancelled]})
        return
    for handle in cancelled:
        run = handle.run
        outcome = f"has ended: {run.state}" if run.state.is_terminal else f"is {run.state} and was asked to end"
        click.echo(f"run {run.id} ({run.spec.name}) {outcome}")
    output.next_command(*(f"launchyard show {handle.id}" for handle in cancelled[:1]))


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.argument("priority")
@json_option
@pass_session
def prioritize(session: Session, runs: tuple[str, ...], priority: str) -> None:
    """Give queued runs another priority: critical, high, medium or low."""
    wanted = parse_priority(priority)
    handles = [session.client.run(run) for run in runs]
    changed = [handle.set_priority(wanted) for handle in handles]
    if session.as_json:
        output.document({"runs": [documents.run(handle.run) for handle in changed]})
        return
    for handle in changed:
        click.echo(f"run {handle.id} ({handle.name}) waits with the priority {handle.run.priority.label}")
    output.next_command(*(f"launchyard runs -q {handle.run.spec.queue.full_name}" for handle in changed[:1]))
