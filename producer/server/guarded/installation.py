"""See `producer.installation.Installation`."""

from __future__ import annotations

from producer.installation import Installation
from producer.server.guarded.accounts import GuardedAccounts
from producer.server.guarded.explaining import GuardedExplanations
from producer.server.guarded.fleet import GuardedAgents, GuardedCode, GuardedImages, GuardedOrphans
from producer.server.guarded.queues import GuardedJobs, GuardedLaunches, GuardedQueues, GuardedRuns
from producer.server.guarded.rights import Rights


class Guarded:
    """See `producer.installation.Installation`."""

    def __init__(self, installation: Installation, rights: Rights) -> None:
        self._installation = installation
        self.accounts = GuardedAccounts(installation.accounts, rights)
        self.queues = GuardedQueues(installation.queues, rights)
        self.launches = GuardedLaunches(installation.launches, rights)
        self.runs = GuardedRuns(installation.runs, rights)
        self.agents = GuardedAgents(installation.agents, rights)
        self.explanations = GuardedExplanations(installation.explanations, self.runs, rights)
        self.orphans = GuardedOrphans(installation.orphans, rights)
        self.images = GuardedImages(installation.images, rights)
        self.code = GuardedCode(installation.code, rights)
        self.jobs = GuardedJobs(installation.jobs, rights)

    def close(self) -> None:
        """Nothing is opened for one principal."""
