"""The step in which an agent takes a queued run."""

from __future__ import annotations

from enum import StrEnum

from redis.commands.core import Script

from broker_config import results
from broker_config.connection import translated
from broker_config.runs import Run, RunSpec, now
from broker_config.store.keys import Keys


class Claimed(StrEnum):
    """How a claim ended."""

    CLAIMED = "claimed"
    NOT_QUEUED = "not-queued"  # another delivery was first, or the run has ended
    UNKNOWN = "unknown"  # no such run: expired, or never enqueued by a producer of ours
    HELD = "held"  # until its time, or until other runs have succeeded
    PAUSED = "paused"
    QUEUE_FULL = "queue-full"  # as many runs as its queue lets run at once are live
    AUTHOR_FULL = "author-full"  # the same for its author; it is held now
    LEASE_LOST = "lease-lost"


class Claimer:
    """Gives runs to agent sessions."""

    def __init__(self, keys: Keys, script: Script, retention_seconds: int) -> None:
        self._keys = keys
        self._script = script
        self._retention_seconds = retention_seconds

    def claim(self, spec: RunSpec, agent: str, fence: int, session: str) -> tuple[Claimed, Run | None]:
        """Give a queued run to an agent session. See `RunStore.claim`."""
        with translated():
            outcome, *reply = self._script(
                keys=self._script_keys(spec, agent),
                args=[
                    spec.id,
                    agent,
                    fence,
                    session,
                    now().isoformat(),
                    f"Taken by agent {agent}.",
                    results.started(spec.id, agent),
                    self._retention_seconds,
                    spec.queue.full_name,
                    spec.author,
                ],
            )
        if not reply:
            return Claimed(outcome), None
        stored, *flat = reply
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return Claimed(outcome), Run.model_validate({**fields, "spec": RunSpec.model_validate_json(stored)})

    def _script_keys(self, spec: RunSpec, agent: str) -> list[str]:
        keys, queue = self._keys, spec.queue.full_name
        return [
            *(keys.run(spec.id), keys.queue(queue), keys.queue_waiting(queue), keys.queue_counts(queue)),
            *(keys.run_events(spec.id), keys.agent_runs(agent), keys.agent_lease(agent), results.key(spec.id)),
            *(keys.alarms, keys.run_spec(spec.id), keys.queue_authors(queue), keys.queue_held(queue, spec.author)),
        ]
