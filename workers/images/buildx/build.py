"""One run of `docker buildx build`, as a process of our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from broker_config.errors import TemporaryError
from broker_config.oci.logins import Login
from broker_config.oci.references import Reference
from workers.images.buildx.login import login_environment, with_own_environment
from workers.images.buildx.plan import METADATA, Plan, command, write
from workers.images.buildx.progress import Progress
from workers.images.failing import failed, is_refused
from workers.images.output import follow
from workers.images.scratch import Scratch
from workers.images.steps import Ended, Failure

_TERM_SECONDS = 0.7
_EXIT_SECONDS = 10


def build(
    plan: Plan,
    login: Callable[[], Login | None],
    scratch: Scratch,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Ended:
    """Build an image; `login` is for its registry, and is asked when the image is to be pushed.

    Raises:
        RunFailed: when the image could not be built, or the registry refuses it.
        RunCancelled: when `cancelled` said yes.
        TemporaryError: when the machinery failed.
    """
    known = login() if plan.pushes else None
    ended = _built(plan, known, scratch, log, cancelled)
    # buildx reads a login when it begins, and a long build may outlive it. All but the push is in the cache by now.
    if ended.failure and is_refused(ended.failure) and (fresh := login()) != known:
        log("the registry does not take the login that was there at the build's begin; pushing with a new one")
        ended = _built(plan, fresh, scratch, log, cancelled)
    if ended.failure:
        raise failed(ended.failure, plan.reference)
    return ended


def _built(
    plan: Plan,
    login: Login | None,
    scratch: Scratch,
    log: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Ended:
    with scratch.folder() as folder:
        environment = {**plan.environment, **login_environment(folder, plan.reference, login)}
        return follow(BuildxBuild(replace(plan, environment=environment), folder), log, cancelled)


class BuildxBuild:
    """A build under way."""

    def __init__(self, plan: Plan, scratch: Path) -> None:
        """Start it; `scratch` is a private folder of its own that lives as long as it does."""
        self._plan = plan
        self._metadata = scratch / METADATA
        self._progress = Progress()
        try:
            write(plan, scratch)
            self._process = subprocess.Popen(
                command(plan, scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # The CLI starts buildx as a process of its own, and both have to end together.
                start_new_session=True,
                env=with_own_environment(plan.environment),
            )
        except OSError as error:
            raise TemporaryError(f"docker buildx cannot be started: {error}") from error

    def lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                yield from self._progress.read(line)

    def end(self) -> None:
        # At the first signal buildx tells BuildKit to end the build. At the second it is gone, and BuildKit ends
        # builds whose client is gone.
        for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _EXIT_SECONDS)):
            self._signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            break
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def ended(self) -> Ended:
        failure = self._failure()
        return Ended(self._progress.steps, failure, self._pushed() if self._plan.pushes and not failure else None)

    def _failure(self) -> Failure | None:
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return Failure("docker buildx closed its output and did not end", self._progress.said)
        if code == 0:
            return None
        if code < 0:
            return Failure(f"docker buildx was killed by {signal.Signals(-code).name}", self._progress.said)
        return self._progress.failure() or Failure(f"docker buildx ended with exit code {code}", self._progress.said)

    def _pushed(self) -> str:
        try:
            digest = json.loads(self._metadata.read_text())["containerimage.digest"]
        except (OSError, ValueError, KeyError) as error:
            raise TemporaryError(f"docker buildx does not tell what it has pushed: {error}") from error
        return f"{Reference.parse(self._plan.reference).repository}@{digest}"
