"""How a run ended, or an attempt of it: its reason, its exit code, and what was printed last."""

from __future__ import annotations

from collections.abc import Iterator

from broker_config.explaining import holds
from broker_config.explaining.exit_codes import meaning
from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import RunFacts
from broker_config.explaining.reasons import ADVICE, own_reason
from broker_config.explaining.wording import sentence
from broker_config.runs import Run
from broker_config.states import FailureClass, Reason, State

_OF_ATTEMPTS = frozenset({Reason.RETRYING, Reason.REQUEUED, Reason.PREEMPTED})


def causes(facts: RunFacts) -> Iterator[Explanation]:
    """Why a run ended as it did."""
    run = facts.run
    if run.state is State.SUCCEEDED:
        return
    own = own_reason(run)
    if run.reason is Reason.DEPENDENCY_FAILED:
        own = own.model_copy(update={"causes": holds.dependencies(facts)})
    yield own
    if run.exit_code:
        yield _exit_code(run)
    yield from _retries(run)
    yield from _last_lines(facts)


def _exit_code(run: Run) -> Explanation:
    code = run.exit_code or 0
    said = meaning(code)
    what = f"which usually means: {said}" if said else "whose meaning the job itself decides"
    return Explanation(
        code=Code.EXIT_CODE, text=f"The job's exit code was {code}, {what}.", command=f"launchyard logs {run.id}"
    )


def _retries(run: Run) -> Iterator[Explanation]:
    used = {failure: run.retries(failure) for failure in FailureClass}
    told = [f"{number} after {failure}" for failure, number in used.items() if number]
    if told:
        yield Explanation(
            code=Code.EARLIER_ATTEMPT,
            text=f"It was attempt {run.attempt}; retries were made: {', '.join(told)}.",
            command=f"launchyard show {run.id}",
        )


def earlier_attempt(facts: RunFacts) -> Iterator[Explanation]:
    """Why an attempt before this one ended, where the record does not say so any more."""
    run = facts.run
    last = next((event for event in reversed(facts.events) if event.reason in _OF_ATTEMPTS), None)
    if last is not None and run.reason not in _OF_ATTEMPTS:
        yield Explanation(
            code=Code.EARLIER_ATTEMPT,
            text=sentence(last.text) or ADVICE[last.reason].meaning,
            since=last.at,
            command=f"launchyard show {run.id}",
        )


def _last_lines(facts: RunFacts) -> Iterator[Explanation]:
    run = facts.run
    is_build = not facts.job_lines
    lines = tuple(facts.build_lines if is_build else facts.job_lines)
    if lines:
        yield Explanation(
            code=Code.LAST_LINES,
            text=f"The last of what its {'build' if is_build else 'job'} printed:",
            command=f"launchyard logs {run.id}",
            lines=lines,
        )
