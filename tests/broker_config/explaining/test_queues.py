"""What keeps runs in their queue."""

from __future__ import annotations

from typing import Any

import pytest

from broker_config.explaining import queues, runs
from broker_config.explaining.facts import QueueFacts
from broker_config.states import Reason, State
from broker_config.store.agents import AgentInfo, Mode, Wish
from tests.broker_config.explaining.facts import (
    AT,
    a_run,
    ago,
    an_agent,
    codes,
    find,
    queue_facts,
    record,
    run_facts,
)


def test_a_paused_queue_says_who_paused_it_since_when_and_why() -> None:
    paused = find(runs.explain(run_facts(a_run(), queue_facts(record(paused=True), an_agent()))), "queue-paused")

    assert paused.text == "Queue 'gpu-queue' was paused by olga: new driver."
    assert paused.since == ago(90)
    assert paused.command == "launchyard queue resume gpu-queue"


def test_a_full_queue_says_its_limit_and_names_those_that_hold_the_slots() -> None:
    # Given a queue that runs two at once, and two that are live
    live = [a_run(State.RUNNING, Reason.RUNNING, spec={"author": name}) for name in ("bob", "cara")]
    facts = queue_facts(record(max_running=2), an_agent(), counts={State.QUEUED: 3, State.RUNNING: 2}, live=live)

    # When a run that waits there is explained
    limit = find(runs.explain(run_facts(a_run(), facts, ahead=1)), "queue-limit")

    # Then both are named
    assert limit.text == "Queue 'gpu-queue' runs 2 at once, and 2 are live: bob has 1, cara has 1."
    assert codes(limit) == ["slot-holder", "slot-holder"]
    assert limit.causes[0].text == f"Run {live[0].id} (train-1) of bob is running for 2 min."


def test_what_decides_comes_first_and_the_place_in_line_last() -> None:
    facts = queue_facts(record(paused=True, max_running=1), counts={State.QUEUED: 9, State.RUNNING: 1})

    found = runs.explain(run_facts(a_run(), facts, ahead=4))

    assert codes(found) == ["queue-paused", "queue-limit", "no-agent", "in-line"]
    assert found.causes[-1].text == "It is number 5 of 9 that wait, by the time of the launch."


def test_a_run_that_may_have_a_higher_priority_is_told_how() -> None:
    facts = queue_facts(record(prioritization=True), an_agent(max_jobs=0), counts={State.QUEUED: 9})

    line = find(runs.explain(run_facts(run := a_run(), facts, ahead=4)), "in-line")

    assert "its priority is medium" in line.text
    assert line.command == f"launchyard prioritize {run.id} high"


def test_a_run_far_behind_is_told_how_many_wait() -> None:
    line = find(runs.explain(run_facts(a_run(), queue_facts(counts={State.QUEUED: 90_000}), ahead=None)), "in-line")
    assert line.text.startswith("It is far behind in line, among 90000 that wait")


def test_a_queue_that_is_gone_is_said_to_be_gone() -> None:
    facts = QueueFacts(AT, "gpu-queue", [an_agent()])
    assert codes(runs.explain(run_facts(a_run(), facts)))[0] == "queue-gone"


PAUSED, DRAINING = Wish(mode=Mode.PAUSED, reason="upgrade", by="olga"), Wish(mode=Mode.DRAINING)


@pytest.mark.parametrize(
    ("fleet", "code", "of_agents"),
    [
        ([], "no-agent", []),
        ([an_agent(queues=("other",))], "no-agent-for-queue", []),
        ([an_agent(queues=("other",), is_alive=False)], "no-agent", []),
        ([an_agent(is_alive=False)], "agents-away", ["agent-silent"]),
        ([an_agent(is_alive=False, stopped=True)], "agents-away", ["agent-stopped"]),
        ([an_agent(wish=DRAINING)], "agents-away", ["agent-draining"]),
        ([an_agent(seen_at=ago(600))], "agents-away", ["agent-stuck"]),
        ([an_agent(is_alive=False), an_agent(wish=PAUSED)], "agents-away", ["agent-paused", "agent-silent"]),
        ([an_agent(max_jobs=2, live=2), an_agent(is_alive=False)], "agents-full", ["agent-full", "agent-silent"]),
    ],
)
def test_why_no_agent_takes_a_run_is_told_by_how_each_stands(
    fleet: list[tuple[AgentInfo, bool]], code: str, of_agents: list[str]
) -> None:
    cause = runs.explain(run_facts(a_run(), queue_facts(None, *fleet), ahead=0)).causes[0]

    assert (cause.code, codes(cause)) == (code, of_agents)
    assert cause.next_action
    assert cause.command


def test_a_paused_agent_says_who_paused_it_and_why() -> None:
    found = runs.explain(run_facts(a_run(), queue_facts(None, an_agent(wish=PAUSED))))

    paused = find(found, "agent-paused")
    assert paused.text == "Agent one@host is paused by olga: upgrade; it takes nothing new."
    assert paused.command == "launchyard agent resume one@host"


def test_the_first_in_line_is_taken_soon_and_after_a_minute_the_agent_is_deaf() -> None:
    # Given an agent with a place
    facts = queue_facts(None, an_agent())

    # Then a run that just came is taken soon, and one that waits for two minutes shows that nobody listens
    young = a_run().model_copy(update={"since": ago(1)})
    assert codes(runs.explain(run_facts(young, facts, ahead=0))) == ["taken-soon"]
    deaf = runs.explain(run_facts(a_run(), facts, ahead=0)).causes[0]
    assert deaf.code == "agent-deaf"
    assert deaf.text.startswith("1 agent with a place (one@host) did not take it within 2 min")


@pytest.mark.parametrize(
    ("of", "counts", "code", "causes"),
    [
        ({}, {}, "queue-idle", []),
        ({}, {State.QUEUED: 2}, "queue-moves", []),
        ({"paused": True}, {State.QUEUED: 2}, "queue-waits", ["queue-paused"]),
        ({"paused": True}, {}, "queue-idle", ["queue-paused"]),
    ],
)
def test_a_queue_is_explained_by_what_keeps_all_of_its_runs_back(
    of: dict[str, Any], counts: dict[State, int], code: str, causes: list[str]
) -> None:
    found = queues.explain(queue_facts(record(**of), an_agent(), counts=counts), record(**of))
    assert (found.code, codes(found)) == (code, causes)


def test_a_draining_queue_says_so_and_goes_on() -> None:
    draining = record().model_copy(update={"draining": True})
    found = queues.explain(queue_facts(draining, an_agent()), draining)
    assert (found.code, codes(found)) == ("queue-moves", ["queue-draining"])
