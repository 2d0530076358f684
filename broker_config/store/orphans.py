"""Objects at targets that belong to no run: what agents see, and which of them an operator wants to be gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from broker_config.connection import TextClient, translated
from broker_config.frozen import Frozen
from broker_config.runs import now
from broker_config.store.keys import Keys


class Orphan(Frozen):
    """One such object, as one agent sees it."""

    name: str
    resource: str
    agent: str
    since: datetime  # when this agent first saw it
    seen_at: datetime


class Sighting(Frozen):
    """Everything of that kind that one agent sees."""

    orphans: tuple[Orphan, ...] = ()


class Removal(Frozen):
    """The wish to have one removed, and what became of it."""

    by: str
    at: datetime  # of the wish, later that of its outcome
    agent: str = ""  # the one that carried it out; empty: nobody has
    outcome: str = ""


class OrphanStore:
    """Each agent replaces what it has said before; wishes are kept by the object's name."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def report(self, agent: str, orphans: Sequence[Orphan]) -> None:
        """Say what an agent sees now."""
        with translated():
            if orphans:
                sighting = Sighting(orphans=tuple(orphans))
                self._client.hset(self._keys.orphans, agent, sighting.model_dump_json())
            else:
                self._client.hdel(self._keys.orphans, agent)

    def seen_by(self, agent: str) -> tuple[Orphan, ...]:
        """What an agent has said last."""
        with translated():
            text = self._client.hget(self._keys.orphans, agent)
        return Sighting.model_validate_json(text).orphans if text else ()

    def list(self) -> list[Orphan]:
        """What all agents have said, by name."""
        with translated():
            stored = self._client.hgetall(self._keys.orphans)
        found = [orphan for text in stored.values() for orphan in Sighting.model_validate_json(text).orphans]
        return sorted(found, key=lambda orphan: (orphan.name, orphan.agent))

    def forget_unseen(self, age: timedelta) -> None:
        """Drop what agents have said that are gone for that long: nobody can say whether it is there still."""
        for agent in {orphan.agent for orphan in self.list() if now() - orphan.seen_at > age}:
            with translated():
                self._client.hdel(self._keys.orphans, agent)

    def request_removal(self, name: str, by: str) -> None:
        """Wish that every agent which reaches the object removes it."""
        self._write(name, Removal(by=by, at=now()))

    def conclude_removal(self, name: str, wish: Removal, agent: str, outcome: str) -> None:
        """Say what became of a wish."""
        self._write(name, wish.model_copy(update={"at": now(), "agent": agent, "outcome": outcome}))

    def removals(self) -> Mapping[str, Removal]:
        """All wishes by the object's name, also those that were carried out not long ago."""
        with translated():
            stored = self._client.hgetall(self._keys.orphan_removals)
        return {name: Removal.model_validate_json(text) for name, text in sorted(stored.items())}

    def forget_removal(self, name: str) -> None:
        """Drop a wish and its outcome."""
        with translated():
            self._client.hdel(self._keys.orphan_removals, name)

    def _write(self, name: str, removal: Removal) -> None:
        with translated():
            self._client.hset(self._keys.orphan_removals, name, removal.model_dump_json())
