"""Sessions at the page: how they begin and end, and that nobody has one by another way."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from broker_config.accounts.people import NewApiKey
from broker_config.accounts.rights import Role
from broker_config.store import Store
from tests.producer.server.page.conftest import key_of


def test_who_has_not_signed_in_comes_back_to_the_page_that_was_wanted(anybody: TestClient, key: str) -> None:
    # When somebody wants a page without a session
    answer = anybody.get("/runs?state=failed")
    # Then there is the page to sign in
    assert (answer.url.path, answer.status_code) == ("/signin", 200)
    # And behind it the one that was wanted
    answer = anybody.post("/signin", data={"key": key, "next": answer.url.params["next"]})
    assert str(answer.url).endswith("/runs?state=failed")


@pytest.mark.parametrize("wrong", ["", "ly_nonsense", "ly_aaaaaaaa_" + "b" * 38])
def test_a_key_that_is_none_begins_no_session(anybody: TestClient, key: str, wrong: str) -> None:
    answer = anybody.post("/signin", data={"key": wrong})
    assert (answer.status_code, "of no use" in answer.text) == (401, True)
    assert anybody.get("/").url.path == "/signin"


def test_a_session_ends_with_its_key(browser: TestClient, store: Store) -> None:
    # Given somebody who has signed in with a key
    assert browser.get("/").url.path == "/"
    # When the key is revoked
    ((found, _),) = store.accounts.api_keys()
    store.accounts.revoke_key(found.id)
    # Then the session is over
    assert browser.get("/").url.path == "/signin"


def test_a_session_can_do_no_more_than_its_key(anybody: TestClient, store: Store, gpu: str) -> None:
    # Given an admin who signs in with a key for viewers
    store.accounts.add_user("alice", is_admin=True)
    _, secret = store.accounts.add_key(NewApiKey(principal="alice", most=Role.VIEWER), "test")
    anybody.post("/signin", data={"key": str(secret)})
    # Then the page offers nothing else, and does nothing else
    assert "Pause" not in anybody.get("/queues/default/gpu").text
    assert anybody.post("/queues/default/gpu/standing", data={"action": "pause"}).status_code == 403


def test_signing_out_ends_the_session_itself(browser: TestClient) -> None:
    # Given the cookie of a session
    cookie = dict(browser.cookies)
    # When its owner signs out, and somebody else has the cookie
    browser.post("/signout")
    browser.cookies.update(cookie)
    # Then it is of no use
    assert browser.get("/").url.path == "/signin"


def test_signing_in_again_ends_the_session_before(browser: TestClient, key: str) -> None:
    earlier = dict(browser.cookies)
    browser.post("/signin", data={"key": key})
    browser.cookies.clear()
    browser.cookies.update(earlier)
    assert browser.get("/").url.path == "/signin"


def test_a_cookie_is_for_this_site_and_no_script(anybody: TestClient, key: str) -> None:
    cookie = anybody.post("/signin", data={"key": key}, follow_redirects=False).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_behind_tls_a_cookie_is_of_this_host_alone(anybody: TestClient, key: str) -> None:
    anybody.base_url = "https://testserver"  # type: ignore[assignment]
    answer = anybody.post("/signin", data={"key": key}, follow_redirects=False)
    assert answer.headers["set-cookie"].startswith("__Host-launchyard_session=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/a\nb"]
)
def test_signing_in_leads_to_no_other_site(anybody: TestClient, key: str, elsewhere: str) -> None:
    answer = anybody.post("/signin", data={"key": key, "next": elsewhere}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_link_signs_in_once_and_not_by_being_looked_at(anybody: TestClient, store: Store) -> None:
    # Given a link for somebody
    key_of(store, "bob")
    link = store.sessions.new_link("bob")
    # When it is looked at
    assert "Sign in as bob" in anybody.get("/signin", params={"link": link}).text
    assert anybody.get("/").url.path == "/signin"
    # And used
    assert anybody.post("/signin", data={"link": link}).url.path == "/"
    # Then it cannot be used again
    anybody.cookies.clear()
    assert "used already" in anybody.post("/signin", data={"link": link}).text
    assert anybody.get("/").url.path == "/signin"
