"""Runs whose records were lost with the broker's data, and that a target still has."""

from __future__ import annotations

from redis.commands.core import Script

from broker_config import results
from broker_config.connection import TextClient, translated
from broker_config.runs import Run, now
from broker_config.store.keys import Keys

_WRITTEN_ANEW = {"spec", "version", "state", "since", "reason", "text"}


class LostRuns:
    """Writes their records again."""

    def __init__(self, client: TextClient, keys: Keys, script: Script, retention_seconds: int) -> None:
        self._client = client
        self._keys = keys
        self._script = script
        self._retention_seconds = retention_seconds

    def restore(self, run: Run, spec_text: str, actor: str, text: str) -> bool:
        """Write the record of a live run, in the state that it has there, with its spec to the letter, event and index.

        False: there is a record of that run, and it stays as it is.
        """
        keys, spec = self._keys, run.spec
        fields = run.model_dump(mode="json", exclude=_WRITTEN_ANEW, exclude_none=True)
        with translated():
            written = self._script(
                keys=[
                    keys.run(run.id),
                    keys.run_spec(run.id),
                    keys.run_events(run.id),
                    keys.queue_counts(spec.queue.full_name),
                    keys.runs,
                    keys.agent_runs(run.agent),
                    results.key(run.id),
                    keys.newest_revisions,
                    keys.queue_authors(spec.queue.full_name),
                    keys.archive_holders(spec.job.archive),
                ],
                args=[
                    run.id,
                    spec_text,
                    now().isoformat(),
                    actor,
                    text,
                    run.state,
                    run.attempt,
                    run.place,
                    spec.queue_revision,
                    results.started(run.id, run.agent),
                    self._retention_seconds,
                    spec.queue.full_name,
                    spec.author,
                    spec.job.archive,
                    *(part for name, value in fields.items() for part in (name, str(value))),
                ],
            )
        return bool(written)
