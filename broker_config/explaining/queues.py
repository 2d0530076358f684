"""Why the runs of a queue wait: it is paused or at its limit, or its agents do not take them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from broker_config.explaining import fleet
from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import QueueFacts
from broker_config.explaining.wording import clock, count, span
from broker_config.queues import QueueRecord
from broker_config.runs import Run

HOLDERS = 10
"""Most runs that are named of those that hold a queue's slots."""


def explain(facts: QueueFacts, record: QueueRecord) -> Explanation:
    """How a queue stands: what keeps its runs back, the most decisive first."""
    causes = tuple(obstacles(facts))
    if record.draining:
        causes = (*causes, _draining(record))
    waiting, live = facts.waiting_count, facts.live_count
    numbers = f"{count(waiting, 'run')} {'waits' if waiting == 1 else 'wait'} and {live} {_are(live)} live"
    if not waiting:
        code, how = Code.QUEUE_IDLE, ", so nothing is kept back"
    elif not any(cause.code != Code.QUEUE_DRAINING for cause in causes):
        code, how = Code.QUEUE_MOVES, "; an agent takes the next one"
    else:
        code, how = Code.QUEUE_WAITS, ""
    return Explanation(
        code=code,
        text=f"Queue {facts.name!r}: {numbers}{how}.",
        command=f"launchyard runs -q {facts.name}" if waiting or live else "",
        causes=causes,
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def obstacles(facts: QueueFacts) -> Iterator[Explanation]:
    """What keeps every run of the queue back that waits in line."""
    record = facts.record
    if record is None:
        yield Explanation(
            code=Code.QUEUE_GONE,
            text=f"Queue {facts.name!r} does not exist any more.",
            next_action="Create it again, or cancel what waits on it.",
            command="launchyard queue list",
        )
        return
    if record.paused:
        yield _paused(record)
    limit = record.queue.max_running
    if limit is not None and facts.live_count >= limit:
        yield _at_limit(facts, limit)
    if (obstacle := fleet.obstacle(facts)) is not None:
        yield obstacle


def _paused(record: QueueRecord) -> Explanation:
    by = f" by {record.paused_by}" if record.paused_by else ""
    why = f": {record.pause_reason}" if record.pause_reason else "; no reason was given"
    return Explanation(
        code=Code.QUEUE_PAUSED,
        text=f"Queue {record.name!r} was paused{by}{why}.",
        since=record.paused_at,
        next_action="Resume it when that is over.",
        command=f"launchyard queue resume {record.name}",
    )


def _draining(record: QueueRecord) -> Explanation:
    why = f": {record.drain_reason}" if record.drain_reason else ""
    return Explanation(
        code=Code.QUEUE_DRAINING,
        text=f"Queue {record.name!r} takes no launches any more{why}; what it has goes on.",
        next_action="Launch on another queue, or have this one take launches again.",
        command=f"launchyard queue resume {record.name}",
    )


def _at_limit(facts: QueueFacts, limit: int) -> Explanation:
    return Explanation(
        code=Code.QUEUE_LIMIT,
        text=f"Queue {facts.name!r} runs {limit} at once, and {facts.live_count} {_are(facts.live_count)} live"
        f"{_by_author(facts.live)}.",
        next_action="Wait for one of them to end, cancel one, or have the limit raised.",
        command=f"launchyard queue edit {facts.name} --max-running {limit + 1}",
        causes=holders(facts.live, facts.at),
    )


def of_author(facts: QueueFacts, author: str) -> Explanation:
    """Why an author may not run one more."""
    limit = facts.record.queue.max_running_per_author if facts.record else None
    mine = [run for run in facts.live if run.spec.author == author]
    text = f"Each author runs {limit} at once on queue {facts.name!r}, and {author} has {len(mine)}."
    if limit is None or len(mine) < limit:
        text = f"{author} may run one more on queue {facts.name!r}; an agent gives it its order within a minute."
    return Explanation(
        code=Code.HELD_FOR_SLOT,
        text=text,
        next_action="Wait for one of them to end, cancel one, or have the limit raised.",
        command=f"launchyard runs -q {facts.name}",
        causes=holders(mine, facts.at),
    )


def _by_author(live: Sequence[Run]) -> str:
    authors = Counter(run.spec.author for run in live)
    told = [f"{author} has {number}" for author, number in authors.most_common(HOLDERS)]
    return f": {', '.join(told)}" if told else ""


def holders(live: Sequence[Run], at: datetime) -> tuple[Explanation, ...]:
    """The runs that hold slots, the longest held first."""
    return tuple(
        Explanation(
            code=Code.SLOT_HOLDER,
            text=f"Run {run.id} ({run.spec.name}) of {run.spec.author} is {run.state} for {span(at - run.since)}"
            f"{_until(run)}.",
            since=run.since,
            command=f"launchyard show {run.id}",
        )
        for run in live[:HOLDERS]
    )


def _until(run: Run) -> str:
    limit = run.spec.timeouts.run
    if limit is None or run.started_at is None:
        return ""
    return f", and is ended at the latest after {limit:g} s; it began at {clock(run.started_at)}"
