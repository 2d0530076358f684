"""`/metrics`: how an installation stands, in the words of Prometheus (its text format, version 0.0.4).

All of it is read of the broker at that moment, so any server answers for the whole installation, and one is scraped.
Whoever scrapes shows an API key, and is told what that key may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from broker_config.runs import now
from broker_config.store.agents import AgentInfo, Mode
from producer.installation import Installation
from producer.server.asking import Asked

router = APIRouter()

METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "launchyard_runs": ("Runs that are kept, by queue and state.", ("queue", "state")),
    "launchyard_oldest_wait_seconds": ("How long the run waits that has waited longest; 0: none does.", ("queue",)),
    "launchyard_queue_paused": ("Whether agents take no runs of the queue: 1 or 0.", ("queue",)),
    "launchyard_queue_max_running": ("Most live runs of a queue, where it has such a limit.", ("queue",)),
    "launchyard_agent_alive": ("Whether the agent's lease is alive: 1 or 0.", ("agent",)),
    "launchyard_agent_serving": ("Whether it takes runs: 0 while it is paused, draining or gone.", ("agent",)),
    "launchyard_agent_runs": ("Live runs that the agent holds.", ("agent",)),
    "launchyard_agent_max_jobs": ("Most runs that it holds at once; -1: no limit.", ("agent",)),
    "launchyard_agent_silent_seconds": ("Since its last heartbeat.", ("agent",)),
}
"""Each gauge with what it says, and its labels."""


@router.get("/metrics", include_in_schema=False)
def scrape(asked: Asked) -> Response:
    """The numbers of this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standing(asked))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Standing(Collector):
    """One reading."""

    def __init__(self, yard: Installation) -> None:
        self._yard = yard

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """What is read when somebody scrapes."""
        yield from _of_queues(self._yard)
        yield from _of_agents(self._yard.agents.list())


def _of_queues(yard: Installation) -> Iterator[GaugeMetricFamily]:
    runs = _gauge("launchyard_runs")
    waits = _gauge("launchyard_oldest_wait_seconds")
    paused = _gauge("launchyard_queue_paused")
    limits = _gauge("launchyard_queue_max_running")
    at = now()
    for record in yard.queues.list():
        counts, oldest = yard.queues.counts(record.name), yard.queues.oldest_wait(record.name)
        for state, count in counts.items():
            runs.add_metric([record.name, state], count)
        waits.add_metric([record.name], (at - oldest).total_seconds() if oldest else 0)
        paused.add_metric([record.name], record.paused)
        if record.queue.max_running is not None:
            limits.add_metric([record.name], record.queue.max_running)
    return iter((runs, waits, paused, limits))


def _of_agents(agents: Iterable[tuple[AgentInfo, bool]]) -> Iterator[GaugeMetricFamily]:
    alive = _gauge("launchyard_agent_alive")
    serving = _gauge("launchyard_agent_serving")
    live = _gauge("launchyard_agent_runs")
    most = _gauge("launchyard_agent_max_jobs")
    silence = _gauge("launchyard_agent_silent_seconds")
    at = now()
    for info, is_alive in agents:
        alive.add_metric([info.name], is_alive)
        serving.add_metric([info.name], is_alive and info.wish.mode is Mode.SERVING)
        live.add_metric([info.name], info.live)
        most.add_metric([info.name], info.max_jobs)
        silence.add_metric([info.name], (at - info.seen_at).total_seconds())
    return iter((alive, serving, live, most, silence))


def _gauge(name: str) -> GaugeMetricFamily:
    text, labels = METRICS[name]
    return GaugeMetricFamily(name, text, labels=labels)
