"""After the broker lost its data: the records of live runs, written anew from what the targets have.

`python -m workers.recover` is the program behind `launchyard recover`: it prints one JSON object a line for each object
that it found, and for each target that it could not look at.

An object carries its run's record as it was when the object was submitted. Where the job is by now, its agents find
out: the one that held the run goes on with it, or another one adopts it. Nothing is submitted, cancelled or removed.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points

from broker_config import __version__, passports
from broker_config.errors import Conflict, InvalidRequest, LaunchyardError
from broker_config.frozen import Frozen
from broker_config.runs import Run
from broker_config.settings import Settings, load_settings
from broker_config.states import State
from broker_config.store import Store
from broker_config.store.agents import AgentInfo
from workers.clouds import target_of
from workers.config import load_config
from workers.session import site
from workers.sweep import OBJECT_NAME
from workers.targets.protocol import Phase, Searching, Target, Unlisted


class Outcome(StrEnum):
    """What became of one object's run."""

    RECOVERED = "recovered"
    LOST = "lost"  # a dry run's word for what would be recovered
    KNOWN = "known"  # there is a record, which stays as it is
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"  # the target itself, or places of it: none of the objects there was looked at
    UNSEEN = "unseen"  # where nobody has looked for objects


class Finding(Frozen):
    """One line of output."""

    outcome: Outcome
    resource: str
    name: str = ""  # of the object
    run: str = ""
    queue: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Goes through targets, and restores what the broker does not know."""

    settings: Settings
    store: Store
    queues: frozenset[str]  # empty: all
    is_dry: bool

    def look(self, resource: str) -> Iterator[Finding]:
        """One finding for each run of which the target has an object, or one for a target that does not answer."""
        try:
            target = target_of(load_config(None, self.settings.home).config, resource, self.settings.home)
            if isinstance(target, Searching):
                yield from self._search(resource, target)
            listed, unlisted = _inventory(target)
            names = _newest_attempts(listed)
            seen = target.observe(names)
        except LaunchyardError as error:
            yield Finding(outcome=Outcome.UNREACHABLE, resource=resource, text=str(error))
            return
        if unlisted:
            yield Finding(outcome=Outcome.UNREACHABLE, resource=resource, text=unlisted)
        for name in (name for name in names if name in seen):
            finding = self._finding(resource, name, target, seen[name].phase)
            if not self.queues or finding.queue in self.queues:
                yield finding

    def _search(self, resource: str, target: Searching) -> Iterator[Finding]:
        """Have the target look beyond the places that this machine has used: where queues lead, and where it may."""
        for queue in (record.queue for record in self.store.queues.list()):
            if queue.resource == resource:
                try:
                    target.learn(queue.config)
                except LaunchyardError as error:
                    text = f"where queue {queue.full_name} sends its jobs was not looked at: {error}"
                    yield Finding(outcome=Outcome.UNSEEN, resource=resource, text=text)
        for text in target.search():
            yield Finding(outcome=Outcome.UNSEEN, resource=resource, text=text)

    def _finding(self, resource: str, name: str, target: Target, phase: Phase) -> Finding:
        try:
            run, spec_text = _run_of(target.passport(name), name)
        except LaunchyardError as error:
            return Finding(outcome=Outcome.UNREADABLE, resource=resource, name=name, text=str(error))
        # Where it is beyond that, and how it ended, its agent finds out.
        run = run.model_copy(update={"state": State.RUNNING if phase is Phase.RUNNING else State.STARTING})
        outcome, text = self._restored(run, spec_text, phase)
        return Finding(
            outcome=outcome, resource=resource, name=name, run=run.id, queue=run.spec.queue.full_name, text=text
        )

    def _restored(self, run: Run, spec_text: str, phase: Phase) -> tuple[Outcome, str]:
        if self.is_dry or (self.queues and run.spec.queue.full_name not in self.queues):
            is_known = bool(self.store.runs.get_many([run.id]))
            return (Outcome.KNOWN, "") if is_known else (Outcome.LOST, f"the job is {phase}")
        text = f"The broker had lost its record; {run.submission} was {phase}."
        outcome = Outcome.RECOVERED if self.store.lost.restore(run, spec_text, "recover", text) else Outcome.KNOWN
        current = self.store.runs.get(run.id)
        is_queue_new = False
        if current.state.is_live:
            # Also for a run that is known: an earlier recovery may have died before it came to this.
            self.store.agents.remember(self._holder(current))
            is_queue_new = self._makes_queue(current)
        if outcome is Outcome.KNOWN:
            return outcome, ""
        made = "; its queue was made anew, as the run knew it" if is_queue_new else ""
        return outcome, f"the job is {phase}{made}"

    def _makes_queue(self, run: Run) -> bool:
        try:
            self.store.queues.create(run.spec.queue)
        except Conflict:
            return False
        return True

    def _holder(self, run: Run) -> AgentInfo:
        """The agent that held the run, for the others to see that it is gone, unless it says something itself."""
        return AgentInfo(
            name=run.agent,
            queues=(run.spec.queue.full_name,),
            max_jobs=0,
            live=0,
            host=run.agent.partition("@")[2] or socket.gethostname(),
            site=site(self.settings.home),
            pid=0,
            version=__version__,
            started_at=run.since,
            seen_at=run.since,
        )


def _inventory(target: Target) -> tuple[Sequence[str], str]:
    """The target's objects; and what is told of its places that do not say which they have."""
    try:
        return target.inventory(), ""
    except Unlisted as error:
        if not error.names:
            raise
        return error.names, str(error)


def _newest_attempts(names: Iterable[str]) -> list[str]:
    """The object of the last attempt of each run; what else there is belongs to attempts that have ended."""
    newest: dict[str, tuple[int, str]] = {}
    for name in names:
        if match := OBJECT_NAME.fullmatch(name):
            run_id, attempt = match[1], int(match[2])
            newest[run_id] = max(newest.get(run_id, (0, "")), (attempt, name))
    return sorted(name for _, name in newest.values())


def _run_of(passport: str, name: str) -> tuple[Run, str]:
    """The run that an object carries, and its spec to the letter."""
    if not passport:
        raise InvalidRequest(f"the record that {name} should carry is missing: another program or version submitted it")
    try:
        run, spec_text = passports.read(passport)
    except InvalidRequest as error:
        raise InvalidRequest(f"the record that {name} should carry cannot be read by this version") from error
    if run.submission != name or run.object_name != name.partition("@")[0]:
        raise InvalidRequest(f"{name} carries the record of another object, {run.submission or run.object_name}")
    return run, spec_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the targets given, or at all that are installed. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.recover")
    parser.add_argument("--resource", action="append", default=[])
    parser.add_argument("--queue", action="append", default=[])
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args(arguments)
    resources = given.resource or sorted(entry.name for entry in entry_points(group="launchyard.targets"))
    settings = load_settings()
    try:
        recovery = Recovery(settings, Store(settings), frozenset(given.queue), given.dry_run)
        for resource in resources:
            for finding in recovery.look(resource):
                sys.stdout.write(f"{finding.model_dump_json()}\n")
                sys.stdout.flush()
    except LaunchyardError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
