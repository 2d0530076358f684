"""Why a run is where it is: what keeps it in its queue, what holds it up on its way, or how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from broker_config.explaining import ends, fleet, holds, queues
from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import RunFacts
from broker_config.explaining.reasons import own_reason
from broker_config.explaining.wording import span
from broker_config.priorities import Priority
from broker_config.runs import Run
from broker_config.states import Reason, State


def explain(facts: RunFacts) -> Explanation:
    """The tree of reasons of a run."""
    run = facts.run
    if run.state is State.QUEUED:
        causes = tuple(_queued(facts))
    elif run.state.is_terminal:
        causes = tuple(ends.causes(facts))
    else:
        causes = tuple(_live(facts))
    return Explanation(code=Code(f"run-{run.state}"), text=_sentence(facts), since=run.since, causes=causes)


def _sentence(facts: RunFacts) -> str:
    run, queue = facts.run, facts.run.spec.queue.full_name
    attempt = f", in attempt {run.attempt}" if run.attempt > 1 else ""
    since = span(facts.queue.at - run.since)
    match run.state:
        case State.QUEUED:
            said = f"waits on queue {queue!r} for {since}"
        case State.SUCCEEDED | State.FAILED | State.CANCELLED | State.PREEMPTED:
            took = f" after {span(run.ended_at - run.started_at)}" if run.started_at and run.ended_at else ""
            said = f"{'was ' if run.state in _PASSIVE else 'has '}{run.state}{took}"
        case _:
            said = f"is {run.state} under agent {run.agent} for {since}"
    return f"Run {run.id} ({run.spec.name}) {said}{attempt}."


_PASSIVE = {State.CANCELLED, State.PREEMPTED}


def _queued(facts: RunFacts) -> Iterator[Explanation]:
    run = facts.run
    if run.hold:
        yield holds.explain(facts)
    blocking = list(queues.obstacles(facts.queue))
    yield from blocking
    if not run.hold:
        yield _in_line(facts, is_blocked=bool(blocking))
    yield from _queue_timeout(facts)
    yield from ends.earlier_attempt(facts)


def _in_line(facts: RunFacts, *, is_blocked: bool) -> Explanation:
    run, queue = facts.run, facts.queue
    if facts.ahead == 0 and not is_blocked:
        return fleet.unheard(queue, max(run.since, run.not_before or run.since)) or Explanation(
            code=Code.TAKEN_SOON, text="It is the first in line, and an agent has a place for it: it is taken at once."
        )
    if facts.ahead is None:
        place = f"It is far behind in line, among {queue.waiting_count} that wait"
    else:
        place = f"It is number {facts.ahead + 1} of {queue.waiting_count} that wait"
    if queue.record is None or not queue.record.queue.prioritization:
        return Explanation(code=Code.IN_LINE, text=f"{place}, by the time of the launch.", since=run.since)
    may_rise = run.priority is not Priority.CRITICAL and facts.ahead != 0
    return Explanation(
        code=Code.IN_LINE,
        text=f"{place}, by priority and then by the time of the launch; its priority is {run.priority.label}.",
        since=run.since,
        next_action="Wait, or have it given a higher priority." if may_rise else "",
        command=f"launchyard prioritize {run.id} {Priority(run.priority - 1).label}" if may_rise else "",
    )


def _live(facts: RunFacts) -> Iterator[Explanation]:
    run = facts.run
    if run.cancel_requested_by:
        yield Explanation(
            code=Code.CANCEL_WISH,
            text=f"{run.cancel_requested_by} asked to cancel it; it ends when its target has ended it.",
            since=next((event.at for event in facts.events if event.reason is Reason.CANCEL_REQUESTED), None),
        )
    lost = fleet.holder(facts.queue, run.agent)
    if lost is not None and run.reason is not Reason.CONTACT_LOST:
        yield lost
    own = own_reason(run)
    yield own.model_copy(update={"causes": (lost,)}) if lost and run.reason is Reason.CONTACT_LOST else own
    if run.state is State.BUILDING:
        yield _build(facts)
    yield from _limit(facts)


def _build(facts: RunFacts) -> Explanation:
    run, lines = facts.run, tuple(facts.build_lines)
    if facts.awaited:
        what = facts.awaited.removesuffix("; it says:")
        code, text = Code.BUILD_AWAITED, f"What another run wants too is built once: {what}."
    elif lines:
        code, text = Code.BUILD_PROGRESS, "This is what the build printed last."
    else:
        code, text = Code.BUILD_PROGRESS, "The build has printed nothing yet."
    return Explanation(code=code, text=text, command=f"launchyard logs -f {run.id}", lines=lines)


def _queue_timeout(facts: RunFacts) -> Iterator[Explanation]:
    run = facts.run
    if run.alarm is not None and run.spec.timeouts.queued is not None and not run.hold:
        yield _ends_in(run, "is not taken", "queue", run.alarm - facts.queue.at)


def _limit(facts: RunFacts) -> Iterator[Explanation]:
    run, limits, at = facts.run, facts.run.spec.timeouts, facts.queue.at
    began, limit, what = {
        State.BUILDING: (run.since, limits.build, "build"),
        State.SUBMITTING: (run.submitted_at, limits.start, "start"),
        State.STARTING: (run.submitted_at, limits.start, "start"),
        State.RUNNING: (run.started_at, limits.run, "run"),
    }.get(run.state, (None, None, ""))
    if began is not None and limit is not None:
        yield _ends_in(run, f"is still {run.state}", what, began + timedelta(seconds=limit) - at)


def _ends_in(run: Run, unless: str, what: str, left: timedelta) -> Explanation:
    limit = getattr(run.spec.timeouts, "queued" if what == "queue" else what)
    return Explanation(
        code=Code.TIME_LIMIT,
        text=f"If it {unless} in {span(left)}, it fails: its {what} timeout is {limit:g} s.",
    )
