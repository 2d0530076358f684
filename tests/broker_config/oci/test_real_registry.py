"""The same against the registry that most others are made of, with its passwords, its tokens and its TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.oci.answers import Transport
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import Login
from tests.certificates import make_certificates
from tests.docker_registry import LOGIN, docker_registry, put_index
from tests.token_server import token_server


def repository(host: str, login: Login | None, transport: Transport | None = None) -> Distribution:
    return Distribution(f"{host}/team/jobs", lambda: login, "log in", transport)


def test_images_are_found_behind_tls_and_a_password(home: Path) -> None:
    # Given
    made = make_certificates(home / "tls")
    transport = Transport(ca_file=made.authority)
    with docker_registry(home, made, has_password=True) as host:
        pushed = put_index(host, "team/jobs", "v1", transport, LOGIN)
        # When
        found = repository(host, LOGIN, transport)
        digests = [found.digest(reference) for reference in ("v1", pushed, "v2")]
        # Then
        assert digests == [pushed, pushed, None]
        assert found.check() == "takes images"
        assert found.check_pull() == "gives images"
        with pytest.raises(ConfigError, match="does not take the login: HTTP 401; log in"):
            repository(host, Login("agent", "wrong"), transport).digest("v1")


def test_an_authority_that_nobody_named_is_not_trusted(home: Path) -> None:
    # Given a registry of one authority, and an agent that knows another one
    made, other = make_certificates(home / "tls"), make_certificates(home / "other")
    words = r"certificate of registry .* is not trusted: .*; name its authority"
    with docker_registry(home, made) as host, pytest.raises(ConfigError, match=words):
        repository(host, None, Transport(ca_file=other.authority)).digest("v1")


def test_a_registry_without_tls_is_told_from_one_that_is_not_there(home: Path) -> None:
    made = make_certificates(home / "tls")
    with docker_registry(home) as host, pytest.raises(ConfigError, match=r"does not speak TLS; .*plain_http: true"):
        repository(host, None, Transport(ca_file=made.authority)).digest("v1")


@pytest.mark.parametrize(
    ("login", "only_posts", "how"),
    [
        (LOGIN, False, "GET"),
        (LOGIN, True, "password"),
        (Login("<token>", "long-lived", is_identity_token=True), False, "refresh_token"),
    ],
)
def test_tokens_are_had_in_all_three_ways(login: Login, only_posts: bool, how: str, home: Path) -> None:
    # Given
    with (
        token_server({LOGIN.user: LOGIN.password}, "long-lived") as tokens,
        docker_registry(home, tokens=tokens) as host,
    ):
        pushed = put_index(host, "team/jobs", "v1", Transport(), LOGIN)
        tokens.given.clear()
        tokens.only_posts = only_posts
        # When
        found = repository(host, login)
        digests = [found.digest(reference) for reference in ("v1", "v2", pushed)]
        check = found.check()
    # Then one token was enough for all that was read
    assert digests == [pushed, None, pushed]
    assert check == "takes images"
    assert tokens.given == [(how, f"repository:team/jobs:{actions}") for actions in ("pull", "pull,push")]


def test_a_wrong_password_is_told_in_the_words_of_who_gives_the_tokens(home: Path) -> None:
    words = r"gives no token: who are you\?; log in"
    with (
        token_server({"agent": "secret"}) as tokens,
        docker_registry(home, tokens=tokens) as host,
        pytest.raises(ConfigError, match=words),
    ):
        repository(host, Login("agent", "wrong")).digest("v1")
