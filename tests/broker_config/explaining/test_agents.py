"""How an agent stands."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.explaining import agents
from broker_config.explaining.explanation import Explanation
from broker_config.explaining.facts import AgentFacts
from tests.broker_config.explaining.facts import AT, ago, an_agent, codes


def explained(agent: dict[str, Any], **facts: Any) -> Explanation:
    info, is_alive = an_agent(**agent)
    return agents.explain(AgentFacts(AT, info, is_alive, facts.pop("version", info.version), **facts))


@pytest.mark.parametrize(
    ("agent", "facts", "code", "causes"),
    [
        ({}, {}, "agent-serves", ["queue-idle"]),
        ({}, {"waiting": 3}, "agent-serves", ["queue-moves"]),
        ({}, {"closed": {"gpu-queue": "paused"}}, "agent-serves", ["agent-queues-closed", "queue-idle"]),
        ({"max_jobs": 1, "live": 1}, {"waiting": 3}, "agent-full", []),
        ({"is_alive": False}, {"version": "9"}, "agent-silent", ["agent-version"]),
        ({"seen_at": ago(300)}, {}, "agent-stuck", []),
    ],
)
def test_an_agent_is_explained_by_how_it_stands_and_what_its_queues_have(
    agent: dict[str, Any], facts: dict[str, Any], code: str, causes: list[str]
) -> None:
    found = explained(agent, **facts)
    assert (found.code, codes(found)) == (code, causes)


def test_of_its_queues_only_numbers_are_told() -> None:
    found = explained({"queues": ("leo/mine", "b", "c")}, closed={"leo/mine": "paused", "b": "full"}, waiting=1)

    assert found.causes[0].text == "Of the 3 queues that it serves, 1 full, 1 paused: of those it takes nothing."
    assert "leo/mine" not in found.model_dump_json()
