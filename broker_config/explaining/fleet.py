"""What agents have to do with a queue that waits: none is there, none serves it, or none has a place."""

from __future__ import annotations

from datetime import datetime, timedelta

from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import QueueFacts
from broker_config.explaining.wording import count, span
from broker_config.store.agents import AgentInfo, Mode

NAMED = 10
"""Most agents that one explanation names."""

STUCK = timedelta(seconds=60)
"""An agent that renews its lease says what it does every few seconds; after so long something in it hangs."""

DEAF = timedelta(seconds=60)
"""Orders leave within a second or two; after so long an agent with a place does not hear of them."""


def agent(info: AgentInfo, is_alive: bool, at: datetime) -> Explanation:
    """How one agent stands."""
    if not is_alive:
        return _gone(info, at)
    if info.wish.mode is not Mode.SERVING:
        return _told(info)
    if at - info.seen_at > STUCK:
        return Explanation(
            code=Code.AGENT_STUCK,
            text=f"Agent {info.name} holds its lease, and has said nothing for {span(at - info.seen_at)}.",
            since=info.seen_at,
            next_action=f"See its log on {info.host}; restart it, which leaves its jobs alone.",
            command="launchyard agents",
        )
    if 0 <= info.max_jobs <= info.live:
        return Explanation(
            code=Code.AGENT_FULL,
            text=f"Agent {info.name} has {info.live} of at most {count(info.max_jobs, 'run')}.",
            next_action="Wait, start another agent, or raise its max_jobs.",
        )
    room = "any number of runs" if info.max_jobs < 0 else f"at most {info.max_jobs}"
    return Explanation(code=Code.AGENT_SERVES, text=f"Agent {info.name} takes runs: it has {info.live} of {room}.")


def _gone(info: AgentInfo, at: datetime) -> Explanation:
    held = f", and left {count(info.live, 'run')}" if info.live else ""
    if info.stopped:
        code, text = Code.AGENT_STOPPED, f"Agent {info.name} was stopped{held}."
    else:
        code = Code.AGENT_SILENT
        text = f"Agent {info.name} is silent for {span(at - info.seen_at)}; its lease is over{held}."
    return Explanation(
        code=code,
        text=text,
        since=info.seen_at,
        next_action=f"Start it again on {info.host}, under the same name.",
        command=f"launchyard agent -q {','.join(info.queues)}" if len(info.queues) == 1 else "launchyard agents",
    )


def _told(info: AgentInfo) -> Explanation:
    wish = info.wish
    by, why = (f" by {wish.by}" if wish.by else ""), (f": {wish.reason}" if wish.reason else "")
    if wish.mode is Mode.PAUSED:
        code, what = Code.AGENT_PAUSED, "takes nothing new"
    else:
        code, what = Code.AGENT_DRAINING, f"takes nothing new, and stops after its last of {count(info.live, 'run')}"
    return Explanation(
        code=code,
        text=f"Agent {info.name} is {wish.mode}{by}{why}; it {what}.",
        next_action="Have it take runs again.",
        command=f"launchyard agent resume {info.name}",
    )


def obstacle(facts: QueueFacts) -> Explanation | None:
    """Why no agent takes a run of the queue; None: one has a place for it."""
    serving = [(info, is_alive) for info, is_alive in facts.fleet if facts.name in info.queues]
    if not serving:
        return _nobody(facts)
    stand = [agent(info, is_alive, facts.at) for info, is_alive in serving]
    codes = {one.code for one in stand}
    if Code.AGENT_SERVES in codes:
        return None
    if Code.AGENT_FULL in codes:
        full = sum(one.code == Code.AGENT_FULL for one in stand)
        return Explanation(
            code=Code.AGENTS_FULL,
            text=f"Each of {count(full, 'agent')} that takes runs of queue {facts.name!r} has as many as it may.",
            next_action="Wait for one of their runs to end, start another agent, or raise max_jobs.",
            command=f"launchyard agent -q {facts.name}",
            causes=tuple(stand[:NAMED]),
        )
    return Explanation(
        code=Code.AGENTS_AWAY,
        text=f"None of {count(len(stand), 'agent')} for queue {facts.name!r} takes runs.",
        since=max(info.seen_at for info, _ in serving),
        next_action="Resume or restart one of them, or start another one.",
        command=next((one.command for one in stand if one.command), f"launchyard agent -q {facts.name}"),
        causes=tuple(sorted(stand, key=lambda one: one.code not in _ALIVE)[:NAMED]),
    )


_ALIVE = frozenset(map(str, (Code.AGENT_PAUSED, Code.AGENT_DRAINING, Code.AGENT_STUCK)))
"""Those that can take runs again soonest."""


def _nobody(facts: QueueFacts) -> Explanation:
    alive = sum(is_alive for _, is_alive in facts.fleet)
    resource = f", whose resource is {facts.record.queue.resource}" if facts.record else ""
    if alive:
        text = f"{count(alive, 'agent')} alive, and none serves queue {facts.name!r}{resource}."
    else:
        text = f"No agent is alive, and none is known for queue {facts.name!r}{resource}."
    return Explanation(
        code=Code.NO_AGENT_FOR_QUEUE if alive else Code.NO_AGENT,
        text=text,
        next_action="Start an agent for it on a machine that reaches this resource.",
        command=f"launchyard agent -q {facts.name}",
    )


def unheard(facts: QueueFacts, since: datetime) -> Explanation | None:
    """Why the first run in line is not taken although an agent has a place; None: it has not waited for long."""
    if facts.at - since <= DEAF:
        return None
    idle = [
        info
        for info, is_alive in facts.fleet
        if facts.name in info.queues and agent(info, is_alive, facts.at).code == Code.AGENT_SERVES
    ]
    return Explanation(
        code=Code.AGENT_DEAF,
        text=f"{count(len(idle), 'agent')} with a place ({', '.join(info.name for info in idle[:NAMED])}) did not take "
        f"it within {span(facts.at - since)}, although nothing is before it.",
        since=since,
        next_action="See the agent's log for its connection to the broker; restart it, which leaves its jobs alone.",
        command="launchyard agents",
    )


def holder(fleet_of: QueueFacts, name: str) -> Explanation | None:
    """How the agent of a live run stands, where that is why it does not move: None, when it is alive."""
    found = next(((info, is_alive) for info, is_alive in fleet_of.fleet if info.name == name), None)
    if found is None:
        return Explanation(
            code=Code.AGENT_SILENT,
            text=f"Agent {name}, which holds the run, is not known any more.",
            next_action="Start an agent for the queue, which takes the run over.",
            command=f"launchyard agent -q {fleet_of.name}",
        )
    stand = agent(*found, fleet_of.at)
    return stand if stand.code in {Code.AGENT_SILENT, Code.AGENT_STOPPED, Code.AGENT_STUCK} else None
