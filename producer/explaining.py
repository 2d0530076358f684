"""What is read of the broker for an explanation."""

from __future__ import annotations

from collections.abc import Sequence

from broker_config import __version__
from broker_config.errors import NotFound
from broker_config.explaining import agents, queues, runs
from broker_config.explaining.explanation import Explanation
from broker_config.explaining.facts import AgentFacts, Fleet, QueueFacts, RunFacts
from broker_config.queues import QueueRecord
from broker_config.runs import Run, RunId, now
from broker_config.states import TERMINAL, Hold, State
from broker_config.store import Store
from broker_config.store.builds import AWAITS
from broker_config.store.logs import LogEntry
from producer.installation import Runs

LOOKED_AT = 10_000
"""Places in line that are counted, and live runs that are read."""

BATCHES, LINES, CHARACTERS = 20, 10, 500
"""Of a log: the newest batches that are read, and the last lines that are shown, each as far as that."""

_SHOWS_LOG = {State.BUILDING, *TERMINAL} - {State.SUCCEEDED}


class ExplanationsOnBroker:
    """See `producer.installation.Explanations`."""

    def __init__(self, store: Store, own_runs: Runs, author: str) -> None:
        """`own_runs` are those that the author may see."""
        self._store = store
        self._runs = own_runs
        self._queues = store.queues.for_author(author)

    def run(self, run_id: RunId) -> Explanation:
        run = self._runs.get(run_id)
        log = self._store.logs.newest(run_id, BATCHES) if run.state in _SHOWS_LOG else []
        build = _lines(log, "build")
        return runs.explain(
            RunFacts(
                run=run,
                queue=self._queue_facts(run.spec.queue.full_name, run),
                ahead=self._ahead(run),
                others={other.id: other for other in self._store.runs.get_many(run.spec.after)},
                events=[event for _, event in self._runs.events(run_id)],
                build_lines=build[-LINES:],
                awaited=next((line for line in reversed(build) if line.startswith(AWAITS)), ""),
                job_lines=_lines(log, "job")[-LINES:],
            )
        )

    def queue(self, name: str) -> Explanation:
        record = self._queues.get(name)
        return queues.explain(self._queue_facts(record.name), record)

    def agent(self, name: str) -> Explanation:
        info, is_alive = self._store.agents.get(name)
        closed = self._store.queues.closed(info.queues)
        waiting = sum(len(self._store.runs.waiting(queue, LOOKED_AT)) for queue in info.queues)
        return agents.explain(AgentFacts(now(), info, is_alive, __version__, waiting, closed))

    def _queue_facts(self, name: str, run: Run | None = None) -> QueueFacts:
        try:
            record: QueueRecord | None = self._queues.get(name)
        except NotFound:
            record = None
        fleet, counts = self._store.agents.list(), self._store.queues.counts(name)
        facts = QueueFacts(now(), name, fleet, record, counts)
        limit = record.queue.max_running if record else None
        is_full = limit is not None and facts.live_count >= limit
        if not is_full and not (run and run.hold is Hold.SLOT):
            return facts
        return QueueFacts(facts.at, name, fleet, record, counts, self._live(name, fleet))

    def _live(self, queue: str, fleet: Fleet) -> Sequence[Run]:
        serving = [info.name for info, _ in fleet if queue in info.queues]
        return [run for run in self._store.runs.held_by_any(serving, LOOKED_AT) if run.spec.queue.full_name == queue]

    def _ahead(self, run: Run) -> int | None:
        if run.state is not State.QUEUED or run.hold:
            return None
        ids = self._store.runs.waiting(run.spec.queue.full_name, LOOKED_AT)
        return ids.index(run.id) if run.id in ids else None


def _lines(log: Sequence[LogEntry], stream: str) -> list[str]:
    return [line[:CHARACTERS] for entry in log if entry.stream == stream for line in entry.lines]
