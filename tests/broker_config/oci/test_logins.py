"""The credentials of `docker login`."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.oci.logins import Login, docker_config, docker_login


def test_a_login_is_found_in_dockers_config_or_with_its_helper(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    helper = home / "docker-credential-fake"
    helper.write_text('#!/bin/sh\necho \'{"Username": "agent", "Secret": "from-helper"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    auth = base64.b64encode(b"agent:in-file").decode()
    config = {"auths": {"plain.example.com": {"auth": auth}}, "credHelpers": {"helped.example.com": "fake"}}
    (home / "config.json").write_text(json.dumps(config))

    # When / Then
    assert docker_login("plain.example.com") == Login("agent", "in-file")
    assert docker_login("helped.example.com") == Login("agent", "from-helper")
    assert docker_login("other.example.com") is None
    assert "in-file" not in repr(docker_login("plain.example.com"))


def test_an_identity_token_is_told_from_a_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given what `az acr login` and Docker's own helper leave
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    helper = home / "docker-credential-fake"
    helper.write_text('#!/bin/sh\necho \'{"Username": "<token>", "Secret": "of-helper"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    auths = {"a.example.com": {"identitytoken": "in-file"}}
    (home / "config.json").write_text(json.dumps({"auths": auths, "credHelpers": {"b.example.com": "fake"}}))
    # When
    in_file, of_helper = docker_login("a.example.com"), docker_login("b.example.com")
    # Then
    assert in_file == Login("<token>", "in-file", is_identity_token=True)
    assert of_helper == Login("<token>", "of-helper", is_identity_token=True)
    assert in_file.for_engine == {"identitytoken": "in-file"}


def test_a_store_that_has_no_login_leaves_the_files_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a store for all registries, which knows none
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    helper = home / "docker-credential-empty"
    helper.write_text("#!/bin/sh\necho credentials not found in native keychain\nexit 1\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    config = {**docker_config({"a.example.com": Login("agent", "in-file")}), "credsStore": "empty"}
    (home / "config.json").write_text(json.dumps(config))
    # When / Then
    assert docker_login("a.example.com") == Login("agent", "in-file")
    assert docker_login("b.example.com") is None


@pytest.mark.parametrize("name", ["https://registry.example.com", "https://registry.example.com/v2/"])
def test_a_registry_may_stand_in_dockers_config_with_its_url(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    (home / "config.json").write_text(json.dumps({"auths": {name: {"auth": Login("agent", "secret").basic}}}))
    assert docker_login("registry.example.com") == Login("agent", "secret")


def test_a_config_with_docker_hubs_login_has_it_under_dockers_name_for_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    login = Login("agent", "pass:word")
    # When
    config = docker_config({"docker.io": login})
    (home / "config.json").write_text(json.dumps(config))
    # Then
    assert [*config["auths"]] == ["https://index.docker.io/v1/"]
    assert docker_login("docker.io") == login


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 0", "gives no login"), ("echo '[\"secret\"]'", "gives no login"), (None, "does not answer")],
)
def test_a_helper_that_does_not_work_is_named_and_its_answer_is_not(
    script: str | None, words: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    if script is not None:
        (home / "docker-credential-broken").write_text(f"#!/bin/sh\n{script}\n")
        (home / "docker-credential-broken").chmod(0o755)
    (home / "config.json").write_text('{"credsStore": "broken"}')
    # When
    with pytest.raises(ConfigError, match=f"docker-credential-broken {words}") as failed:
        docker_login("registry.example.com")
    # Then
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"registry.example.com": 1}}'])
def test_a_config_of_docker_that_cannot_be_read_is_named(
    text: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(home))
    (home / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        docker_login("registry.example.com")
