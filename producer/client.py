"""The client: launches jobs, and finds runs again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Unpack

from broker_config.build_requests import BuildAnswer, BuildRequest
from broker_config.errors import CodeNotStored, LaunchyardError, NotFound, did_you_mean
from broker_config.explaining.explanation import Explanation
from broker_config.frozen import parse
from broker_config.named_jobs import JobVersion
from broker_config.plans import Plan
from broker_config.queues import full_name
from broker_config.runs import RUN_ID_PREFIX, Launch, Run, RunId
from broker_config.settings import Settings, load_settings
from broker_config.store import Store
from broker_config.wanted import Wanted, WantedFields
from producer.asking import ask
from producer.handle import RunHandle
from producer.installation import Accounts, Agents, Code, Images, Installation, Orphans, Queues
from producer.launches import LaunchFields, NewRun, Preparation
from producer.named_jobs import Jobs
from producer.on_broker import OnBroker
from producer.over_http.connection import Connection
from producer.over_http.installation import OverHttp
from producer.packing import Archive
from producer.progress import Progress, Silent
from producer.storing import store
from producer.variables import QueueHandle


class Client:
    """A connection to one installation. Safe to share between threads."""

    def __init__(self, settings: Settings | None = None, **overrides: Any) -> None:
        """Settings come from `settings`, else from the environment and files; `overrides` are laid over them.

        Raises:
            ConfigError: when a setting is wrong.
            BrokerUnavailable: when the embedded broker is needed and cannot be started.
        """
        if settings is None:
            self.settings = load_settings(**overrides)
        else:
            self.settings = parse(Settings, {**settings.model_dump(), **overrides}, "settings")
        self.progress: Progress = Silent()
        self._installation = _installation(self.settings)
        self._launches = self._installation.launches
        self._runs = self._installation.runs

    @property
    def queues(self) -> Queues:
        """Create, read, edit, pause and delete queues, but not other authors' private ones."""
        return self._installation.queues

    @property
    def jobs(self) -> Jobs:
        """Create and read named jobs."""
        return Jobs(self._installation, self.settings.largest_code_bytes, self.progress)

    @property
    def accounts(self) -> Accounts:
        """See and make users, teams, service accounts and API keys."""
        return self._installation.accounts

    @property
    def agents(self) -> Agents:
        """See agents, and say what they are to do."""
        return self._installation.agents

    @property
    def orphans(self) -> Orphans:
        """See and remove objects at the targets that belong to no run."""
        return self._installation.orphans

    @property
    def images(self) -> Images:
        """See and remove what was built."""
        return self._installation.images

    @property
    def code(self) -> Code:
        """See and drop code archives."""
        return self._installation.code

    def close(self) -> None:
        """Close the connections."""
        self._installation.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self, **fields: Unpack[LaunchFields]) -> RunHandle:
        """Put one job on a queue.

        `source` is a source, a folder, a git URL (`https://host/repository.git@ref`) or an image with its tag, and
        `job` in its place names a job that has one; `LaunchFields` tells of the others. With an `idempotency_key` that
        this queue knows, the run of the earlier launch is returned and nothing is written.

        Raises:
            InvalidRequest: when a field is wrong, or the queue could not take it. Nothing was written.
            NotFound: when there is no such queue or named job.
            NotPermitted: when the queue is private to another author, or the broker's user may not launch on it.
            Conflict: when the idempotency key stands for another launch.
            BrokerUnavailable: when the broker does not answer; behind Sentinel, for longer than a failover takes.
            BrokerFull: when the broker has no memory left. Nothing was written.
            NotReplicated: when it is written, and too few replicas have it.
        """
        return self.enqueue_many([fields])[0]

    def plan(self, *, diff: str | None = None, **fields: Unpack[LaunchFields]) -> Plan:
        """See what the target would be sent for a launch, which is not made. The fields are those of `launch`.

        `diff` is the id of an earlier run to compare with. Code is stored, as a launch would do.

        Raises:
            InvalidRequest, NotFound, BrokerUnavailable, NotPermitted: as for `launch`. What only the queue's owner or
                the target has against it is among the notes of the plan.
        """
        run = self._considered(fields)
        return self._launches.plan(run, self.run(diff).run.spec if diff else None)

    def build(self, *, dockerfile_only: bool = False, **fields: Unpack[LaunchFields]) -> BuildAnswer:
        """Build the image of a launch on this machine, and launch nothing. The fields are those of `launch`.

        With `dockerfile_only` the answer is the Dockerfile, and nothing is built. A build's output goes to stderr.

        Raises:
            InvalidRequest, NotFound, BrokerUnavailable, NotPermitted: as for `launch`.
            LaunchyardError: when there is nothing to build, or the build failed; the text says why.
        """
        spec = self._launches.spec(self._considered(fields))
        question = BuildRequest(spec=spec, dockerfile_only=dockerfile_only)
        answer = BuildAnswer.model_validate_json(ask("workers.build", question, self.settings, shows_stderr=True))
        if answer.error:
            raise LaunchyardError(answer.error)
        return answer

    def launch_plan(self, plan: Plan) -> RunHandle:
        """Make the launch that a plan shows, and no other one. Made twice it is one run.

        Raises:
            InvalidRequest: when the plan says that the launch cannot work.
            Conflict: when the queue was edited since, or the plan was changed.
            NotFound, TemporaryError: as for `launch`.
        """
        return self._handle(self._launches.enqueue_plan(plan))

    def enqueue_many(self, launches: Iterable[Launch | LaunchFields]) -> list[RunHandle]:
        """Put many jobs on their queues; the handles are in the order given.

        All are checked before the first is written. Each queue's runs are written in steps of several hundred.

        Raises:
            InvalidRequest, NotFound, Conflict, TemporaryError, NotPermitted: as for `launch`. Of a broker that fails in
                the middle, an error may leave the first steps written; with idempotency keys, launch all of them again.
        """
        preparation = self._preparation()
        prepared = [preparation.prepare(launch) for launch in launches]
        runs = [one.new_run() for one in prepared]
        archives = {id(one.archive): one.archive for one in prepared if one.archive}.values()
        if archives:
            self._launches.check(runs)
            self._store(archives)
        try:
            written = self._launches.enqueue(runs)
        except CodeNotStored:
            # It was stored so long ago that it was swept away: this process was stopped, or a failover took it.
            if not archives:
                raise
            self._store(archives)
            written = self._launches.enqueue(runs)
        return [self._handle(run_id) for run_id in written]

    def _store(self, archives: Iterable[Archive]) -> None:
        for archive in archives:
            store(self.code, archive, self.progress)

    def queue(self, name: str) -> QueueHandle:
        """The queue of that name, as it is now.

        Raises:
            NotFound: when there is none; the error names near misses.
        """
        return QueueHandle(self.queues.get(full_name(name)))

    def run(self, id_or_prefix: str) -> RunHandle:
        """The run of that id, or whose id alone begins like that.

        Raises:
            NotFound: when there is none, or it is on a private queue of another author.
            InvalidRequest: when there are several.
        """
        found = self._runs.find(id_or_prefix)
        return self._handle(found.id, found)

    def explain(self, word: str) -> Explanation:
        """Why a queue, an agent or a run is as it is: whichever has that name, a run also by the beginning of its id.

        Raises:
            NotFound: when nothing has it; the error names near misses.
            InvalidRequest: when several runs begin like that.
        """
        queues = [record.name for record in self.queues.list()]
        if full_name(word) in queues:
            return self.explain_queue(word)
        agents = [info.name for info, _ in self.agents.list()]
        if any(word in {name, name.partition("@")[0]} for name in agents):
            return self.explain_agent(word)
        if RUN_ID_PREFIX.fullmatch(word):
            with suppress(NotFound):
                return self.run(word).explain()
        cure = did_you_mean(word, [*queues, *agents]) or "; see launchyard runs, queue list and agents"
        raise NotFound(f"no run, queue or agent is called {word!r}{cure}")

    def explain_queue(self, name: str) -> Explanation:
        """Why the runs of a queue wait.

        Raises:
            NotFound: when there is no such queue.
        """
        return self._installation.explanations.queue(full_name(name))

    def explain_agent(self, name: str) -> Explanation:
        """Why an agent takes runs, or does not.

        Raises:
            NotFound: when there is none of that name, or several.
        """
        return self._installation.explanations.agent(name)

    def runs(self, *, history: bool = False, **wanted: Unpack[WantedFields]) -> Iterator[RunHandle]:
        """The runs on the broker, or those of the history, newest first: all of them, or those that are wanted.

        Raises:
            InvalidRequest: when a field is wrong.
            NotFound: when there is no history, or it is not known here.
        """
        asked = parse(Wanted, wanted, "runs")
        for run in self._runs.kept(asked) if history else self._runs.newest():
            if asked.has(run):
                yield self._handle(run.id, run)

    def _handle(self, run_id: RunId, run: Run | None = None) -> RunHandle:
        return RunHandle(self._installation, run_id, run)

    def _preparation(self) -> Preparation:
        return Preparation(self.settings.largest_code_bytes, self.progress, self._find_job)

    def _find_job(self, reference: str, queue: str) -> JobVersion:
        return self.jobs.get(reference, self.queues.get(queue).queue.entity)

    def _considered(self, fields: LaunchFields) -> NewRun:
        """A run that is not made; the code that it would need is in the store."""
        prepared = self._preparation().prepare(fields)
        if prepared.archive:
            self._store([prepared.archive])
        return prepared.new_run()


def _installation(settings: Settings) -> Installation:
    if settings.server_url:
        return OverHttp(Connection(settings.server_url, settings.api_key))
    return OnBroker(Store(settings), settings)


@cache
def default_client() -> Client:
    """The client of the module-level functions, with the settings of the environment; made on first use."""
    return Client()


def launch(**fields: Unpack[LaunchFields]) -> RunHandle:
    """Put one job on a queue, with the settings of the environment. See `Client.launch`."""
    return default_client().launch(**fields)
