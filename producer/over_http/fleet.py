"""Agents and what they have made or found, asked for over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import quote

from broker_config.frozen import parse
from broker_config.images import Image
from broker_config.jobs import CodeSource
from broker_config.store.agents import AgentInfo, Mode
from broker_config.store.archives import ArchiveRecord
from broker_config.store.code import Rewindable
from broker_config.store.orphans import Orphan, Removal
from producer.over_http.connection import Connection
from producer.wire import (
    API,
    AgentSeen,
    AgentWish,
    CodeSeen,
    OrphansSeen,
    Page,
    Stored,
)

CHUNK_BYTES = 256 * 1024


class AgentsOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def list(self) -> list[tuple[AgentInfo, bool]]:
        return [(seen.info, seen.is_alive) for seen in self._ask(list[AgentSeen], "GET", f"{API}/agents")]

    def wish(self, name: str, mode: Mode, reason: str = "") -> tuple[AgentInfo, bool]:
        wish = parse(AgentWish, {"mode": mode, "reason": reason}, "wish")
        seen = self._ask(AgentSeen, "PUT", f"{API}/agents/{quote(name, safe='')}/wish", wish)
        return seen.info, seen.is_alive


class OrphansOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    def list(self) -> list[Orphan]:
        return self._ask(OrphansSeen, "GET", f"{API}/orphans").orphans

    def remove(self, name: str) -> None:
        self._ask(type(None), "DELETE", f"{API}/orphans/{quote(name)}")

    def removals(self) -> Mapping[str, Removal]:
        return self._ask(OrphansSeen, "GET", f"{API}/orphans").removals


class ImagesOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def all(self) -> list[Image]:
        return [*self._all(Page[Image], f"{API}/images")]

    def find(self, word: str) -> Image:
        return self._ask(Image, "GET", f"{API}/images/find", word=word)

    def remove(self, image_id: str) -> None:
        self._ask(type(None), "DELETE", f"{API}/images/{quote(image_id)}")

    def removals(self) -> Mapping[str, Removal]:
        return self._ask(dict[str, Removal], "GET", f"{API}/images/removals")


class CodeOverHttp:
    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask
        self._all = connection.all

    def put(self, file: Rewindable, source: CodeSource) -> str:
        if self.is_stored(source.digest):
            return ""
        file.seek(0)
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        return self._ask(Stored, "PUT", f"{API}/code/{source.digest}", chunks).place

    def is_stored(self, digest: str) -> bool:
        return self._ask(CodeSeen, "GET", f"{API}/code/{digest}").is_stored

    def unneeded(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        return [*self._all(Page[ArchiveRecord], f"{API}/code", unneeded=True, finished=also_finished)]

    def prune(self, *, also_finished: bool) -> Sequence[ArchiveRecord]:
        return self._ask(list[ArchiveRecord], "DELETE", f"{API}/code", finished=also_finished)

    def list(self) -> Sequence[ArchiveRecord]:
        return [*self._all(Page[ArchiveRecord], f"{API}/code")]
