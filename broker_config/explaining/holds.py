"""What a queued run waits for before it stands in line: a time, other runs, or a place of its author's."""

from __future__ import annotations

from broker_config.explaining import queues
from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import RunFacts
from broker_config.explaining.reasons import own_reason
from broker_config.explaining.wording import clock, count, sentence, span
from broker_config.runs import Run, RunId
from broker_config.states import Hold, Reason, State


def explain(facts: RunFacts) -> Explanation:
    """The hold of a run that has one."""
    if facts.run.hold is Hold.RUNS:
        return _for_runs(facts)
    if facts.run.hold is Hold.SLOT:
        return queues.of_author(facts.queue, facts.run.spec.author)
    return _until_time(facts)


def _until_time(facts: RunFacts) -> Explanation:
    run, at = facts.run, facts.queue.at
    due = run.not_before or run.since
    if due <= at:
        return Explanation(
            code=Code.HOLD_IS_OVER,
            text="Its time has come; the next agent that looks gives it its order, within seconds.",
            since=due,
            next_action="Start an agent, if none is alive.",
            command="launchyard agents",
        )
    when = f"{clock(due)}, in {span(due - at)}"
    if run.reason in {Reason.RETRYING, Reason.PREEMPTED}:
        return Explanation(
            code=Code.RETRY_LATER,
            text=f"Attempt {run.attempt} begins at {when}.",
            since=run.since,
            command=f"launchyard logs {run.id}",
            causes=(own_reason(run),),
        )
    return Explanation(
        code=Code.HELD_UNTIL, text=f"Its launch said: not before {when}.", since=run.since, command=_cancel(run)
    )


def _for_runs(facts: RunFacts) -> Explanation:
    run = facts.run
    waits_for = dependencies(facts)
    text = f"It waits until {count(len(run.spec.after), 'run')} succeeded: {len(waits_for)} did not yet."
    if not waits_for:
        text = "All runs that it waited for have succeeded; an agent gives it its order within a minute."
    return Explanation(code=Code.HELD_FOR_RUNS, text=text, since=run.since, command=_cancel(run), causes=waits_for)


def _cancel(run: Run) -> str:
    return f"launchyard cancel {run.id}"


def dependencies(facts: RunFacts) -> tuple[Explanation, ...]:
    """The runs that it waits for and that have not succeeded; those that have ended, and so end it, come first."""
    ids = [one for one in facts.run.spec.after if not _has_succeeded(facts, one)]
    return tuple(_dependency(facts, one) for one in sorted(ids, key=lambda one: not _has_ended(facts, one)))


def _has_succeeded(facts: RunFacts, run_id: RunId) -> bool:
    other = facts.others.get(run_id)
    return other is not None and other.state is State.SUCCEEDED


def _has_ended(facts: RunFacts, run_id: RunId) -> bool:
    other = facts.others.get(run_id)
    return other is None or other.state.is_terminal


def _dependency(facts: RunFacts, run_id: RunId) -> Explanation:
    other = facts.others.get(run_id)
    if other is None:
        return Explanation(code=Code.DEPENDENCY, text=f"There is no record of run {run_id} any more.")
    if other.spec.queue.entity != facts.run.spec.queue.entity:
        # Who sees this run may not see that one: what is said of it follows from this one's waiting.
        how = "did not succeed" if other.state.is_terminal else "has not succeeded yet"
        return Explanation(code=Code.DEPENDENCY, text=f"Run {run_id}, of another team, {how}.")
    return Explanation(
        code=Code.DEPENDENCY,
        text=f"Run {other.id} ({other.spec.name}) is {other.state} for {span(facts.queue.at - other.since)}"
        f"{f': {sentence(other.text)}' if other.text else '.'}",
        since=other.since,
        command=f"launchyard explain {other.id}",
    )
