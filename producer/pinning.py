"""Images that are pinned as a run is enqueued, with the registry logins of whoever enqueues."""

from __future__ import annotations

from functools import partial

from broker_config.errors import InvalidRequest, LaunchyardError, TemporaryError
from broker_config.jobs import ImageSource, Job
from broker_config.oci.distribution import Distribution
from broker_config.oci.logins import docker_login
from broker_config.oci.pins import pinned
from broker_config.oci.references import DOCKER_HUB, host_of
from broker_config.queues import PinImages, Queue


class Pins:
    """The images of one launch, of one or of many runs: each is looked up once."""

    def __init__(self) -> None:
        self._pinned: dict[str, ImageSource] = {}

    def job(self, job: Job, queue: Queue) -> Job:
        """The job as its queue wants it stored.

        Raises:
            InvalidRequest: when the queue pins images, and this one's digest cannot be had.
            TemporaryError: when that may be otherwise in a moment.
        """
        if queue.pin_images is not PinImages.ENQUEUE:
            return job
        if isinstance(job.source, ImageSource):
            return job.model_copy(update={"source": self._image(job.source, queue)})
        if job.base_image:
            return job.model_copy(update={"base_image": self._image(ImageSource(image=job.base_image), queue).image})
        return job

    def _image(self, source: ImageSource, queue: Queue) -> ImageSource:
        if source.image not in self._pinned:
            try:
                self._pinned[source.image] = pinned(source, _repository)
            except LaunchyardError as error:
                text = (
                    f"queue {queue.full_name!r} pins images as they are enqueued, and {source.image!r} cannot be: "
                    f"{error}. Name it by its digest, or have the queue's owner leave it to agents: "
                    f"launchyard queue edit {queue.full_name} --pin-images claim"
                )
                raise (TemporaryError if isinstance(error, TemporaryError) else InvalidRequest)(text) from error
        return self._pinned[source.image]


def _repository(repository: str) -> Distribution:
    host = host_of(repository)
    cure = "run: docker login" if host == DOCKER_HUB else f"run: docker login {host}"
    return Distribution(repository, partial(docker_login, host), cure)
