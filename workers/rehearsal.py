"""What a target would say to a run, asked before there is one.

`python -m workers.rehearsal` is the program behind `launchyard queue create --rehearse`: one JSON document in, a
`Trial`, and one out, a `Rehearsal`. Nothing is built or submitted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker_config.errors import ConfigError, InvalidRequest, TemporaryError
from broker_config.findings import Severity
from broker_config.plans import Note, Rehearsal, Trial
from broker_config.runs import RunSpec
from broker_config.settings import load_settings
from workers import families
from workers.failures import RunFailed
from workers.planned import planned_workload
from workers.targets.protocol import Rehearsing, Target


def rehearse(specs: Sequence[RunSpec], home: Path) -> Rehearsal:
    """What the platform says of runs on one queue, each thing once, where this machine has a way to it."""
    resource = specs[0].queue.resource
    if resource not in families.names("targets"):
        return Rehearsal()
    try:
        target: Target = families.load("targets", resource)(home)
        notes = dict.fromkeys(note for spec in specs for note in _notes(target, spec))
    except (ConfigError, TemporaryError) as error:
        # The words of a client may have several lines.
        return Rehearsal(unasked=" ".join(str(error).split()))
    return Rehearsal(notes=tuple(notes))


def _notes(target: Target, spec: RunSpec) -> Iterator[Note]:
    if not isinstance(target, Rehearsing):
        return
    try:
        request = target.render(planned_workload(spec, target.artifact))
    except (InvalidRequest, RunFailed) as error:
        yield Note(severity=Severity.ERROR, text=str(error))
        return
    for one in target.rehearse(request):
        yield Note(severity=one.severity, pointer=one.pointer, text=one.text)


def main() -> int:
    """Answer the trial on stdin. Returns the exit code."""
    # What members say of themselves is for an agent's log.
    logging.getLogger("workers").addHandler(logging.NullHandler())
    trial = Trial.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(rehearse(trial.specs, load_settings().home).model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
