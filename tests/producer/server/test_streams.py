"""Server-sent events of a real server: a run's news, and that lists have changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from broker_config.queues import Queue
from broker_config.settings import Settings
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving
from tests.producer.conftest import HandAgent, known_as


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with serving(create_app(settings, known_as(settings.author))) as url:
        yield url


@pytest.fixture
def yard(settings: Settings) -> Iterator[Client]:
    with Client(settings) as client:
        client.queues.create(Queue(name="gpu", resource="stub"))
        yield client


@contextmanager
def events(url: str, path: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream, as they come."""
    with (
        httpx2.Client(base_url=url, timeout=30) as http,
        http.stream("GET", f"/api/v1{path}", headers=headers) as reply,
    ):
        assert reply.status_code == 200, reply.read()
        yield _events(reply.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    fields: dict[str, Any] = {}
    for line in lines:
        if not line and "event" in fields:
            yield {**fields, "data": json.loads(fields["data"])}
        if not line:
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_a_run_is_followed_to_its_end(url: str, yard: Client, agent: HandAgent) -> None:
    # Given a run of which a reader has seen that it waits
    run_id = yard.launch(queue="gpu", source="team/train:1").id
    with events(url, f"/runs/{run_id}/stream") as stream:
        assert next(stream)["data"]["event"]["new"] == "queued"

        # When it runs, prints and ends
        run = agent.start(run_id)
        agent.print(run, "first", "second")
        agent.finish(run)

        # Then all of that comes, in order, and then the stream ends
        seen = [*stream]
    kinds = [(one["event"], one["data"].get("event", {}).get("new")) for one in seen]
    assert kinds == [
        ("event", "claimed"),
        ("event", "running"),
        ("log", None),
        ("end", "succeeded"),
    ]
    assert seen[2]["data"]["lines"] == ["first", "second"]


def test_a_reader_who_comes_again_goes_on_where_it_was(url: str, yard: Client, agent: HandAgent) -> None:
    # Given a reader that has seen all of a run so far
    run_id = yard.launch(queue="gpu", source="team/train:1").id
    with events(url, f"/runs/{run_id}/stream") as stream:
        last = next(stream)["id"]

    # When it asks again, after more has happened
    agent.finish(agent.start(run_id))
    with events(url, f"/runs/{run_id}/stream", **{"Last-Event-ID": last}) as stream:
        seen = [one["data"].get("event", {}).get("new") for one in stream]

    # Then only that comes
    assert seen == ["claimed", "running", "succeeded"]


def test_a_place_that_is_none_is_refused(url: str, yard: Client) -> None:
    run_id = yard.launch(queue="gpu", source="team/train:1").id
    reply = httpx2.get(f"{url}/api/v1/runs/{run_id}/stream", params={"after": "yesterday"})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-request")


def test_a_run_that_there_is_not_has_no_stream(url: str, yard: Client) -> None:
    reply = httpx2.get(f"{url}/api/v1/runs/{'a' * 12}/stream")
    assert (reply.status_code, reply.json()["code"]) == (404, "not-found")


def test_lists_say_what_of_them_has_changed(url: str, yard: Client) -> None:
    with events(url, "/stream") as stream:
        assert next(stream)["data"] == []
        # When a run is launched
        yard.launch(queue="gpu", source="team/train:1")
        # Then runs have changed
        assert next(stream)["data"] == ["runs"]
        # When a queue is paused
        yard.queues.set_paused("gpu", True, "maintenance")
        # Then queues have
        assert next(stream)["data"] == ["queues"]


def test_two_hundred_readers_need_no_threads_of_their_own(url: str, yard: Client, agent: HandAgent) -> None:
    # Given two hundred readers of one run, all of whom have seen that it waits
    run_id = yard.launch(queue="gpu", source="team/train:1").id
    before, told = threading.active_count(), threading.Barrier(201, timeout=60)

    def read() -> list[str]:
        with events(url, f"/runs/{run_id}/stream") as stream:
            first = next(stream)["data"]["event"]["new"]
            told.wait()
            return [first, *(one["event"] for one in stream)]

    with ThreadPoolExecutor(200) as pool:
        readers = [pool.submit(read) for _ in range(200)]
        told.wait()

        # Then the server has some more threads than before, and not one for each
        own = threading.active_count() - 200 - before
        assert own < 60

        # When the run goes on and ends
        agent.finish(agent.start(run_id))

        # Then everybody hears of it
        for reader in readers:
            assert reader.result(60) == ["queued", "event", "event", "end"]
