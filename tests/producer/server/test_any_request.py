"""Requests of every kind that the OpenAPI document allows, and of some that it does not: none makes the server fault.

`LAUNCHYARD_TEST_REQUESTS=20000` sends so many; CI sends fewer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import Case, GenerationMode

from broker_config.accounts.people import NewApiKey
from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.store import Store
from producer import Client
from producer.server.app import create_app
from producer.server.serving import serving

REQUESTS = int(os.environ.get("LAUNCHYARD_TEST_REQUESTS", "600"))


class Served(NamedTuple):
    """A server with something in it."""

    url: str
    keys: dict[str, str]  # of an admin, and of somebody who may only launch
    names: dict[str, list[str]]  # what there is, by the name of the parameter in the path


@pytest.fixture(scope="module")
def served(broker: EmbeddedBroker) -> Iterator[Served]:
    with TemporaryDirectory() as home:
        its = Settings(home=Path(home), broker_url=broker.url, requests_per_minute=1_000_000)
        with closing(connect(its)) as client:
            client.flushall()
        with closing(Store(its)) as store, Client(its) as yard, serving(create_app(its)) as url:
            keys = {}
            for name in ("alice", "bob"):
                store.accounts.add_user(name, is_admin=name == "alice")
                keys[name] = str(store.accounts.add_key(NewApiKey(principal=name), "test")[1])
            store.accounts.add_team("team-a")
            yard.queues.create(Queue(name="gpu", resource="stub", prioritization=True))
            runs = [yard.launch(queue="gpu", source="team/train:1").id for _ in range(5)]
            names = {
                "name": ["gpu", "alice"],
                "entity": ["default"],
                "run_id": runs,
                "prefix": runs,
                "team": ["team-a"],
            }
            yield Served(url, keys, names)


def _document() -> dict[str, Any]:
    with TemporaryDirectory() as home:
        return create_app(Settings(home=Path(home), broker_url="redis://127.0.0.1:1")).openapi()


DOCUMENT = _document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)

OPERATIONS = {
    f"{method.upper()} {path}": (path, method)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    # A stream has no end.
    if not path.endswith("/stream")
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_makes_the_server_fault(served: Served, operation: str) -> None:
    path, method = OPERATIONS[operation]
    strategy = SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE) | SCHEMA[path][
        method
    ].as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @given(case=strategy, data=strategies.data())
    @settings(
        max_examples=max(REQUESTS // len(OPERATIONS), 5),
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
        database=None,
    )
    def ask(case: Case, data: Any) -> None:
        # What the document allows rarely names what there is.
        for parameter, there in served.names.items():
            if parameter in (case.path_parameters or {}) and data.draw(strategies.booleans()):
                case.path_parameters[parameter] = data.draw(strategies.sampled_from(there))
        key = served.keys[data.draw(strategies.sampled_from(["alice", "bob"]))]
        reply = case.call(base_url=served.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert reply.status_code < 500, (case.as_curl_command(), reply.text)
        if reply.status_code >= 400:
            assert reply.headers["content-type"][0] == "application/problem+json", reply.text

    ask()
