"""Images that are pinned as a run is claimed: all its attempts run what the first one found, whatever the tag does."""

from __future__ import annotations

import logging

from broker_config.errors import ConfigError, InvalidRequest
from broker_config.jobs import ImageSource
from broker_config.oci.pins import pinned
from broker_config.queues import PinImages
from broker_config.runs import Run
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.pulling import Pulls
from workers.record import Recorder

logger = logging.getLogger(__name__)


class Pinner:
    """The step between claim and prepare, on queues that want it."""

    def __init__(self, recorder: Recorder, pulls: Pulls) -> None:
        self._recorder = recorder
        self._pulls = pulls

    def pin(self, run: Run) -> Run:
        """The run with its image by digest, on the record.

        Raises:
            RunFailed: IMAGE_UNAVAILABLE, when its registry does not show it to this agent.
            TemporaryError: when its registry does not answer.
            StaleWrite: when the run is another session's.
        """
        source = run.source
        if run.spec.queue.pin_images is not PinImages.CLAIM or not isinstance(source, ImageSource):
            return run
        try:
            found = pinned(source, self._pulls.repository)
        except (ConfigError, InvalidRequest) as error:
            text = f"the queue pins images as runs are claimed, and {source.image} cannot be: {error}"
            raise RunFailed(FailureClass.CONFIG, Reason.IMAGE_UNAVAILABLE, text) from error
        if found == source:
            return run
        logger.info("image-pinned run=%s image=%s", run.id, found.image)
        return self._recorder.pin(run, found, f"Image {source.image} is {found.image}, in every attempt.")
