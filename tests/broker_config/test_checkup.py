"""What the checkup says of a broker: pure, one wrong thing at a time; and of real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker_config.checkup import look_at, look_at_history
from broker_config.connection import connect
from broker_config.looks import Status
from broker_config.settings import Settings
from broker_config.store import Store
from broker_config.store.finished import Keeping
from broker_config.store.vitals import Vitals
from tests.agents import eventually
from tests.redis_server import redis_server

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GOOD = Vitals(
    kind="Redis",
    version="7.2.4",
    is_primary=True,
    replicas=1,
    used_bytes=10 * 1024**2,
    most_bytes=1024**3,
    eviction_policy="noeviction",
    writes_log=True,
    has_failed_to_write="",
    clients=10,
    most_clients=10_000,
    clock_ahead_seconds=0.01,
    oldest_fetched=NOW - timedelta(seconds=1),
    fetched=1,
)
HERE = Settings(home=Path("/home/alice/.launchyard"), broker_url="redis://127.0.0.1:6379/0")


def found(vitals: Vitals, settings: Settings = HERE) -> dict[str, tuple[Status, str]]:
    """What is not well."""
    looks = look_at(vitals, settings, NOW)
    return {look.subject: (look.status, look.text) for look in looks if look.status is not Status.OK}


def test_nothing_is_said_against_a_good_broker() -> None:
    assert found(GOOD) == {}
    assert len({look.subject for look in look_at(GOOD, HERE, NOW)}) == 10


@pytest.mark.parametrize(
    ("changed", "subject", "status", "cure"),
    [
        ({"version": "6.2.14"}, "version", Status.FAILED, "use Redis 7"),
        ({"eviction_policy": "allkeys-lru"}, "eviction", Status.FAILED, "noeviction"),
        ({"writes_log": False}, "persistence", Status.FAILED, "appendonly yes"),
        ({"has_failed_to_write": "to its log"}, "persistence", Status.FAILED, "its disk"),
        ({"used_bytes": 900 * 1024**2}, "memory", Status.WARNING, "raise maxmemory"),
        ({"most_bytes": 0}, "memory", Status.WARNING, "set it"),
        ({"clients": 9_000}, "connections", Status.WARNING, "raise maxclients"),
        ({"is_primary": False}, "replication", Status.FAILED, "name the primary"),
        ({"clock_ahead_seconds": -7.5}, "clock", Status.WARNING, "7.5 s behind"),
        ({"fetched": None, "oldest_fetched": None}, "messages", Status.WARNING, "may not look"),
        ({"oldest_fetched": NOW - timedelta(hours=3)}, "messages", Status.WARNING, "agents died with them"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(changed: dict[str, Any], subject: str, status: Status, cure: str) -> None:
    (told,) = found(GOOD.model_copy(update=changed)).items()
    assert (told[0], told[1][0]) == (subject, status)
    assert cure in told[1][1]


def test_fewer_replicas_than_are_asked_for_fail() -> None:
    wanted = HERE.model_copy(update={"min_replicas": 2})
    assert found(GOOD, wanted)["replication"][0] is Status.FAILED


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        (None, True),
        ("redis+socket:///run/valkey.sock", True),
        ("redis://localhost:6379", True),
        ("redis://[::1]:6379", True),
        ("rediss://broker.example.com:6380", True),
        ("redis://broker.example.com:6379", False),
        ("redis://10.0.0.7:6379", False),
        ("sentinel://s1:26379,s2:26379/0?master=m", False),
    ],
)
def test_what_others_could_read_on_the_way_is_told(url: str | None, is_safe: bool) -> None:
    settings = Settings(home=Path("/home/alice/.launchyard"), broker_url=url)
    assert ("transport" not in found(GOOD, settings)) == is_safe


def test_a_real_server_is_read_and_mended(home: Path) -> None:
    # Given a server that forgets
    with redis_server(home, appendonly="no", maxmemory_policy="allkeys-lru") as port:
        settings = Settings(home=home, broker_url=f"redis://127.0.0.1:{port}/0")
        store, server = Store(settings), connect(settings)
        before = store.vitals.read()
        assert {"eviction", "persistence"} <= found(before).keys()

        # When that is set right
        for subject in ("eviction", "persistence"):
            store.vitals.mend(subject)

        # Then it is
        assert not {"eviction", "persistence"} & found(store.vitals.read()).keys()
        assert abs(before.clock_ahead_seconds) < 1

        # A server that writes its first log does not end before it has.
        eventually(lambda: not server.info("persistence")["aof_rewrite_in_progress"], "the log is written")
        store.close()
        server.close()


KEEPING = Keeping(url="sqlite:///srv/history.db", agent="agent@a", at=NOW)
FAILING = KEEPING.model_copy(update={"failing_since": NOW, "error": "disk full"})
WITH_HISTORY = HERE.model_copy(update={"history": "sqlite:///srv/history.db"})


@pytest.mark.parametrize(
    ("keeping", "overdue", "settings", "status", "text"),
    [
        (None, 5, HERE, Status.OK, "there is none"),
        (None, 0, WITH_HISTORY, Status.WARNING, "set it for agents"),
        (KEEPING, 0, HERE, Status.OK, "the last time at 12:00 UTC"),
        (KEEPING, 3, HERE, Status.FAILED, "3 finished runs should have gone"),
        (FAILING, 0, HERE, Status.FAILED, "since 2026-01-01 12:00 UTC, and finished runs fill the broker: disk full"),
    ],
)
def test_a_history_that_is_not_written_is_told(
    keeping: Keeping | None, overdue: int, settings: Settings, status: Status, text: str
) -> None:
    # When
    look = look_at_history(keeping, overdue, settings)
    # Then
    assert look.status is status
    assert text in look.text
