"""Agents in the store: who holds which name, and what each says of itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import ConfigDict
from redis.commands.core import Script

from broker_config.connection import TextClient, translated
from broker_config.errors import NotFound, did_you_mean
from broker_config.frozen import Frozen
from broker_config.runs import now
from broker_config.store.keys import Keys

LISTED = timedelta(days=1)
"""How long an agent that is gone and holds no run stays in the list, for whoever asks what became of it."""


class Mode(StrEnum):
    """What an operator wishes of an agent."""

    SERVING = "serving"
    PAUSED = "paused"  # take nothing new; what runs is followed
    DRAINING = "draining"  # take nothing new, and stop when the last run has ended


class Wish(Frozen):
    """A mode, and why, for everybody to see."""

    mode: Mode = Mode.SERVING
    reason: str = ""
    by: str = ""


class AgentInfo(Frozen):
    """What an agent says of itself with every heartbeat."""

    # In an upgrade, agents of two versions say what they have to say.
    model_config = ConfigDict(extra="ignore")

    name: str
    queues: tuple[str, ...]
    max_jobs: int
    live: int  # runs that it holds; in the list, of one that is gone, those that no other agent has taken over
    host: str
    site: str  # names the machine and the home folder, where objects of local targets are
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime  # the time of its last heartbeat
    wish: Wish = Wish()  # as the agent has heard it
    stopped: bool = False  # it ended in order, and others are to adopt the runs that it left


class AgentStore:
    """Leases on agents' names, and the list of agents."""

    def __init__(self, client: TextClient, keys: Keys, scripts: dict[str, Script]) -> None:
        self._client = client
        self._keys = keys
        self._lease = scripts["lease"]
        self._fence = scripts["fence"]

    def new_fence(self) -> int:
        """A number that no agent session had before, and larger than those that this broker knows."""
        with translated():
            return int(self._fence(keys=[self._keys.fences]))

    def take(self, name: str, session: str, seconds: float, replaces: str = "") -> str:
        """Take the lease on a name if it is free or held by `replaces`. Returns the session that holds it now."""
        return self._call("take", name, session, seconds, replaces)

    def renew(self, name: str, session: str, seconds: float) -> bool:
        """Prolong the lease. False: another session holds the name, and this one must stop writing."""
        return self._call("renew", name, session, seconds) == session

    def release(self, name: str, session: str) -> None:
        """Give the lease back, if this session holds it."""
        self._call("release", name, session, 0)

    def holder(self, name: str) -> str:
        """The session that holds a name; empty when nobody does."""
        with translated():
            return self._client.get(self._keys.agent_lease(name)) or ""

    def _call(self, operation: str, name: str, session: str, seconds: float, replaces: str = "") -> str:
        with translated():
            return str(
                self._lease(
                    keys=[self._keys.agent_lease(name)], args=[operation, session, int(seconds * 1000), replaces]
                )
            )

    def announce(self, info: AgentInfo) -> None:
        """Write what an agent says of itself."""
        with translated():
            self._client.hset(self._keys.agents, info.name, info.model_dump_json())

    def remember(self, info: AgentInfo) -> None:
        """Write what is known of an agent that says nothing of itself; what it said stays."""
        with translated():
            self._client.hsetnx(self._keys.agents, info.name, info.model_dump_json())

    def forget(self, name: str) -> None:
        """Remove an agent from the list, and what was wished of it."""
        with translated():
            self._client.hdel(self._keys.agents, name)
            self._client.hdel(self._keys.agent_wishes, name)

    def get(self, name: str) -> tuple[AgentInfo, bool]:
        """The agent of that name (`gpu@host`, or `gpu` when only one host has it), and whether its lease is alive.

        Raises:
            NotFound: when there is none, or several.
        """
        listed = {info.name: (info, is_alive) for info, is_alive in self.list()}
        matching = [full for full in listed if full == name or full.partition("@")[0] == name]
        if len(matching) > 1 and name not in listed:
            raise NotFound(f"agent {name!r} is on several hosts; give one of {', '.join(matching)}")
        if not matching:
            raise NotFound(f"agent {name!r} does not exist{did_you_mean(name, listed) or '; there is none'}")
        return listed[name if name in listed else matching[0]]

    def set_wish(self, name: str, wish: Wish) -> None:
        """Write what an operator wishes of an agent; it hears of it within a second or two."""
        with translated():
            self._client.hset(self._keys.agent_wishes, name, wish.model_dump_json())

    def wish(self, name: str) -> Wish:
        """What an operator wishes of an agent."""
        with translated():
            text = self._client.hget(self._keys.agent_wishes, name)
        return Wish.model_validate_json(text) if text else Wish()

    def forget_gone(self) -> None:
        """Remove from the list who has stopped or is gone for long.

        One that still holds a run, or is wished to be paused at its return, stays.
        """
        for info, is_alive in self.list():
            is_empty = not info.live and self.wish(info.name).mode is Mode.SERVING
            if not is_alive and is_empty and (info.stopped or now() - info.seen_at > LISTED):
                self.forget(info.name)

    def list(self) -> list[tuple[AgentInfo, bool]]:
        """All agents by name, each with whether its lease is alive."""
        with translated():
            stored = self._client.hgetall(self._keys.agents)
            infos = [AgentInfo.model_validate_json(text) for _, text in sorted(stored.items())]
            with self._client.pipeline(transaction=False) as pipe:
                for info in infos:
                    pipe.exists(self._keys.agent_lease(info.name))
                    pipe.scard(self._keys.agent_runs(info.name))
                replies = pipe.execute()
        return [
            (info, True) if is_alive else (info.model_copy(update={"live": held}), False)
            for info, is_alive, held in zip(infos, replies[::2], replies[1::2], strict=True)
        ]
