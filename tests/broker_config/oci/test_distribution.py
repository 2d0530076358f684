"""Which image a name stands for, with registries that fail in the ways that registries do."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from broker_config.errors import ConfigError, TemporaryError
from broker_config.oci import answers
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login
from tests.broker_config.oci.scripted import CUT, Asked, Say, Scripted, scripted

DIGEST = "sha256:" + "d" * 64
FOUND = Say(200, {"Docker-Content-Digest": DIGEST})
BASIC = Say(401, {"WWW-Authenticate": 'Basic realm="a registry, of tests"'})
LOGIN = Login("agent", "secret")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not wait for a registry to recover."""
    monkeypatch.setattr(answers, "PAUSES_SECONDS", (0.0, 0.0))


def repository(server: Scripted, login: Login | None = None) -> Distribution:
    return Distribution(f"{server.address}/team/jobs", lambda: login, "log in")


@pytest.mark.parametrize("fault", [CUT, Say(503), Say(429), Say(500, body=b"half of", is_cut=True)])
def test_a_registry_that_fails_twice_is_asked_a_third_time(fault: Say) -> None:
    with scripted(fault, fault, FOUND) as server:
        assert repository(server).digest("v1") == DIGEST
    assert len(server.asked) == 3


@pytest.mark.parametrize("fault", [CUT, Say(503), Say(429)])
def test_a_registry_that_goes_on_failing_is_left_for_later(fault: Say) -> None:
    with scripted(fault) as server, pytest.raises(TemporaryError, match=server.address):
        repository(server).digest("v1")
    assert len(server.asked) == 3


def test_a_registry_that_wants_to_be_left_alone_is_not_asked_again_before() -> None:
    # Given
    with scripted(Say(429, {"Retry-After": "120"})) as server, pytest.raises(TemporaryError) as failed:
        repository(server).digest("v1")
    # Then
    assert len(server.asked) == 1
    assert failed.value.delay_seconds == 120
    assert "is asked too often: HTTP 429; log in there with docker login" in str(failed.value)


def test_a_short_wish_is_waited_for() -> None:
    with scripted(Say(429, {"Retry-After": "1"}), FOUND) as server:
        began = time.monotonic()
        assert repository(server).digest("v1") == DIGEST
    assert time.monotonic() - began >= 1


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    # Given a registry that says no digest, so that the manifest is read
    half = Say(200, body=b"half", is_cut=True)
    # When / Then
    with scripted(Say(200), half) as server, pytest.raises(TemporaryError, match="does not answer"):
        repository(server).digest("v1")


def test_a_digest_that_the_registry_does_not_say_is_that_of_the_manifest() -> None:
    with scripted(Say(200), Say(200, body=b"{}")) as server:
        assert repository(server).digest("v1") == "sha256:" + hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("status", [403, 404])
def test_an_image_that_is_not_shown_is_none(status: int) -> None:
    with scripted(Say(status)) as server:
        assert repository(server).digest("v1") is None


def test_a_password_that_is_not_taken_is_tried_once() -> None:
    with scripted(BASIC) as server, pytest.raises(ConfigError, match="does not take the login: HTTP 401; log in"):
        repository(server, LOGIN).digest("v1")
    assert [asked.authorization for asked in server.asked] == [None, f"Basic {LOGIN.basic}"]


def test_a_registry_that_wants_a_login_where_there_is_none_says_so() -> None:
    with scripted(BASIC) as server, pytest.raises(ConfigError, match="wants a login, and there is none; log in"):
        repository(server).digest("v1")


def test_credentials_do_not_follow_a_registry_that_sends_us_elsewhere() -> None:
    with scripted(FOUND) as elsewhere:
        moved = Say(307, {"Location": f"http://{elsewhere.address}/v2/moved/manifests/v1"})
        with scripted(BASIC, moved) as server:
            assert repository(server, LOGIN).digest("v1") == DIGEST
    assert [(one.path, one.authorization) for one in elsewhere.asked] == [("/v2/moved/manifests/v1", None)]


def bearer(realm: str) -> Say:
    return Say(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="tests",error="invalid_token"'})


def token(text: str, seconds: float) -> Say:
    return Say(200, body=json.dumps({"token": text, "expires_in": seconds}).encode())


def test_a_token_is_used_again_until_it_ends() -> None:
    with scripted(token("first", 300)) as tokens:
        realm = f"http://{tokens.address}/token?of=tests"
        with scripted(bearer(realm), FOUND) as server:
            found = repository(server, LOGIN)
            for tag in ("v1", "v2", "v3"):
                assert found.digest(tag) == DIGEST
    asked = "/token?of=tests&service=tests&scope=repository%3Ateam%2Fjobs%3Apull"
    assert tokens.asked == [Asked("GET", asked, f"Basic {LOGIN.basic}")]
    assert [one.authorization for one in server.asked] == [None, *["Bearer first"] * 3]


def test_a_token_that_has_ended_is_not_sent() -> None:
    with scripted(token("first", 0), token("second", 300)) as tokens:
        realm = f"http://{tokens.address}/token"
        with scripted(bearer(realm), FOUND, bearer(realm), FOUND) as server:
            found = repository(server)
            assert [found.digest("v1"), found.digest("v2")] == [DIGEST, DIGEST]
    assert [one.authorization for one in server.asked] == [None, "Bearer first", None, "Bearer second"]


def test_a_token_that_is_refused_before_its_time_is_replaced_once() -> None:
    with scripted(token("first", 300), token("second", 300)) as tokens:
        realm = f"http://{tokens.address}/token"
        with scripted(bearer(realm), FOUND, bearer(realm), FOUND) as server:
            found = repository(server)
            assert [found.digest("v1"), found.digest("v2")] == [DIGEST, DIGEST]
    assert [one.authorization for one in server.asked] == [None, "Bearer first", "Bearer first", "Bearer second"]


def test_a_registry_that_takes_no_token_at_all_shows_nothing_and_ends_the_round() -> None:
    with scripted(token("any", 300)) as tokens, scripted(bearer(f"http://{tokens.address}/token")) as server:
        assert repository(server).digest("v1") is None
    assert len(server.asked) == 2
    assert len(tokens.asked) == 1


def test_a_login_is_not_sent_in_clear_to_where_a_registry_says() -> None:
    words = r"sent to 'http://tokens\.example\.com/token', without TLS"
    with scripted(bearer("http://tokens.example.com/token")) as server, pytest.raises(ConfigError, match=words):
        repository(server, LOGIN).digest("v1")
