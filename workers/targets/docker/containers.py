"""Containers by name: the calls of the Engine API that the target needs, with their expected outcomes as values."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

import requests
from docker.errors import APIError, ImageNotFound, NotFound

from broker_config.errors import TemporaryError
from broker_config.states import FailureClass, Reason
from workers.failures import RunFailed
from workers.targets.docker.engine import Engine, check, may_pass, words_of
from workers.targets.docker.render import MANAGED

CONNECT_SECONDS = 5.0
STOP_ANSWER_SECONDS = 1.0
"""How long a stop is waited for. A job that heeds the signal has ended by then."""

FILTERED_NAMES = 50
"""Up to so many names are asked for by name. Each is matched with each container and takes room in the request."""


class Created(StrEnum):
    """How a create ended, when it did not fail."""

    MADE = "made"
    NAME_TAKEN = "name-taken"
    IMAGE_MISSING = "image-missing"


class Containers:
    """Our containers on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def listed(self, names: Collection[str]) -> Sequence[Mapping[str, Any]]:
        """Those of ours that have these names, in the short form of the list call; others may be among them."""
        filters: dict[str, Any] = {"label": f"{MANAGED}=true"}
        if len(names) <= FILTERED_NAMES:
            # The engine takes 1.6 ms for each container that it describes (26.1 with containerd's image store), so one
            # that changed must not cost the description of all.
            filters["name"] = [f"^/{re.escape(name)}$" for name in names]
        with self._engine.answering():
            found: list[dict[str, Any]] = self._engine.api.containers(all=True, filters=filters)
            return found

    def all(self) -> Sequence[Mapping[str, Any]]:
        """All of ours, in the short form of the list call."""
        with self._engine.answering():
            found: list[dict[str, Any]] = self._engine.api.containers(all=True, filters={"label": f"{MANAGED}=true"})
            return found

    def inspect(self, name: str) -> Mapping[str, Any] | None:
        """Everything about one, or `None` if there is none."""
        with self._engine.answering():
            try:
                found: dict[str, Any] = self._engine.api.inspect_container(name)
            except NotFound:
                return None
            return found

    def create(self, name: str, body: Mapping[str, Any], platform: str | None) -> Created:
        """Make one without starting it."""
        with self._engine.answering():
            try:
                # The stubs of docker's client leave this function without types.
                self._engine.api.create_container_from_config(dict(body), name, platform)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return Created.IMAGE_MISSING
            except APIError as error:
                if error.status_code == 409:
                    return Created.NAME_TAKEN
                raise
            return Created.MADE

    def start(self, name: str) -> None:
        """Start one; one that runs or has ended stays as it is when nothing was left to start.

        Raises:
            RunFailed: when the engine cannot start it (no such device, no GPU driver); it is removed again.
        """
        with self._engine.answering():
            try:
                self._engine.api.start(name)
            except NotFound as error:
                if self.inspect(name) is None:
                    raise TemporaryError(f"container {name} was removed while it was being started") from error
                # Docker also says 404 when the image has no such command.
                raise self._not_started(name, error) from error
            except APIError as error:
                raise self._not_started(name, error) from error

    def _not_started(self, name: str, error: APIError) -> RunFailed | TemporaryError:
        # What could not be started stays as `created` and would keep the name. One that another agent has got to run
        # meanwhile is left alone.
        found = self.inspect(name)
        if found is not None and found["State"]["Status"] == "created":
            self.remove(name, only_if_stopped=True)
        words = words_of(error)
        if may_pass(words):
            return TemporaryError(f"container {name} could not be started: {words}")
        return RunFailed(
            FailureClass.CONFIG, Reason.TARGET_REFUSED, f"the docker engine could not start the container: {words}"
        )

    def stop(self, name: str, grace_seconds: float) -> bool:
        """Send the stop signal, and have the engine kill the container after the grace.

        Returns whether there was something to stop. The engine carries a stop out to its end also when nobody waits
        for the answer. Measured with 26.1: a request with t=4 whose connection was closed after 0.3 s still killed a
        deaf process 1 after 4.1 s, not earlier. So the agent may hang up, or die.
        """
        seconds = math.ceil(grace_seconds)
        with self._engine.answering():
            try:
                response = self._engine.api.post(
                    self._engine.url(f"/containers/{name}/stop"),
                    params={"t": seconds},
                    timeout=(CONNECT_SECONDS, STOP_ANSWER_SECONDS),
                )
            except requests.ReadTimeout:
                return True
            if response.status_code in {304, 404}:
                return False
            check(response)
            return True

    def remove(self, name: str, *, only_if_stopped: bool = False) -> None:
        """Remove one that has ended, with its anonymous volumes; nothing happens if there is none.

        Raises:
            TemporaryError: when it runs, unless `only_if_stopped`.
        """
        with self._engine.answering():
            try:
                self._engine.api.remove_container(name, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise
                if only_if_stopped or "already in progress" in words_of(error):
                    return
                raise TemporaryError(f"container {name} is not removed: {words_of(error)}") from error
