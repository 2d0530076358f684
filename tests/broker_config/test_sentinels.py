"""URLs of a broker behind Sentinel."""

from __future__ import annotations

import pytest

from broker_config import sentinels
from broker_config.celery_app import create_app
from broker_config.connection import sentinel_options, tls_options
from broker_config.errors import ConfigError
from broker_config.sentinels import Sentinels
from broker_config.settings import Settings, load_settings

URL = "sentinel://agent:p%40ss@one:26379,two,[::1]:26381/3?master=yard"


def test_a_url_names_all_sentinels_and_the_group() -> None:
    # When
    found = sentinels.read(URL)

    # Then
    hosts = (("one", 26379), ("two", 26379), ("::1", 26381))
    assert found == Sentinels(hosts, "yard", 3, "agent:p%40ss@", tls=False)
    assert (found.username, found.password) == ("agent", "p@ss")
    assert found.celery_url.split(";") == [
        "sentinel://agent:p%40ss@one:26379/3",
        "sentinel://agent:p%40ss@two:26379/3",
        "sentinel://agent:p%40ss@[::1]:26381/3",
    ]


def test_database_login_and_tls_are_as_in_other_urls() -> None:
    # When
    plain, secret = sentinels.read("sentinel://one?master=yard"), sentinels.read("sentinels://:pw@one?master=yard")

    # Then
    assert plain == Sentinels((("one", 26379),), "yard", 0, "", tls=False)
    assert (plain.username, plain.password) == (None, None)
    assert secret is not None
    assert (secret.tls, secret.username, secret.password) == (True, None, "pw")


@pytest.mark.parametrize("url", [None, "redis://one:6379/0", "redis+socket:///run/valkey.sock"])
def test_other_urls_name_no_sentinels(url: str | None) -> None:
    assert sentinels.read(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sentinel://one:26379/0", "ends with \\?master=NAME"),
        ("sentinel://one:26379/0?master=", "ends with \\?master=NAME"),
        ("sentinel://one:26379/0?master=yard&password=hunter2", "ends with \\?master=NAME"),
        ("sentinel://one:26379/first?master=yard", "a database number"),
        ("sentinel://:hunter2@?master=yard", "host:port of each sentinel"),
        ("sentinel://:hunter2@one:port?master=yard", "host:port of each sentinel"),
        ("sentinel://:hunter2@one,,two?master=yard", "host:port of each sentinel"),
        ("sentinel://:hunter2@[::1?master=yard", "host:port of each sentinel"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_missing_and_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load_settings({}, broker_url=url)
    assert "hunter2" not in str(caught.value)


def test_celery_gets_the_group_and_what_the_sentinels_ask_for() -> None:
    # Given
    settings = Settings(broker_url=URL.replace("sentinel://", "sentinels://"), sentinel_password="battery")

    # When
    app = create_app(settings)

    # Then
    options = app.conf.broker_transport_options
    assert options["master_name"] == app.conf.result_backend_transport_options["master_name"] == "yard"
    assert options["sentinel_kwargs"]["password"] == "battery"
    assert options["sentinel_kwargs"]["ssl"] is True
    assert app.conf.broker_use_ssl == tls_options(settings)
    assert tls_options(settings)["ssl_cert_reqs"] == "required"


def test_without_tls_sentinels_are_asked_without_it() -> None:
    assert "ssl" not in sentinel_options(Settings(broker_url=URL))
