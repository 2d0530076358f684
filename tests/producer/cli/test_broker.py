from __future__ import annotations

from producer.cli.broker import masked
from tests.producer.cli.conftest import Call, Processes


def test_the_embedded_broker_is_started_once_found_by_all_and_stopped(processes: Processes) -> None:
    # Given an empty home, when the broker is started twice
    first = processes.call("broker", "start", "--json").json
    second = processes.call("broker", "start", "--json").json

    # Then there is one
    assert (first["started"], second["started"], first["pid"]) == (True, False, second["pid"])
    assert processes.call("broker", "url").out.strip() == first["url"]

    # And when it is stopped, then status says so with its own exit code
    assert processes.call("broker", "stop", "--json").json == {"stopped": True}
    answer = processes.call("broker", "status")
    assert answer.code == 7
    assert "launchyard broker start" in answer.err


def test_a_configured_broker_is_not_ours_to_stop(launchyard: Call) -> None:
    # Given a configured broker, when it is to be stopped, then that is refused
    answer = launchyard("broker", "stop")
    assert answer.code == 3
    assert "not ours to start or stop" in answer.err
    assert launchyard("broker", "status", "--json").json["answers"] is True


def test_a_password_in_the_url_is_masked() -> None:
    # Given a URL with a password, when it is shown, then the password is not
    assert masked("rediss://me:s3cret@host:6379/0") == "rediss://me:***@host:6379/0"
    several = "sentinel://me:%s@one:26379,[::1]:26381/3?master=yard"
    assert masked(several % "s3cret") == several % "***"
    assert masked("redis+socket:///run/valkey.sock") == "redis+socket:///run/valkey.sock"
