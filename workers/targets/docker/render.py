"""From a workload to the request: what the engine gets, and nothing that it could not be asked again for."""

from __future__ import annotations

from typing import Any

from broker_config.resources.docker.flags import FLAGS, given_flags
from broker_config.states import FailureClass, Reason
from workers.builders.protocol import ArtifactKind
from workers.failures import RunFailed
from workers.targets.docker.inside import CODE_FOLDER
from workers.targets.docker.installing import INSTALLS, with_install
from workers.targets.protocol import Request, Workload

MANAGED = "launchyard.managed"
RUN_ID = "launchyard.run-id"
REQUEST_DIGEST = "launchyard.request-digest"
PASSPORT = "launchyard.passport"
"""Labels of every container of ours. The digest is of the request, so it is added when that is sent."""


def render(workload: Workload) -> Request:
    """The request for a workload: `container` is the body of the Engine API's container create.

    `code` is a folder to be copied in, `secrets` are variables of the agent that the container is given.

    Raises:
        RunFailed: class CONFIG, when the queue config cannot work.
    """
    if workload.artifact.kind is not ArtifactKind.IMAGE:
        raise _cannot_work(f"a docker queue runs images, and this is {workload.artifact.kind}")
    # A run that needs no flag at all still gets an init process: without one, a job that is process 1 ignores the
    # signal that asks it to end, and what it leaves behind is never reaped.
    body: dict[str, Any] = {
        "pull": "missing",
        "env": {},
        "container": {
            "Image": workload.artifact.reference,
            **_command(workload),
            "Labels": {},
            "HostConfig": {"Init": True},
        },
    }
    _lay_flags(body, workload)
    container = body["container"]
    if workload.folder is not None:
        body["code"] = str(workload.folder)
        container.setdefault("WorkingDir", CODE_FOLDER)
    if workload.installs:
        _install_first(container)
    if workload.secrets:
        body["secrets"] = list(workload.secrets)
    env = workload.environment(body.pop("env"))
    container["Env"] = [f"{name}={value}" for name, value in sorted(env.items())]
    container["Labels"] = {**workload.labels, **container["Labels"], MANAGED: "true", RUN_ID: workload.run_id}
    return Request(workload.name, body)


def _command(workload: Workload) -> dict[str, list[str]]:
    """A job's entry point replaces the image's, and its args the image's command."""
    command: dict[str, list[str]] = {}
    if workload.entry_point:
        command["Entrypoint"] = [workload.entry_point[0]]
    if rest := [*workload.entry_point[1:], *workload.args]:
        command["Cmd"] = rest
    return command


def _install_first(container: dict[str, Any]) -> None:
    command = [*container.get("Entrypoint", ()), *container.get("Cmd", ())]
    if not command:
        raise _cannot_work("code on a base image needs a command; launch the job with an entry point")
    container.update(with_install(command))
    container["Labels"][INSTALLS] = "true"


def _lay_flags(body: dict[str, Any], workload: Workload) -> None:
    try:
        given = given_flags(workload.config)
    except ValueError as error:
        raise _cannot_work(str(error)) from error
    for name, values in given.items():
        try:
            FLAGS[name](body, values)
        except ValueError as error:
            raise _cannot_work(f"flag {name!r}: {error}") from error


def _cannot_work(text: str) -> RunFailed:
    return RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"queue config of resource docker: {text}")
