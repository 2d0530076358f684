"""Explanations: of runs and queues for those who see them, and of agents for everybody."""

from __future__ import annotations

from broker_config.accounts.rights import Action
from broker_config.explaining.explanation import Explanation
from broker_config.queues import full_name
from broker_config.runs import RunId
from producer.installation import Explanations, Runs
from producer.server.guarded.rights import Rights


class GuardedExplanations:
    def __init__(self, explanations: Explanations, runs: Runs, rights: Rights) -> None:
        """`runs` are those that the principal sees."""
        self._explanations = explanations
        self._runs = runs
        self._rights = rights

    def run(self, run_id: RunId) -> Explanation:
        return self._explanations.run(self._runs.get(run_id).id)

    def queue(self, name: str) -> Explanation:
        self._rights.expect(Action.SEE, full_name(name))
        return self._explanations.queue(name)

    def agent(self, name: str) -> Explanation:
        return self._explanations.agent(name)
