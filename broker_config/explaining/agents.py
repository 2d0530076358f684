"""How an agent stands: whether it takes runs, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from broker_config.explaining import fleet
from broker_config.explaining.explanation import Code, Explanation
from broker_config.explaining.facts import AgentFacts
from broker_config.explaining.wording import count


def explain(facts: AgentFacts) -> Explanation:
    """The tree of reasons of an agent. Of its queues, which may be others' own, it tells numbers alone."""
    stand = fleet.agent(facts.info, facts.is_alive, facts.at)
    return stand.model_copy(update={"causes": tuple(_causes(facts, stand.code))})


def _causes(facts: AgentFacts, code: str) -> Iterator[Explanation]:
    info, serves = facts.info, count(len(facts.info.queues), "queue")
    if facts.is_alive and facts.closed:
        why = ", ".join(f"{number} {what}" for what, number in sorted(Counter(facts.closed.values()).items()))
        yield Explanation(
            code=Code.AGENT_QUEUES_CLOSED,
            text=f"Of the {serves} that it serves, {why}: of those it takes nothing.",
            next_action="See which, and why.",
            command="launchyard queue list",
        )
    if facts.is_alive and code == Code.AGENT_SERVES:
        waiting = (
            f"{count(facts.waiting, 'run')} wait in line there" if facts.waiting else "nothing waits in line there"
        )
        yield Explanation(
            code=Code.QUEUE_MOVES if facts.waiting else Code.QUEUE_IDLE, text=f"It serves {serves}; {waiting}."
        )
    if info.version != facts.version:
        yield Explanation(
            code=Code.AGENT_VERSION,
            text=f"It runs version {info.version} of Launchyard, and here is {facts.version}.",
            next_action="Restart it with this version when it suits; its jobs go on.",
        )
