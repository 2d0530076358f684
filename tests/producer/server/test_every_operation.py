"""Every operation of the API as everybody: who may do what to what a team has is written down here a second time.

The table of rights is not asked. An operation that has no row fails, so none is added without a decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest

from broker_config.accounts.rights import Role
from broker_config.connection import connect
from broker_config.embedded import EmbeddedBroker
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import create_app
from producer.server.serving import serving
from producer.wire import API
from tests.producer.server.stage import MARK, Stage

STRANGERS = ("b-viewer", "b-launcher", "b-owner", "team-b/nightly")
"""Whatever one is in another team, the answer is the same."""

KEYS: dict[str, dict[str, Any]] = {
    "vera": {},
    "leo": {},
    "team-a/nightly": {},
    "olga": {},
    "olga elsewhere": {"queues": ["team-a/elsewhere"]},
    "olga looking": {"most": Role.VIEWER},
    "root": {},
}
"""Of the team: who looks, who launches (the run is leo's), a program that launches, who owns it, the same by a key for
another queue of the team alone, and with a key for looking at most. The last one is an admin."""

TABLE = {
    # stranger, vera, leo, team-a/nightly, olga, olga elsewhere, olga looking, root
    "GET /queues": "200 200 200 200 200 200 200 200",
    "POST /queues": "404 403 403 403 201 403 403 201",
    "POST /queues/check-author": "404 403 403 403 204 403 403 204",
    "GET /queues/{entity}/{name}": "404 200 200 200 200 403 200 200",
    "PUT /queues/{entity}/{name}": "404 403 403 403 200 403 403 200",
    "DELETE /queues/{entity}/{name}": "404 403 403 403 204 403 403 204",
    "PATCH /queues/{entity}/{name}/standing": "404 403 403 403 200 403 403 200",
    "GET /queues/{entity}/{name}/waiting": "404 200 200 200 200 403 200 200",
    "GET /queues/{entity}/{name}/revisions": "404 200 200 200 200 403 200 200",
    "GET /queues/{entity}/{name}/revisions/{number}": "404 200 200 200 200 403 200 200",
    "POST /queues/{entity}/{name}/roll-back": "404 403 403 403 200 403 403 200",
    "POST /launches": "404 403 201 201 201 403 403 201",
    "POST /launches/check": "404 403 204 204 204 403 403 204",
    "POST /launches/spec": "404 403 200 200 200 403 403 200",
    "POST /plans": "404 403 200 200 200 403 403 200",
    "POST /plans/launch": "404 403 409 409 409 403 403 409",  # the plan is of an older revision
    "GET /runs": "200 200 200 200 200 200 200 200",
    "GET /runs/{prefix}": "404 200 200 200 200 404 200 200",
    "POST /runs/{run_id}/cancel": "404 403 200 403 200 404 403 200",
    "PUT /runs/{run_id}/priority": "404 403 200 403 200 404 403 200",
    "GET /runs/{run_id}/events": "404 200 200 200 200 404 200 200",
    "GET /runs/{run_id}/log": "404 200 200 200 200 404 200 200",
    "GET /runs/{run_id}/news": "404 200 200 200 200 404 200 200",
    "GET /runs/{run_id}/stream": "404 200 200 200 200 404 200 200",
    "GET /live-runs": "200 200 200 200 200 200 200 200",
    "GET /stream": "200 200 200 200 200 200 200 200",
    "GET /runs/{run_id}/explanation": "404 200 200 200 200 404 200 200",
    "GET /queues/{entity}/{name}/explanation": "404 200 200 200 200 403 200 200",
    "GET /agents/{name}/explanation": "200 200 200 200 200 200 200 200",
    "GET /agents": "200 200 200 200 200 200 200 200",
    "PUT /agents/{name}/wish": "403 403 403 403 403 403 403 200",
    "GET /orphans": "200 200 200 200 200 200 200 200",
    "DELETE /orphans/{name}": "403 403 403 403 403 403 403 204",
    "GET /images": "200 200 200 200 200 200 200 200",
    "GET /images/find": "200 200 200 200 200 200 200 200",
    "GET /images/removals": "200 200 200 200 200 200 200 200",
    "DELETE /images/{image_id}": "403 403 403 403 403 403 403 204",
    "GET /jobs": "200 200 200 200 200 200 200 200",
    "POST /jobs": "403 403 201 201 201 403 403 201",
    "GET /jobs/{entity}/{name}": "404 200 200 200 200 200 200 200",
    "GET /jobs/{entity}/{name}/{alias}": "404 200 200 200 200 200 200 200",
    "GET /code": "403 403 403 403 403 403 403 200",  # who knows a digest can launch that code
    "DELETE /code": "403 403 403 403 403 403 403 200",
    "GET /code/{digest}": "200 200 200 200 200 200 403 200",
    "PUT /code/{digest}": "201 201 201 201 201 201 403 201",  # users launch on queues of their own at least
    "GET /users": "200 200 200 200 200 200 200 200",
    "POST /users": "403 403 403 403 403 403 403 201",
    "PUT /users/{name}/admin": "403 403 403 403 403 403 403 200",
    "PUT /users/{name}/subject": "403 403 403 403 403 403 403 200",
    "GET /teams": "200 200 200 200 200 200 200 200",
    "POST /teams": "403 403 403 403 403 403 403 201",
    "PUT /teams/{team}/members/{user}": "403 403 403 403 200 403 403 200",
    "GET /service-accounts": "200 200 200 200 200 200 200 200",
    "POST /teams/{team}/service-accounts": "403 403 403 403 201 403 403 201",
    "GET /keys": "200 200 200 200 200 200 200 200",
    "POST /keys": "403 403 403 403 201 403 403 201",
    "POST /keys/{key_id}/revoke": "404 404 404 404 200 404 404 200",
    "GET /audit": "403 403 403 403 403 403 403 200",
}

CHANGES_NOTHING = {
    "POST /queues/check-author",
    "POST /launches/check",
    "POST /launches/spec",
    "POST /plans",
    "PUT /code/{digest}",  # which nobody needs before a launch does, and that one is written down
}
"""All others that are no GET are in the audit trail."""


@pytest.fixture(scope="module")
def stage(broker: EmbeddedBroker) -> Iterator[Stage]:
    """One for all of them: each request has a scene of its own."""
    with TemporaryDirectory() as home:
        settings = Settings(home=Path(home), broker_url=broker.url)
        with closing(connect(settings)) as client:
            client.flushall()
        with (
            closing(Store(settings)) as store,
            serving(create_app(settings)) as url,
            httpx2.Client(base_url=url, timeout=60) as server,
        ):
            yield Stage(settings, store, server)


def test_every_operation_has_its_row(stage: Stage) -> None:
    paths = {path.removeprefix(API): methods for path, methods in stage.openapi()["paths"].items()}
    assert {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods} == set(TABLE)


@pytest.mark.parametrize("operation", TABLE)
def test_everybody_is_answered_as_the_table_says(stage: Stage, operation: str) -> None:
    # When everybody asks for the same
    stranger, *others = map(int, TABLE[operation].split())
    of_team = {who: stage.ask(operation, who.split()[0], limits) for who, limits in KEYS.items()}
    strangers = {who: stage.ask(operation, who, {}) for who in STRANGERS}
    nobody = stage.ask(operation, "nobody", None)

    # Then each gets that answer
    assert {who: answer.status for who, answer in of_team.items()} == dict(zip(KEYS, others, strict=True))
    assert {who: answer.status for who, answer in strangers.items()} == dict.fromkeys(STRANGERS, stranger)
    assert nobody.status == 401

    # And who is not of the team reads nothing of what it has
    assert [who for who, answer in strangers.items() if MARK in answer.text] == []

    # And what was done, and nothing else, is in the audit trail
    is_change = not operation.startswith("GET") and operation not in CHANGES_NOTHING
    for answer in (*of_team.values(), *strangers.values(), nobody):
        assert answer.is_written_down == (is_change and answer.status < 300)
