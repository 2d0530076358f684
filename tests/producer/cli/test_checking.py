"""`launchyard check`, on a real broker."""

from __future__ import annotations

from pathlib import Path

from broker_config.settings import Settings
from tests.producer.cli.conftest import command
from tests.redis_server import redis_server


def statuses(checks: list[dict[str, str]]) -> dict[str, str]:
    return {look["subject"]: look["status"] for look in checks}


def test_what_a_broker_lacks_is_told_and_set(home: Path) -> None:
    # Given a broker that deletes what it has no room for, and a queue that nobody serves
    with redis_server(home, appendonly="yes", maxmemory_policy="volatile-lru") as port:
        launchyard = command(Settings(home=home, broker_url=f"redis://127.0.0.1:{port}/0"))
        launchyard("queue", "create", "gpu", "--resource", "stub")

        # When it is looked at
        answer = launchyard("check", "--json")

        # Then that failed, and the queue is told of
        found = statuses(answer.json["checks"])
        assert (answer.code, answer.json["ok"], found["eviction"], found["queue gpu"]) == (
            6,
            False,
            "failed",
            "warning",
        )

        # When it is fixed
        fixed = launchyard("check", "--fix", "--json")

        # Then that is well
        assert (fixed.code, fixed.json["ok"]) == (0, True)
        assert "was set: maxmemory-policy noeviction" in fixed.out
        assert statuses(launchyard("check", "--json").json["checks"])["eviction"] == "ok"


def test_people_are_told_line_by_line_and_what_to_do_next(home: Path) -> None:
    with redis_server(home, appendonly="yes", maxmemory_policy="allkeys-lru") as port:
        answer = command(Settings(home=home, broker_url=f"redis://127.0.0.1:{port}/0"))("check")
    assert answer.out.startswith("ok       broker: answers: ")
    assert "next: launchyard check --fix" in answer.err
    assert answer.code == 6
