"""Limits of the server: how much one may ask, how often one may be wrong, how much one may send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from broker_config.accounts.people import NewApiKey
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import LARGEST_BODY, create_app

Browse = Callable[..., TestClient]


@pytest.fixture
def browse(settings: Settings) -> Iterator[Browse]:
    """Somebody's requests to one server, from an address."""
    with ExitStack() as stack:
        app = create_app(settings.model_copy(update={"requests_per_minute": 20}))

        def browse(key: str, address: str = "10.0.0.1") -> TestClient:
            headers = {"Authorization": f"Bearer {key}"}
            return stack.enter_context(TestClient(app, headers=headers, client=(address, 1)))

        yield browse


@pytest.fixture
def keys(store: Store) -> dict[str, str]:
    for name in ("alice", "bob"):
        store.accounts.add_user(name)
    return {name: str(store.accounts.add_key(NewApiKey(principal=name), "test")[1]) for name in ("alice", "bob")}


def test_who_asks_too_often_is_told_to_wait_and_others_go_on(browse: Browse, keys: dict[str, str]) -> None:
    # When somebody asks more often than may be
    alice = browse(keys["alice"])
    answers = [alice.get("/api/v1/runs") for _ in range(21)]
    # Then the last answer says for how long to wait
    assert [answer.status_code for answer in answers] == [*[200] * 20, 429]
    assert answers[-1].json()["code"] == "too-many-requests"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    # And nobody else has to
    assert browse(keys["bob"]).get("/api/v1/runs").status_code == 200


def test_a_key_is_guessed_ten_times_a_minute(browse: Browse, keys: dict[str, str], store: Store) -> None:
    # Given a program that goes on with a key that was revoked
    store.accounts.revoke_key(keys["alice"].split("_")[1])
    program = browse(keys["alice"])
    answers = [program.get("/api/v1/runs").status_code for _ in range(12)]
    # Then it is not even listened to after a while
    assert answers == [*[401] * 10, 429, 429]
    # And others at its address, and it from elsewhere, are
    assert browse(keys["bob"]).get("/api/v1/runs").status_code == 200
    assert browse(keys["alice"], "10.0.0.2").get("/api/v1/runs").status_code == 401


def test_the_page_counts_wrong_keys_too(browse: Browse, keys: dict[str, str]) -> None:
    page = browse("")
    del page.headers["Authorization"]
    answers = [page.post("/signin", data={"key": "ly_wrong"}).status_code for _ in range(12)]
    assert answers == [*[401] * 10, 429, 429]


@pytest.mark.parametrize("path", ["/api/v1/teams", "/signin", "/queues/check"])
def test_a_body_that_is_too_large_is_refused(browse: Browse, keys: dict[str, str], path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 65536 + 1):
            yield b"x" * 65536

    alice = browse(keys["alice"])
    assert alice.post(path, content=b"x" * (LARGEST_BODY + 1)).status_code == 413
    kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
    assert alice.post(path, content=chunks(), headers={"Content-Type": kind}).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"name":' * 5000 + "1" + "}" * 5000,
        '{"name": NaN}',
        '{"name": "\\ud800"}',
        '{"name": "a\\u0000b"}',
        '{"name": 1e999999}',
        '{"name": ' + "9" * 10_000 + "}",
        "\x00",
        "",
    ],
    ids=["deep list", "deep object", "NaN", "surrogate", "NUL", "huge float", "huge integer", "no text", "nothing"],
)
@pytest.mark.parametrize("path", ["/api/v1/teams", "/api/v1/queues", "/api/v1/launches"])
def test_a_document_that_is_none_is_one_clear_error(browse: Browse, keys: dict[str, str], path: str, body: str) -> None:
    answer = browse(keys["alice"]).post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_config_that_is_too_deep_is_refused(browse: Browse, store: Store) -> None:
    store.accounts.add_user("root", is_admin=True)
    _, secret = store.accounts.add_key(NewApiKey(principal="root"), "test")
    config: dict[str, object] = {}
    for _ in range(150):
        config = {"a": config}
    body = json.dumps({"name": "gpu", "resource": "stub", "config": config})
    answer = browse(str(secret)).post("/api/v1/queues", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-config")


@pytest.mark.parametrize(
    "place", ["audit?cursor=0-0", f"audit?cursor={'9' * 30}-1", f"runs?cursor={'9' * 40}-{'a' * 12}"]
)
def test_a_place_that_no_list_has_is_refused(browse: Browse, store: Store, place: str) -> None:
    store.accounts.add_user("root", is_admin=True)
    _, secret = store.accounts.add_key(NewApiKey(principal="root"), "test")
    assert browse(str(secret)).get(f"/api/v1/{place}").status_code == 422


def test_a_revision_that_no_queue_has_is_not_found(browse: Browse, store: Store) -> None:
    store.accounts.add_user("root", is_admin=True)
    _, secret = store.accounts.add_key(NewApiKey(principal="root"), "test")
    root = browse(str(secret))
    root.post("/api/v1/queues", json={"name": "gpu", "resource": "stub"})
    for number in ("0", "-1", "2", "9" * 30):
        assert root.get(f"/api/v1/queues/default/gpu/revisions/{number}").status_code == 404
        back = root.post("/api/v1/queues/default/gpu/roll-back", json={"revision": int(number)})
        assert back.status_code == 404


def test_who_has_signed_in_is_not_kept_out_by_wrong_keys_from_the_same_address(
    browse: Browse, keys: dict[str, str]
) -> None:
    # Given somebody who has signed in, and a program at the same address that shows what is no key at all
    page, program = browse(""), browse("nonsense")
    del page.headers["Authorization"]
    page.post("/signin", data={"key": keys["alice"]})
    for _ in range(12):
        program.get("/api/v1/runs")
    # Then only the program is told to wait
    assert program.get("/api/v1/runs").status_code == 429
    assert page.get("/runs").url.path == "/runs"
    assert page.get("/runs").status_code == 200
