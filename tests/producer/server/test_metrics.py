"""What Prometheus scrapes of a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from broker_config.accounts.people import NewApiKey
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app
from tests.producer.conftest import HandAgent

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def server(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as server:
        yield server


def scraped(server: TestClient, store: Store, name: str, *, is_admin: bool) -> Samples:
    """What somebody is told, by name and labels."""
    store.accounts.add_user(name, is_admin=is_admin)
    key = store.accounts.add_key(NewApiKey(principal=name), "test")[1]
    answer = server.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, "text/plain" in answer.headers["content-type"]) == (200, True)
    families = text_string_to_metric_families(answer.text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_runs_and_agents_are_counted_as_they_stand(
    server: TestClient, settings: Settings, store: Store, agent: HandAgent
) -> None:
    # Given a queue with a run that waits and one that runs, and a queue of another team
    with Client(settings) as yard:
        yard.queues.create(Queue(name="gpu", resource="stub", max_running=4))
        yard.queues.create(Queue(name="theirs", entity="team-b", resource="stub"))
        runs = [yard.launch(queue="gpu", source="team/train:1") for _ in range(2)]
        agent.start(runs[0].id)
        yard.queues.set_paused("gpu", True)

        # When an admin scrapes
        found = scraped(server, store, "prometheus", is_admin=True)

    # Then the numbers are those
    assert found["launchyard_runs", "gpu", "queued"] == 1
    assert found["launchyard_runs", "gpu", "running"] == 1
    assert 0 < found["launchyard_oldest_wait_seconds", "gpu"] < 60
    assert (found["launchyard_queue_paused", "gpu"], found["launchyard_queue_max_running", "gpu"]) == (1, 4)
    assert found["launchyard_runs", "team-b/theirs", "queued"] == 0

    # And somebody else is told nothing of what that one may not see
    assert not [key for key in scraped(server, store, "bob", is_admin=False) if "team-b/theirs" in key]


def test_nobody_scrapes_without_a_key(server: TestClient) -> None:
    assert server.get("/metrics").status_code == 401
