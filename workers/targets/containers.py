"""Where a job goes in a request that lists containers, as those of Kubernetes and of Vertex AI do.

Both write a container as `command`, `args` and `env`; only the image has another key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.builders.protocol import ArtifactKind
from workers.targets.protocol import Workload

Container = dict[str, Any]


def image_of(workload: Workload) -> str:
    """The image that a platform pulls for a job; SageMaker's pulls one too.

    Raises:
        ValueError: when the job is no image, or has code that is on the agent's machine.
    """
    image = workload.artifact.reference
    if workload.artifact.kind is not ArtifactKind.IMAGE:
        raise ValueError(f"the resource runs images, and this is the {workload.artifact.kind} {image!r}")
    if workload.folder is not None:
        raise ValueError(
            f"the resource cannot get at code that lies beside the base image {image!r}; leave the base image out, and "
            "give the agent a builder other than noop: it builds an image that holds the code"
        )
    return image


def place_image(groups: Sequence[Sequence[Container]], key: str, image: str) -> None:
    """Give the job's image to the containers that are there for the job.

    They are those without an image, or with the job's already (from `${image_uri}`). When there is none, every first
    container of a group is, if these agree on an image: it stands for the job's.

    Raises:
        ValueError: when it cannot be known which containers are the job's.
    """
    containers = [container for group in groups for container in group]
    due = [container for container in containers if container.get(key) in (None, "", image)]
    if not due:
        due = [group[0] for group in groups]
        if len(named := {str(container[key]) for container in due}) > 1:
            raise ValueError(
                f"no container has the job's image: they name {', '.join(sorted(named))}; leave {key!r} out, or write "
                "${image_uri}, where the job runs"
            )
    for container in due:
        container[key] = image


def place_command(container: Container, entry_point: Sequence[str], args: Sequence[str]) -> None:
    """Have a container run the job. A command of the queue's stays; the job's args replace the queue's."""
    if entry_point and not container.get("command"):
        container["command"] = list(entry_point)
    if args:
        container["args"] = list(args)


def place_env(container: Container, workload: Workload, secrets: Sequence[Container] = ()) -> None:
    """Add the job's variables to a container's: the queue's win over a job's, and Launchyard's over both.

    `secrets` are variables, ready as they stand in a container, that refer to their values.

    Raises:
        ValueError: when the container's `env` is not a list of variables.
    """
    listed = container.get("env") or []
    if not isinstance(listed, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in listed
    ):
        raise ValueError("'env' of a container must be a list of variables, each with 'name' and 'value'")
    of_queue = {one["name"] for one in listed}
    of_job = {name: {"name": name, "value": literal(value)} for name, value in sorted(workload.env.items())}
    given = {one["name"]: one for one in secrets} | of_job
    own = {name: given[name] for name in given if name not in of_queue or name.startswith("LAUNCHYARD_")}
    if own:
        # A variable may refer to those before it, so the job's come first.
        container["env"] = [*own.values(), *(one for one in listed if one["name"] not in own)]


def literal(text: str) -> str:
    """Text in which Kubernetes and Vertex AI will find no reference to a variable: what a job wrote is what it gets.

    Both read `$(NAME)` as a reference, and `$$` as one `$`.
    """
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text
