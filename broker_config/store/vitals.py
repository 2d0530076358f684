"""What the broker says of itself: whether it keeps what it is given, and has room for more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import ResponseError

from broker_config.connection import TextClient, translated
from broker_config.errors import NotPermitted
from broker_config.frozen import Frozen


class Vitals(Frozen):
    """One reading of the broker (`INFO`, `TIME`)."""

    kind: str  # "Redis" or "Valkey"
    version: str
    is_primary: bool
    replicas: int
    used_bytes: int
    most_bytes: int  # its maxmemory; 0: no limit of its own
    eviction_policy: str
    writes_log: bool  # appendonly yes
    has_failed_to_write: str  # one clause; empty: the last write of each kind succeeded
    clients: int
    most_clients: int
    clock_ahead_seconds: float  # of this machine's clock
    oldest_fetched: datetime | None  # message that an agent has fetched and not acknowledged yet; None: there is none
    fetched: int | None  # how many there are; None: this user may not look


SETTINGS: Mapping[str, tuple[str, str]] = {
    "eviction": ("maxmemory-policy", "noeviction"),
    "persistence": ("appendonly", "yes"),
}
"""By what a look is at, the broker's setting that is right, and takes nothing away."""


class VitalsReader:
    """Reads them, and sets what is wrong."""

    def __init__(self, client: TextClient) -> None:
        self._client = client

    def read(self) -> Vitals:
        """One reading.

        Raises:
            BrokerUnavailable: when it does not answer.
        """
        with translated():
            began = time.time()
            seconds, microseconds = self._client.time()
            took = time.time() - began
            info = self._client.info("default")
        fetched, oldest = self._fetched()
        return Vitals(
            kind="Valkey" if "valkey_version" in info else "Redis",
            version=str(info.get("valkey_version", info["redis_version"])),
            is_primary=info["role"] == "master",
            replicas=int(info["connected_slaves"]),
            used_bytes=int(info["used_memory"]),
            most_bytes=int(info["maxmemory"]),
            eviction_policy=str(info["maxmemory_policy"]),
            writes_log=bool(info["aof_enabled"]),
            has_failed_to_write=_failed(info),
            clients=int(info["connected_clients"]),
            most_clients=int(info["maxclients"]),
            clock_ahead_seconds=seconds + microseconds / 1_000_000 - (began + took / 2),
            oldest_fetched=oldest,
            fetched=fetched,
        )

    def mend(self, subject: str) -> bool:
        """Set one of `SETTINGS` on the broker; whether it is kept when the broker restarts.

        Raises:
            NotPermitted: when this user may not.
        """
        with translated():
            self._client.config_set(*SETTINGS[subject])
        try:
            with translated():
                self._client.config_rewrite()
        except (NotPermitted, ResponseError):
            return False
        return True

    def _fetched(self) -> tuple[int | None, datetime | None]:
        try:
            with translated(), self._client.pipeline(transaction=False) as pipe:
                pipe.zcard("unacked_index")
                pipe.zrange("unacked_index", 0, 0, withscores=True)
                number, oldest = pipe.execute()
        except NotPermitted:
            return None, None
        return int(number), datetime.fromtimestamp(oldest[0][1], UTC) if oldest else None


def _failed(info: Mapping[str, Any]) -> str:
    kinds = {"aof_last_write_status": "to its log", "rdb_last_bgsave_status": "its snapshot"}
    return " and ".join(what for name, what in kinds.items() if info.get(name, "ok") != "ok")
