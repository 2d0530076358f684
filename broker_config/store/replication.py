"""Replicas: what the primary has written is on them too, where the settings ask for that.

Replication is asynchronous, so a failover may lose what the primary said was written. WAIT holds an answer back until
replicas have it (Redis, "WAIT"). It counts for the writes of its own connection and for all before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.errors import NotReplicated, StaleWrite
from broker_config.runs import Run
from broker_config.store.keys import Keys

WAIT_SECONDS = 5.0
"""Longest wait for the replicas: they are milliseconds behind, or away."""


class Replication:
    """Waits for `least` replicas; with 0 it costs nothing and promises nothing."""

    def __init__(self, client: TextClient, keys: Keys, least: int) -> None:
        self._client = client
        self._keys = keys
        self._least = least

    def call(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run a script that writes something, and return its reply when enough replicas have that.

        Raises:
            NotReplicated: when they have not in time. It is written, so the call may be made again and writes no more.
        """
        with translated(self._client):
            if not self._least:
                return script(keys=keys, args=args)
            with self._client.pipeline(transaction=False) as pipe:
                # Loaded in the same go: after a broken connection all of this is sent again, perhaps to another server.
                pipe.script_load(script.script)
                pipe.evalsha(script.sha, len(keys), *keys, *args)
                pipe.wait(self._least, int(WAIT_SECONDS * 1000))
                _, reply, count = pipe.execute()
        self._check(count)
        return reply

    def wait_for(self, run: Run) -> None:
        """Return when enough replicas have the run's record as it was written here.

        Raises:
            NotReplicated: when they have not in time.
            StaleWrite: when this is another server by now, to which the record never came, or another's run.
        """
        if not self._least:
            return
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.run(run.id), "version", "fence")
            pipe.hincrby(self._keys.queue_counts(run.spec.queue.full_name), "queued", 0)
            pipe.wait(self._least, int(WAIT_SECONDS * 1000))
            (version, fence), _, count = pipe.execute()
        if int(version or 0) < run.version or (run.state.is_live and int(fence or 0) != run.fence):
            raise StaleWrite(f"run {run.id} is not as it was written: a failover of the broker lost that")
        self._check(count)

    def _check(self, count: int) -> None:
        if count < self._least:
            raise NotReplicated(
                f"the broker has it, and {count} of the {self._least} replicas that min_replicas asks for: a failover "
                "now could lose it. Look at the replicas (redis-cli info replication), then do the same again"
            )
