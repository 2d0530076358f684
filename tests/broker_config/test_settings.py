"""Settings: where each comes from, and what it is when nobody says."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.settings import Settings, environment_for, load_settings


def test_the_defaults_are_these() -> None:
    # When
    settings = load_settings({})

    # Then
    assert settings.model_dump() == {
        "home": Path.home() / ".launchyard",
        "broker_url": None,
        "broker_ca": None,
        "sentinel_password": None,
        "min_replicas": 0,
        "key_prefix": "launchyard:",
        "retention_seconds": 14 * 24 * 3600,
        "max_message_bytes": 1024 * 1024,
        "max_code_bytes": 32 * 1024 * 1024,
        "code_store": None,
        "max_stored_code_bytes": 4 * 1024**3,
        "author": getpass.getuser(),
        "signing_keys": None,
        "retention_runs": None,
        "history": None,
        "server_url": None,
        "api_key": None,
        "flower_url": None,
        "log_format": "text",
        "oidc_issuer": None,
        "oidc_client_id": None,
        "oidc_client_secret": None,
        "oidc_scopes": "openid profile email",
        "oidc_name_claim": "preferred_username",
        "oidc_groups_claim": "groups",
        "oidc_groups": None,
        "oidc_creates_users": True,
        "requests_per_minute": 6000,
    }


def test_flag_comes_before_environment_before_file_before_default(tmp_path: Path) -> None:
    # Given all sources for one setting, and one less for each of the next
    (tmp_path / "settings.toml").write_text('author = "file"\nretention_seconds = 1001\nmax_message_bytes = 5001\n')
    environ = {
        "LAUNCHYARD_HOME": str(tmp_path),
        "LAUNCHYARD_AUTHOR": "environment",
        "LAUNCHYARD_RETENTION_SECONDS": "1002",
    }

    # When
    settings = load_settings(environ, author="flag")

    # Then
    assert (settings.author, settings.retention_seconds, settings.max_message_bytes) == ("flag", 1002, 5001)
    assert settings.max_code_bytes == Settings.model_fields["max_code_bytes"].default


def test_the_home_folder_of_a_flag_is_where_the_file_is_read(tmp_path: Path) -> None:
    # Given
    (tmp_path / "settings.toml").write_text('author = "file"\n')

    # When
    settings = load_settings({"LAUNCHYARD_HOME": "/nonexistent"}, home=tmp_path)

    # Then
    assert (settings.home, settings.author) == (tmp_path, "file")


def test_a_flag_that_is_none_and_a_variable_that_is_empty_count_as_not_given(tmp_path: Path) -> None:
    # When
    settings = load_settings({"LAUNCHYARD_HOME": str(tmp_path), "LAUNCHYARD_AUTHOR": ""}, author=None, broker_url=None)

    # Then
    assert (settings.author, settings.broker_url) == (getpass.getuser(), None)


def test_the_home_folder_is_made_absolute() -> None:
    assert load_settings({}, home=Path("~/somewhere")).home == Path.home() / "somewhere"
    assert load_settings({}, home=Path("somewhere")).home == Path.cwd() / "somewhere"


def test_an_unknown_key_of_the_file_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    # Given
    (tmp_path / "settings.toml").write_text('broker_ulr = "redis://localhost"\n')

    # Then
    with pytest.raises(ConfigError, match="unknown field 'broker_ulr'; did you mean 'broker_url'"):
        load_settings({}, home=tmp_path)


@pytest.mark.parametrize("content", [b"author = ", b"author = '\xff'"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    # Given
    (tmp_path / "settings.toml").write_bytes(content)

    # Then
    with pytest.raises(ConfigError, match=r"settings\.toml is not valid TOML"):
        load_settings({}, home=tmp_path)


def test_a_wrong_value_of_the_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="retention_seconds: Input should be a valid integer"):
        load_settings({"LAUNCHYARD_RETENTION_SECONDS": "soon"}, home=tmp_path)


@pytest.mark.parametrize("prefix", ["launchyard", "a b:", "*:", ":"])
def test_a_key_prefix_must_be_a_word_and_a_colon(prefix: str) -> None:
    with pytest.raises(ConfigError, match="key_prefix"):
        load_settings({}, key_prefix=prefix)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "rediss://user:hunter2%2F%23@broker.example:6380/3",
        "redis://:hunter2@[::1]:6379",
        "redis+socket:///run/valkey.sock",
    ],
)
def test_the_url_of_any_broker_is_taken(url: str) -> None:
    assert load_settings({}, broker_url=url).broker_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "localhost:6379",
        "http://:hunter2@localhost",
        "amqp://user:hunter2@localhost",
        "redis://:hunter2@localhost:port",
        "redis://:hunter2@localhost:99999",
        "redis://:hunt/er2@localhost:6379/0",
        "redis://:hunt#er2@localhost:6379/0",
        "redis://:hunter2@localhost/hunter2",
        "redis://:hunter2@[localhost/0",
        "redis+socket://",
        "rediss://",
    ],
)
def test_a_broker_url_that_cannot_work_is_refused_without_showing_its_password(url: str) -> None:
    # When
    with pytest.raises(ConfigError, match="broker_url: the broker URL") as caught:
        load_settings({"LAUNCHYARD_BROKER_URL": url})

    # Then
    assert "hunt" not in str(caught.value)
    assert "er2" not in str(caught.value)


def test_a_child_process_gets_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an environment that says something else
    monkeypatch.setenv("LAUNCHYARD_BROKER_CA", "/elsewhere")
    settings = Settings(home=tmp_path, broker_url="redis://localhost:1", author="alice", retention_seconds=100)

    # When
    environment = environment_for(settings, MORE="1")

    # Then
    assert load_settings(environment) == settings
    assert environment["MORE"] == "1"


def test_keys_that_are_none_are_refused_without_a_word_of_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="signing_keys: key 'a' is not base64") as caught:
        load_settings({"LAUNCHYARD_HOME": str(tmp_path), "LAUNCHYARD_SIGNING_KEYS": "a:hunter2!"})
    assert "hunter2" not in str(caught.value)
    assert "signing_keys" not in repr(load_settings({"LAUNCHYARD_HOME": str(tmp_path)}))
