"""A job is made once, however often and by however many agents it is sent.

Vertex AI gives every job an id of its own, so no name keeps a second one from being made. Jobs are looked for by their
labels before and after: of several the oldest stays, for everybody who looks, and the others are cancelled.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from google.cloud.aiplatform_v1.types import CustomJob

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.protocol import Request
from workers.targets.starting import PREFIX
from workers.targets.throttling import Throttled
from workers.targets.vertex import secrets, vault
from workers.targets.vertex.handles import Handle
from workers.targets.vertex.jobs import Job
from workers.targets.vertex.labels import REQUEST
from workers.targets.vertex.places import Place
from workers.targets.vertex.render import VARIABLES

QUOTA_SECONDS = 60.0
"""Until a job is sent again for which the project has no quota left."""

PASSPORT = "LAUNCHYARD_PASSPORT"
"""Variable of a job's first container with the run's record, compressed; labels hold too little."""

PASSPORT_CHARACTERS = 32_000


def create(place: Place, request: Request) -> None:
    """Create the job, or adopt the one that is there.

    Raises:
        RunFailed: NAME_TAKEN when the run's labels are those of another job; what Vertex AI says when it refuses.
        TemporaryError: when it does not answer, or the project's quota is used up.
    """
    run = Handle.parse(request.name).run
    found = place.jobs.of_run(run)
    if not found:
        made = _made(place, request)
        # Another agent may have looked before this one's job was there, as this one did.
        found = place.jobs.of_run(run)
        if all(job.id != made.id for job in found):
            found = sorted([*found, made], key=lambda job: job.age)
    job = chosen(place, found, request.digest)
    if not job.has_ended:
        place.listing.put(job)


def chosen(place: Place, found: Sequence[Job], digest: str) -> Job:
    """The job of a run, of those that were made for it; the others are cancelled.

    Raises:
        RunFailed: NAME_TAKEN when it was made for another request.
    """
    oldest, *others = found
    if oldest.digest != digest:
        raise RunFailed(
            FailureClass.CONFIG,
            Reason.NAME_TAKEN,
            f"{oldest.name} has the labels of {oldest.run}, and was made for another request; look at it in Vertex AI, "
            "delete it if it is nobody's, and launch the run again",
        )
    for job in others:
        if not job.has_ended:
            place.jobs.cancel(job)
    return oldest


def _made(place: Place, request: Request) -> Job:
    told = deepcopy(dict(request.body["custom_job"]))
    told["labels"] = {**told["labels"], REQUEST: request.digest}
    told["job_spec"] = _named(told["job_spec"], place)
    containers = [pool["container_spec"] for pool in told["job_spec"]["worker_pool_specs"] if pool]
    for container in containers:
        _fill(container, place.project)
    _stamp(containers[0], request.passport)
    if request.body["secrets"]:
        vault.keep(place.secrets, Handle.parse(request.name).run, request.body["secrets"])
    try:
        return place.jobs.create(told)
    except Throttled as error:
        if "per minute" in str(error) or error.hint_seconds:
            raise
        # Of machines, not of calls.
        raise TemporaryError(f"{error}; the run waits until others have ended", delay_seconds=QUOTA_SECONDS) from error


def _fill(container: dict[str, Any], project: str) -> None:
    """Give a container what reads its secrets, and say in which project the run's own are."""
    if not secrets.is_wrapped(container):
        return
    filled = [
        {**one, "value": one["value"].replace(secrets.PROJECT, project)} if one["name"].startswith(PREFIX) else one
        for one in container["env"]
    ]
    container["env"] = [*filled, *secrets.program()]


def _named(spec: dict[str, Any], place: Place) -> dict[str, Any]:
    """The job's spec with the full names of its experiment and of the experiment's run."""
    full = {
        key: name.replace("{project}", place.project).replace("{location}", place.account.location)
        for key, name in spec.items()
        if key in {"experiment", "experiment_run"}
    }
    return {**spec, **full}


def _stamp(container: dict[str, Any], passport: str) -> None:
    packed = base64.b64encode(zlib.compress(passport.encode(), 9)).decode() if passport else ""
    listed = container.get("env", [])
    if not packed or len(packed) > PASSPORT_CHARACTERS or len(listed) >= VARIABLES:
        # The run cannot be recovered then; it runs all the same.
        return
    container["env"] = [*listed, {"name": PASSPORT, "value": packed}]


def passport_of(job: CustomJob) -> str:
    """The run's record that came with a job; "" where there is none."""
    for pool in job.job_spec.worker_pool_specs:
        for variable in pool.container_spec.env:
            if variable.name == PASSPORT:
                return zlib.decompress(base64.b64decode(variable.value)).decode()
    return ""
