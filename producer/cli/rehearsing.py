"""What a platform says of the jobs on a queue before the queue is written."""

from __future__ import annotations

from broker_config import resources
from broker_config.checks import refuse
from broker_config.errors import InvalidRequest
from broker_config.findings import Finding, warning
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.trials import IMAGE
from producer.rehearsing import rehearse


def sends_otherwise(before: Queue, after: Queue) -> bool:
    """Whether jobs on a queue become other ones by an edit."""
    return any(getattr(before, name) != getattr(after, name) for name in ("resource", "config", "template_variables"))


def findings(queue: Queue, settings: Settings, wanted: bool | None) -> list[Finding]:
    """What the platform has against jobs on a queue, as warnings. `wanted`: None asks it where that can be done.

    Raises:
        InvalidRequest: when it has to be asked and cannot be.
        InvalidConfig: when it has to be asked, and would refuse them.
    """
    can_say = resources.load(queue.resource).is_rehearsed
    if wanted and not can_say:
        raise InvalidRequest(f"--rehearse: nobody can be asked about jobs on {queue.resource!r}; leave it out")
    if wanted is False or not can_say:
        return []
    heard = rehearse(queue, settings)
    if heard.unasked and wanted:
        raise InvalidRequest(f"--rehearse: {queue.resource} could not be asked: {heard.unasked}")
    if heard.unasked:
        cure = f"where there is a way to it, ask with: launchyard queue edit {queue.full_name} --rehearse"
        return [warning("", f"{queue.resource} was not asked what it says to such jobs: {heard.unasked}; {cure}")]
    found = [Finding(note.severity, note.pointer, note.text) for note in heard.notes]
    if any(one.is_error for one in found):
        found.append(_stand_ins(queue))
    if wanted:
        refuse(queue, found)
    # Agents may have other rights, and jobs have what nobody could fill in here.
    return [_doubted(one) if one.is_error else one for one in found]


def _doubted(refusal: Finding) -> Finding:
    return warning(refusal.pointer, f"jobs would be refused from here: {refusal.text}")


def _stand_ins(queue: Queue) -> Finding:
    """What a job on the queue was given that no launch has said."""
    guessed = [name for name, variable in queue.template_variables.items() if variable.is_guessed]
    values = [f"{{{{{name}}}}}={queue.template_variables[name].sample!r}" for name in guessed]
    return warning("", f"what was asked about had stand-ins: {', '.join([f'the image {IMAGE}', *values])}")
