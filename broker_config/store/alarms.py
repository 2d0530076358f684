"""Alarms: when somebody has to look at a queued run that nothing else would wake.

A run that is held (until a time, or until others have succeeded) has no order in the broker, and one that may not wait
for ever has a limit. Each such run has one alarm, written in the step that makes it so, and the agents' heartbeats look
at those that are due. Where no run has an alarm, that is a look at an empty set.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.errors import InvalidRequest
from broker_config.runs import RunId, RunSpec, now
from broker_config.store.keys import Keys


class Alarms:
    """The alarms of all queued runs, whichever queue they are on."""

    def __init__(self, client: TextClient, keys: Keys, scripts: dict[str, Script]) -> None:
        self._client = client
        self._keys = keys
        self._snooze = scripts["snooze"]

    def due(self, limit: int = 500) -> dict[RunId, float]:
        """Runs whose alarm has come, longest ago first, each with its time."""
        with translated():
            found: Any = self._client.zrangebyscore(
                self._keys.alarms, "-inf", milliseconds(now()), start=0, num=limit, withscores=True
            )
        return {RunId(run_id): score for run_id, score in found}

    def put_off(self, run_id: RunId, seen: float, until: datetime | None) -> None:
        """Set an alarm that was read as `seen` to a later time, or to none; one that was set anew stays."""
        with translated():
            self._snooze(keys=[self._keys.alarms], args=[run_id, seen, "" if until is None else milliseconds(until)])


def milliseconds(time: datetime) -> int:
    """The time as alarms are sorted."""
    return int(time.timestamp() * 1000)


def first_alarm(spec: RunSpec) -> int | None:
    """The alarm with which a run begins."""
    if spec.after:
        # At once: the others may have ended before this run was there to be told.
        return milliseconds(spec.created_at)
    if spec.first_hold and spec.not_before:
        return milliseconds(spec.not_before)
    limit = spec.timeouts.queued
    return None if limit is None else milliseconds(spec.created_at) + int(limit * 1000)


def register_dependents(client: TextClient, keys: Keys, specs: Sequence[RunSpec]) -> None:
    """Note with each run that others wait for who they are, so that its end sets their alarms.

    It comes before the enqueue, so that an end in between is not missed: a new run's first alarm is due at once.

    Raises:
        InvalidRequest: when a run waits for one that does not exist; nothing was written.
    """
    waiting = [spec for spec in specs if spec.after]
    if not waiting:
        return
    others = sorted({other for spec in waiting for other in spec.after})
    with translated(), client.pipeline(transaction=False) as pipe:
        for other in others:
            pipe.exists(keys.run(other))
        unknown = [other for other, exists in zip(others, pipe.execute(), strict=True) if not exists]
        if unknown:
            raise InvalidRequest(
                f"after: no run has the id {', '.join(map(repr, unknown))}, or it ended longer ago than records are "
                "kept; see launchyard runs"
            )
        for spec in waiting:
            for other in spec.after:
                pipe.sadd(keys.run_dependents(other), spec.id)
        pipe.execute()
