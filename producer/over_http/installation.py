"""See `producer.installation.Installation`: each call is one request."""

from __future__ import annotations

from producer.over_http.accounts import AccountsOverHttp
from producer.over_http.connection import Connection
from producer.over_http.fleet import AgentsOverHttp, CodeOverHttp, ImagesOverHttp, OrphansOverHttp
from producer.over_http.queues import JobsOverHttp, LaunchesOverHttp, QueuesOverHttp
from producer.over_http.runs import ExplanationsOverHttp, RunsOverHttp


class OverHttp:
    """An installation behind a server, which knows the author by the API key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.accounts = AccountsOverHttp(connection)
        self.queues = QueuesOverHttp(connection)
        self.launches = LaunchesOverHttp(connection)
        self.runs = RunsOverHttp(connection)
        self.agents = AgentsOverHttp(connection)
        self.explanations = ExplanationsOverHttp(connection)
        self.orphans = OrphansOverHttp(connection)
        self.images = ImagesOverHttp(connection)
        self.code = CodeOverHttp(connection)
        self.jobs = JobsOverHttp(connection)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
