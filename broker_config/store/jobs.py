"""Named jobs in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.errors import CodeNotStored, NotFound, did_you_mean
from broker_config.named_jobs import LATEST, JobDefinition, JobReference, JobVersion, check_aliases
from broker_config.runs import now
from broker_config.store.keys import Keys


class JobStore:
    """Write and read versions of named jobs. A version that is written stays as it is."""

    def __init__(self, client: TextClient, keys: Keys, script: Script) -> None:
        self._client = client
        self._keys = keys
        self._script = script

    def create(self, definition: JobDefinition, author: str, aliases: Sequence[str] = ()) -> JobVersion:
        """Write the next version, and have the aliases point to it.

        When the newest version says the same it is returned, and none is written.

        Raises:
            InvalidRequest: when an alias cannot be chosen.
            CodeNotStored: when the job's code archive is not in the store.
        """
        check_aliases(aliases)
        entity, name = definition.entity, definition.name
        digest = hashlib.sha256(definition.model_dump_json().encode()).hexdigest()
        version = JobVersion(definition=definition, number=0, author=author, created_at=now())
        archive = definition.job.archive
        keys = [
            *(self._keys.jobs, self._keys.job(entity, name), self._keys.job_aliases(entity, name)),
            *(self._keys.archives, self._keys.archive_holders(archive)),
        ]
        args = [f"{entity}/{name}", digest, version.model_dump_json(), archive, *aliases]
        with translated():
            number = int(self._script(keys=keys, args=args))
        if number < 0:
            raise CodeNotStored(archive)
        return self.get(entity, JobReference(name, f"v{number}"))

    def get(self, entity: str, reference: JobReference) -> JobVersion:
        """The version that a reference means; `entity` counts when the reference names none.

        Raises:
            NotFound: when there is no such job, version or alias, or it is of another project.
        """
        entity = reference.entity or entity
        aliases = self._aliases(entity, reference.name)
        number = reference.number if reference.number is not None else aliases.get(reference.alias)
        stored = None
        if number is not None:
            with translated():
                stored = self._client.hget(self._keys.job(entity, reference.name), str(number))
        if number is None or stored is None:
            known = [*aliases, *(f"v{place}" for place in range(aliases[LATEST] + 1))]
            near = did_you_mean(reference.alias, known)
            raise NotFound(f"job '{entity}/{reference.name}' has no version or alias {reference.alias!r}{near}")
        found = _version(stored, number, aliases)
        if reference.project not in (None, found.definition.project):
            raise NotFound(
                f"job {found.reference!r} is of project {found.definition.project!r}, not {reference.project!r}; "
                "leave the project out"
            )
        return found

    def versions(self, entity: str, name: str) -> list[JobVersion]:
        """All versions of a job, newest first.

        Raises:
            NotFound: when there is no such job.
        """
        aliases = self._aliases(entity, name)
        with translated():
            stored = self._client.hgetall(self._keys.job(entity, name))
        return [_version(stored[str(number)], number, aliases) for number in range(aliases[LATEST], -1, -1)]

    def list(self) -> list[JobVersion]:
        """The newest version of every job, by entity and name."""
        with translated():
            names = sorted(self._client.smembers(self._keys.jobs))
        return [self.get(entity, JobReference(name)) for entity, _, name in (text.partition("/") for text in names)]

    def _aliases(self, entity: str, name: str) -> dict[str, int]:
        with translated():
            aliases = self._client.hgetall(self._keys.job_aliases(entity, name))
            if not aliases:
                known = self._client.smembers(self._keys.jobs)
                near = did_you_mean(f"{entity}/{name}", known) or "; there is none yet: launchyard job create"
                raise NotFound(f"job '{entity}/{name}' does not exist{near}")
        return {alias: int(number) for alias, number in aliases.items()}


def _version(stored: str, number: int, aliases: dict[str, int]) -> JobVersion:
    fields: dict[str, Any] = {"number": number, "aliases": tuple(sorted(a for a, n in aliases.items() if n == number))}
    return JobVersion.model_validate_json(stored).model_copy(update=fields)
