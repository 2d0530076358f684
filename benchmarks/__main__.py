"""Measure, and print the table."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import pytest

from benchmarks import dispatch, enqueue, held_runs, images, imports, live_runs, managed_runs, pages
from benchmarks.stock import QUEUE as STOCK_QUEUE
from benchmarks.yard import QUEUE, worker, yard
from broker_config.celery_app import create_app
from broker_config.errors import ConfigError
from broker_config.store import Store
from producer import Client

STOCK_PRODUCER = "from celery import Celery; Celery(broker='redis://').pool"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `aim` is the ratio, or the value where there is no peer, that the project set itself."""

    what: str
    ours: str
    peer: str
    ratio: str
    aim: str


def main() -> None:
    """Run all measurements on one embedded broker, and those that need more where there is more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--live-runs", type=int, default=1000, help="on the stub, and on fake nodes of a cluster")
    parser.add_argument("--kept-runs", type=int, default=100_000, help="in the store, while the page is asked for")
    given = parser.parse_args()
    with yard() as client:
        rows = _enqueue(client)
    with yard() as client:
        rows += [*_dispatch(client), _imports()]
    _print("stock Celery", rows)
    with yard() as client:
        _print("", _held(client, given.live_runs))
    try:
        with images.lab() as lab:
            _print("docker buildx", _images(lab))
    except ConfigError as error:
        print(f"images are not measured: {error}")
    try:
        _print("client, one by one", _live(given.live_runs))
    except pytest.skip.Exception as missing:
        print(f"live runs are not measured: {missing}")
    with yard() as client:
        _print("W&B Launch", _managed(client))
    with yard() as client:
        _print("Flower", _pages(client, given.kept_runs))


def _print(peer: str, rows: list[Row]) -> None:
    widths = [max(len(getattr(row, name)) for row in rows) for name in Row.__dataclass_fields__]
    for row in [Row("measured", "Launchyard", peer, "ratio", "aim"), *rows]:
        cells = (getattr(row, name) for name in Row.__dataclass_fields__)
        print("  ".join(cell.ljust(max(width, 12)) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _enqueue(client: Client) -> list[Row]:
    stock = enqueue.stock_single(client, 1000)
    single, bulk = enqueue.ours_single(client, 1000), enqueue.ours_bulk(client, 5000)
    peer = f"{stock:,.0f}/s"
    return [
        Row("enqueue one by one, record included", f"{single:,.0f}/s", peer, f"{single / stock:.1f}x", "3x"),
        Row("enqueue in bulk, record included", f"{bulk:,.0f}/s", peer, f"{bulk / stock:.1f}x", "12x"),
    ]


def _dispatch(client: Client) -> list[Row]:
    app = create_app(client.settings)
    stock_rate = dispatch.stock_throughput(client, app, 2000)
    with worker(client, "benchmarks.stock", "-Q", STOCK_QUEUE, "-n", "stock@bench"):
        stock_ms = dispatch.stock_latency(app, 40)
    with worker(client, "workers", "-Q", QUEUE, "--max-jobs", "-1", "-n", "agent@bench"):
        rate, ms = dispatch.ours_throughput(client, 2000), dispatch.ours_latency(client, 40)
    return [
        Row("idle: enqueue to submit", f"{ms:.1f} ms", f"{stock_ms:.1f} ms", f"{ms / stock_ms:.1f}x", "10 ms"),
        Row("busy: no-op runs a second", f"{rate:,.0f}/s", f"{stock_rate:,.0f}/s", f"{rate / stock_rate:.2f}x", "0.5x"),
    ]


def _imports() -> Row:
    ours, stock = imports.milliseconds("from producer import launch"), imports.milliseconds(STOCK_PRODUCER)
    return Row("import of the producer, CPU", f"{ours:.0f} ms", f"{stock:.0f} ms", f"{ours / stock:.1f}x", "150 ms")


def _images(lab: images.Lab) -> list[Row]:
    measured = [
        ("image is there: hash, key and look", images.unchanged(lab), "5x"),
        ("image after an edit of the code", images.after_an_edit(lab), "3x"),
        ("image after a new requirement", images.after_a_requirement(lab), ""),
    ]
    return [
        Row(what, f"{ours * 1000:,.0f} ms", f"{peer * 1000:,.0f} ms", f"{peer / ours:.1f}x", aim)
        for what, (ours, peer), aim in measured
    ]


def _held(client: Client, runs: int) -> list[Row]:
    cost = held_runs.held(client, runs)
    what = f"an agent with {runs:,} live runs"
    return [
        Row(f"{what}: memory of each", f"{cost.kib_per_run:.1f} KiB", "", "", "20 KB"),
        Row(f"{what}: broker commands a minute", f"{cost.broker_calls_per_minute:,.0f}", "", "", ""),
        Row(f"{what}: CPU", f"{cost.cpu_percent:.1f} %", "", "", ""),
    ]


def _live(runs: int) -> list[Row]:
    cost = live_runs.cost(runs)
    submits, peers = cost.submits_per_second, cost.peers_per_second
    what = f"{runs:,} live runs"
    return [
        Row("Jobs made a second, eight threads", f"{submits:.0f}/s", f"{peers:.0f}/s", f"{submits / peers:.1f}x", ""),
        Row(f"{what}: memory of each", f"{cost.kib_per_run:.1f} KiB", "", "", "20 KB"),
        Row(f"{what}: API calls a minute", f"{cost.calls_per_minute:.0f}", "", "", "no more than one has"),
        Row(f"{what}: CPU", f"{cost.cpu_percent:.2f} %", "", "", ""),
    ]


def _managed(client: Client) -> list[Row]:
    counts = {"SageMaker": managed_runs.calls_per_minute, "Vertex AI": managed_runs.vertex_calls_per_minute}
    rows = []
    for platform, count in counts.items():
        for runs in (1, 100, 1000):
            ours, peer = count(runs), managed_runs.CALLS_OF_WANDB * runs
            what = f"{platform}, live runs {runs:,}: calls a minute"
            rows.append(Row(what, f"{ours:.0f}", f"{peer:,}", f"{ours / peer:.4f}x", "no more than one has"))
    store = Store(client.settings)
    for agents in (1, 5):
        ours, peer = managed_runs.calls_per_minute_of_agents(store, agents), managed_runs.CALLS_OF_WANDB * agents
        what = f"SageMaker, agents with a run each {agents}: calls a minute"
        rows.append(Row(what, f"{ours:.0f}", f"{peer:,}", f"{ours / peer:.4f}x", "as one has"))
    store.close()
    return rows


def _pages(client: Client, runs: int) -> list[Row]:
    ours, flowers = pages.times(client, runs)
    rows = []
    for name, taken in ours.items():
        peer = flowers.get(name)
        peers = (f"{peer:,.0f} ms", f"{taken / peer:.2f}x") if peer else ("", "")
        rows.append(Row(f"{runs:,} runs: page of {name}", f"{taken:,.0f} ms", *peers, "300 ms"))
    return rows


if __name__ == "__main__":
    main()
