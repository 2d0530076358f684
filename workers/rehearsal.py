"""What a target would say to a run, asked before there is one.

`python -m workers.rehearsal` is the program behind `launchyard queue create --rehearse`: one JSON document in, a
`Trial`, and one out, a `Rehearsal`. Nothing is built or submitted.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from broker_config.errors import ConfigError, LaunchyardError, TemporaryError
from broker_config.findings import Severity
from broker_config.plans import Note, Rehearsal, Trial
from broker_config.settings import load_settings
from workers import families
from workers.planned import planned_workload
from workers.targets.protocol import Rehearsing, Request, Target


def rehearse(resource: str, request: Request, home: Path) -> Rehearsal:
    """What the platform has against a request, where this machine has a way to it."""
    if resource not in families.names("targets"):
        return Rehearsal()
    try:
        target = families.load("targets", resource)(home)
        found = target.rehearse(request) if isinstance(target, Rehearsing) else ()
    except (ConfigError, TemporaryError) as error:
        return Rehearsal(unasked=str(error))
    return Rehearsal(notes=tuple(Note(severity=one.severity, pointer=one.pointer, text=one.text) for one in found))


def _answer(trial: Trial, home: Path) -> Rehearsal:
    """What is said of any of the runs, each thing once."""
    notes: dict[Note, None] = {}
    for spec in trial.specs:
        try:
            target: Target = families.load("targets", spec.queue.resource)(home)
            request = target.render(planned_workload(spec, target.artifact))
        except ConfigError as error:
            return Rehearsal(unasked=str(error))
        except LaunchyardError as error:
            notes[Note(severity=Severity.ERROR, text=str(error))] = None
            continue
        heard = rehearse(spec.queue.resource, request, home)
        if heard.unasked:
            return heard
        notes |= dict.fromkeys(heard.notes)
    return Rehearsal(notes=tuple(notes))


def main() -> int:
    """Answer the trial on stdin. Returns the exit code."""
    # What members say of themselves is for an agent's log.
    logging.getLogger("workers").addHandler(logging.NullHandler())
    trial = Trial.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(_answer(trial, load_settings().home).model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
