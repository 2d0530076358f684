"""The image of a launch, made as an agent with this machine's config would make it.

`python -m workers.build` is the program behind `launchyard build`: one JSON document in, a `BuildRequest`, and one out,
a `BuildAnswer`. What the build prints goes to stderr while it runs.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from broker_config.build_requests import BuildAnswer, BuildRequest
from broker_config.errors import LaunchyardError
from broker_config.jobs import ImageSource
from broker_config.runs import RunSpec
from broker_config.settings import Settings, load_settings
from broker_config.states import FailureClass, Reason
from broker_config.store import Store
from workers import families
from workers.builders.protocol import ArtifactKind, BuildOrder
from workers.building.log import summary
from workers.config import AgentConfig, load_config
from workers.config.builder import DockerBuilderConfig
from workers.config.image_builder import ImageBuilderConfig
from workers.failures import RunFailed
from workers.images.dockerfile import dockerfile
from workers.images.written import Means
from workers.members import Members, follow_nothing
from workers.prepare import build_order


def answer(request: BuildRequest, settings: Settings, cancelled: threading.Event) -> BuildAnswer:
    """Build what a launch wants, or find it.

    Raises:
        LaunchyardError: when the launch has nothing to build, or its build failed.
    """
    began = time.monotonic()
    _check_is_built(request.spec)
    config = load_config(None, settings.home).config
    store = Store(settings)
    members = Members(settings.home, store.code, config, follow_nothing)
    try:
        with TemporaryDirectory(prefix="launchyard-build-") as folder:
            job = request.spec.job
            fetched = members.source(job.source.type).fetch(job.source, Path(folder), job.build_context)
            order = build_order(request.spec, fetched)
            if request.dockerfile_only:
                return _dockerfile(order, config)
            built = _build(order, members, cancelled)
    finally:
        store.close()
    return built.model_copy(update={"seconds": time.monotonic() - began})


def _check_is_built(spec: RunSpec) -> None:
    why = ""
    if isinstance(spec.job.source, ImageSource):
        why = f"its source is the image {spec.job.source.image}"
    elif spec.job.base_image:
        why = f"it runs base image {spec.job.base_image}, with the code brought into it"
    elif families.load("targets", spec.queue.resource).artifact is not ArtifactKind.IMAGE:
        why = f"resource {spec.queue.resource!r} runs no images"
    if why:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, f"this job has no image to build: {why}")


def _dockerfile(order: BuildOrder, config: AgentConfig) -> BuildAnswer:
    if order.fetched.folder is None:
        raise RunFailed(FailureClass.CONFIG, Reason.CONFIG_INVALID, "this job's source brought no code to build")
    block = config.builder if isinstance(config.builder, ImageBuilderConfig) else DockerBuilderConfig()
    found = dockerfile(order.job, order.fetched.folder, Means(block, accelerator=order.accelerator))
    return BuildAnswer(dockerfile=found.text, origin=found.origin)


def _build(order: BuildOrder, members: Members, cancelled: threading.Event) -> BuildAnswer:
    builder = members.builder_for(ArtifactKind.IMAGE)
    key = builder.key(order)
    if (found := builder.find(order, key)) is not None:
        return BuildAnswer(reference=found.reference, key=key, is_reused=True, size_bytes=found.size_bytes)
    began = time.monotonic()
    made = builder.build(order, key, _tell, cancelled.is_set)
    for line in summary(made, time.monotonic() - began):
        _tell(line)
    return BuildAnswer(reference=made.reference, key=key, size_bytes=made.size_bytes)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Answer the request on stdin. Returns the exit code."""
    # What members say of themselves is for an agent's log.
    logging.getLogger("workers").addHandler(logging.NullHandler())
    cancelled = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # The build is ended in order, so that nothing goes on in the engine.
        signal.signal(number, lambda *_: cancelled.set())
    request = BuildRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        said = answer(request, load_settings(), cancelled)
    except LaunchyardError as error:
        said = BuildAnswer(error=str(error))
    sys.stdout.write(said.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
