from __future__ import annotations

import hashlib
from pathlib import Path

from broker_config import acl
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


def test_the_rules_of_a_role_are_those_of_its_user(launchyard: Call, tmp_path: Path) -> None:
    # Given
    (tmp_path / "password").write_text("correct-horse\n")

    # When
    rules = launchyard("broker", "acl", "producer", "-q", "gpu", "-q", "team-a/*").out.strip()
    line = launchyard("broker", "acl", "flower", "--user", "flower", "--password-file", str(tmp_path / "password")).out

    # Then
    assert rules == acl.producer("launchyard:", ["gpu", "team-a/*"])
    assert launchyard("broker", "acl", "agent").out.strip() == acl.agent("launchyard:", ["*"])
    digest = hashlib.sha256(b"correct-horse").hexdigest()
    assert line.strip() == f"user flower on #{digest} {acl.flower('launchyard:')}"


def test_what_would_not_be_rules_is_refused(launchyard: Call) -> None:
    for arguments, why in (
        (["producer", "-q", "gpu ~*"], "'gpu ~*' cannot be a name"),
        (["producer", "-q", "*/*"], "'*' cannot be a name"),
        (["flower", "-q", "gpu"], "the role flower has to do with all queues; name none"),
        (["agent", "--user", "a b"], "'a b' cannot be a user's name"),
        (["agent", "--user", "agent"], "user 'agent' has no password; give it with --password-file FILE"),
    ):
        answer = launchyard("broker", "acl", *arguments)
        assert (answer.code, why in answer.err) == (3, True), answer
