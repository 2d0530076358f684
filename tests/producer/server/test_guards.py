"""What stands before every request: no other site acts for somebody, and browsers are told to be strict."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from broker_config.accounts.people import NewApiKey
from broker_config.settings import Settings
from broker_config.store import Store
from producer.server.app import create_app


@pytest.fixture
def browser(settings: Settings, store: Store) -> Iterator[TestClient]:
    """A browser of an admin who has signed in."""
    store.accounts.add_user("alice", is_admin=True)
    _, secret = store.accounts.add_key(NewApiKey(principal="alice"), "test")
    with TestClient(create_app(settings)) as browser:
        browser.headers["Authorization"] = f"Bearer {secret}"
        yield browser


@pytest.fixture
def signed_in(browser: TestClient) -> TestClient:
    key = browser.headers.pop("Authorization").removeprefix("Bearer ")
    browser.post("/signin", data={"key": key})
    assert browser.cookies
    return browser


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://testserver"}, 201),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_only_the_page_itself_changes_something_by_a_cookie(
    signed_in: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = signed_in.post("/api/v1/teams", json={"name": "team-a"}, headers=headers)
    assert answer.status_code == status


def test_who_shows_a_key_may_come_from_anywhere(browser: TestClient) -> None:
    answer = browser.post("/api/v1/teams", json={"name": "team-a"}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 201


def test_no_other_site_signs_somebody_in(browser: TestClient) -> None:
    key = browser.headers.pop("Authorization").removeprefix("Bearer ")
    answer = browser.post("/signin", data={"key": key}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, dict(browser.cookies)) == (403, {})


@pytest.mark.parametrize("path", ["/signin", "/", "/nothing", "/api/v1/queues", "/api/v1/nothing", "/static/page.js"])
def test_every_answer_tells_browsers_to_be_strict(browser: TestClient, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ("no-store" in headers.get("Cache-Control", "")) != path.startswith("/static/")


def test_what_the_api_has_not_is_told_as_the_api_tells_it(browser: TestClient) -> None:
    answer = browser.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
