"""What an agent's config names, and whether all of it can be reached from here.

`python -m workers.check` is the program behind `launchyard agent check`. Each look is one line, or an object of JSON.
One that fails does not keep the next from being taken, unless that stands on it.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from broker_config import resources
from broker_config.errors import ConfigError, LaunchyardError
from broker_config.history import open_history
from broker_config.looks import Look, Status
from broker_config.places import open_place
from broker_config.queues import Queue
from broker_config.settings import Settings, load_settings
from broker_config.store import Store
from broker_config.trials import trial_of
from workers import families
from workers.clouds import environment_of, registry_of, target_of
from workers.config import AgentConfig, load_config
from workers.members import BUILDER_PREFERENCE, runs_images
from workers.permissions import permissions
from workers.queues import queue_of
from workers.rehearsal import rehearse
from workers.sources.git.credentials import look
from workers.trust import seals_of

EXIT_FAILED = 6  # as the command line ends for a config that cannot work


def check(settings: Settings, path: Path | None, **flags: Any) -> Iterator[Look]:
    """Look at everything that an agent with this config and these flags needs."""
    try:
        loaded = load_config(path, settings.home, **flags)
    except ConfigError as error:
        yield Look(Status.FAILED, "config", str(error))
        return
    yield Look(Status.OK, "config", f"{loaded.path or 'no file'}, {_count(len(loaded.config.queues), 'queue')}")
    yield from (Look(Status.WARNING, "config", note) for note in loaded.notes)
    if not loaded.config.queues:
        yield Look(Status.FAILED, "config", "there is no queue to serve; name one with -q, or list queues in the file")
    if (line := _signatures(settings, loaded.config)) is not None:
        yield line
    store = Store(settings)
    try:
        queues = yield from _queues(store, loaded.config)
    finally:
        store.close()
    platforms = sorted({queue.resource for queue in queues})
    yield from _builder(loaded.config, settings.home, any(runs_images(platform) for platform in platforms))
    yield from _environment(loaded.config)
    yield from _registry(loaded.config)
    yield from (_line(f"git {one.host}", partial(look, one)) for one in loaded.config.git.credentials)
    yield from _code_store(settings)
    yield from _history(settings)
    for queue in queues:
        if resources.load(queue.resource).is_rehearsed:
            yield from _jobs(queue, settings)
        yield from _permissions(queue, loaded.config, settings)
    for platform in platforms:
        yield _target(platform, loaded.config, settings.home)


def _signatures(settings: Settings, config: AgentConfig) -> Look | None:
    """Whether runs have to be signed; None where nobody speaks of keys."""
    try:
        seals = seals_of(settings, config)
    except ConfigError as error:
        return Look(Status.FAILED, "signatures", str(error))
    if seals.keyring is None:
        return None
    names = " or ".join(seals.keyring.keys)
    if seals.are_required:
        return Look(Status.OK, "signatures", f"runs have to be signed with {names}")
    return Look(
        Status.WARNING, "signatures", f"require_signature is false, so runs need none, although there is {names}"
    )


def _queues(store: Store, config: AgentConfig) -> Generator[Look, None, list[Queue]]:
    """The lines of the broker and of each queue; returns the queues that are there."""
    found: list[Queue] = []
    try:
        store.queues.list()
    except LaunchyardError as error:
        yield Look(Status.FAILED, "broker", str(error))
        return found
    yield Look(Status.OK, "broker", "answers")
    for name in config.queues:
        try:
            queue = queue_of(store.queues, name, config.entity)
        except LaunchyardError as error:
            yield Look(Status.FAILED, f"queue {name}", str(error))
            continue
        found.append(queue)
        yield Look(Status.OK, f"queue {name}", f"of entity {queue.entity}, on resource {queue.resource}")
    return found


def _builder(config: AgentConfig, home: Path, is_needed: bool) -> Iterator[Look]:
    named = config.builder.type if config.builder else None
    if not (named or is_needed):
        return
    choices = (named,) if named else tuple(BUILDER_PREFERENCE)
    for choice in choices:
        try:
            builder = families.load("builders", choice)(home, config.block_of(choice))
            lacks = builder.check()
        except LaunchyardError as error:
            yield Look(Status.FAILED if named else Status.WARNING, f"builder {choice}", str(error))
            continue
        yield Look(
            Status.OK,
            f"builder {choice}",
            "works here" if named else f"is taken, as the config names none and {BUILDER_PREFERENCE[choice]}",
        )
        yield from (Look(Status.WARNING, f"builder {choice}", text) for text in lacks)
        return


def _environment(config: AgentConfig) -> Iterator[Look]:
    if config.environment is not None:
        kind = config.environment.type
        yield _line(f"environment {kind}", lambda: environment_of(config, kind).identity())


def _registry(config: AgentConfig) -> Iterator[Look]:
    if config.destination is not None:
        destination = config.destination
        yield _line(f"registry {destination.uri}, push", lambda: registry_of(config, destination).check())
        yield _line(f"registry {destination.uri}, pull", lambda: registry_of(config, destination).check_pull())


def _line(subject: str, look: Callable[[], str]) -> Look:
    try:
        return Look(Status.OK, subject, look())
    except LaunchyardError as error:
        return Look(Status.FAILED, subject, str(error))


def _code_store(settings: Settings) -> Iterator[Look]:
    if (url := settings.code_store) is not None:

        def look() -> str:
            open_place(url).exists("launchyard-check")
            return "answers"

        yield _line(f"code store {url}", look)


def _history(settings: Settings) -> Iterator[Look]:
    if (url := settings.history) is not None:

        def look() -> str:
            history = open_history(url)
            history.check()
            return f"{history.url} can be written"

        yield _line("history", look)


def _target(resource: str, config: AgentConfig, home: Path) -> Look:
    # Asks the platform with the credentials that submit will have.
    def look() -> str:
        held = target_of(config, resource, home).inventory()
        return f"answers, and has {_count(len(held), 'object')} of ours"

    return _line(f"target {resource}", look)


def _jobs(queue: Queue, settings: Settings) -> Iterator[Look]:
    """What the platform says to jobs on a queue, which may name a cluster of its own."""
    subject = f"jobs on queue {queue.full_name}"
    heard = rehearse(trial_of(queue, settings.author).specs, settings.home)
    if heard.unasked:
        yield Look(Status.FAILED, subject, heard.unasked)
    # What is said against a stand-in need not be said against a job.
    yield from (Look(Status.WARNING, subject, note.text) for note in heard.notes)
    if not (heard.unasked or heard.notes):
        yield Look(Status.OK, subject, "the platform would take them")


def _permissions(queue: Queue, config: AgentConfig, settings: Settings) -> Iterator[Look]:
    """What an agent has to be allowed for the queue, and what of that it is not, where the platform tells."""
    subject = f"permissions for queue {queue.full_name}"
    try:
        found = permissions(trial_of(queue, settings.author).specs[0], config, settings.home)
    except LaunchyardError as error:
        yield Look(Status.FAILED, subject, str(error))
        return
    if found is None:
        return
    if found.missing:
        yield Look(Status.FAILED, subject, f"these are missing: {', '.join(found.missing)}; the policy has them")
    else:
        yield Look(Status.OK, subject, "those that can be asked about are there")
    yield Look(Status.OK, f"policy for queue {queue.full_name}", json.dumps(found.policy))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at the config of the command line. Returns the exit code."""
    parser = ArgumentParser(prog="python -m workers.check")
    parser.add_argument("--queue", action="append", dest="queues")
    parser.add_argument("--entity")
    parser.add_argument("--launch-config", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    lines = []
    for line in check(load_settings(), given.launch_config, queues=given.queues, entity=given.entity):
        lines.append(line)
        if not given.json:
            sys.stdout.write(f"{line.status:7}  {line.subject}: {line.text}\n")
            sys.stdout.flush()
    failed = any(line.status is Status.FAILED for line in lines)
    if given.json:
        document = {"ok": not failed, "checks": [asdict(line) for line in lines]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
