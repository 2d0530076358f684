"""Agents and what they have made or found: everybody sees them, and admins keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker_config.accounts.rights import Action
from broker_config.images import Image
from broker_config.jobs import CodeSource
from broker_config.store.agents import AgentInfo, Mode
from broker_config.store.archives import ArchiveRecord
from broker_config.store.code import Rewindable
from broker_config.store.orphans import Orphan, Removal
from producer.installation import (
    Agents,
    Code,
    Images,
    Orphans,
)
from producer.server.guarded.rights import Rights


class GuardedAgents:
    def __init__(self, agents: Agents, rights: Rights) -> None:
        self._agents = agents
        self._rights = rights

    def list(self) -> list[tuple[AgentInfo, bool]]:
        return self._agents.list()

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        info, is_alive = self._agents.wish(name, mode, reason)
        self._rights.did(f"agent.{mode}", info.name, reason)
        return info, is_alive


class GuardedOrphans:
    def __init__(self, orphans: Orphans, rights: Rights) -> None:
        self._orphans = orphans
        self._rights = rights

    def list(self) -> list[Orphan]:
        return self._orphans.list()

    def remove(self, name: str) -> None:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        self._orphans.remove(name)
        self._rights.did("orphan.remove", name)

    def removals(self) -> Mapping[str, Removal]:
        return self._orphans.removals()


class GuardedImages:
    def __init__(self, images: Images, rights: Rights) -> None:
        self._images = images
        self._rights = rights

    def all(self) -> list[Image]:
        return self._images.all()

    def find(self, word: str) -> Image:
        return self._images.find(word)

    def remove(self, image_id: str) -> None:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        self._images.remove(image_id)
        self._rights.did("image.remove", image_id)

    def removals(self) -> Mapping[str, Removal]:
        return self._images.removals()


class GuardedCode:
    def __init__(self, code: Code, rights: Rights) -> None:
        self._code = code
        self._rights = rights

    def put(self, file: Rewindable, source: CodeSource) -> str:
        self._rights.expect_a_launcher()
        return self._code.put(file, source)

    def is_stored(self, digest: str) -> bool:
        self._rights.expect_a_launcher()
        return self._code.is_stored(digest)

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        return self._code.unneeded(also_finished=also_finished)

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        self._rights.principal.expect(Action.KEEP_AGENTS)
        dropped = self._code.prune(also_finished=also_finished)
        self._rights.did("code.prune", str(len(dropped)))
        return dropped

    def list(self) -> Sequence[ArchiveRecord]:
        # Who knows a digest can launch that code.
        self._rights.principal.expect(Action.KEEP_AGENTS)
        return self._code.list()
